//! A run as one file: a tar archive that gzip has packed, with the run's folder in it.
//!
//! An archive comes from elsewhere: nothing of it is believed. It may have files and folders below one folder and nothing
//! else, no link, no path that leads out, no more bytes than are asked for; and what comes out is a run only if its journal
//! can be read.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use tar::{Archive, Builder, EntryType, Header, PaxExtensions};

use crate::atomic_file;
use crate::journal::{FILE_NAME, JournalError, RunDir};
use crate::report::RunSummary;
use crate::report::outline::OUTLINE_FILE;

/// Bytes that an archive may hold if nobody says more.
pub const DEFAULT_LIMIT: u64 = 16 << 30;

/// Entries that an archive may hold: some for each attempt of a million cells.
const ENTRIES: u64 = 8_000_000;

/// The longest path in an archive, bytes, and the most folders of one.
const PATH_LIMIT: u64 = 4096;
const DEPTH_LIMIT: usize = 16;

/// The longest header of the `pax` form, bytes.
const PAX_LIMIT: u64 = 64 << 10;

/// Padding behind the end of an archive, bytes.
const TAIL_LIMIT: u64 = 1 << 20;

/// A run cannot be put into a file, or taken out of one.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file cannot be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The run still goes on.
    #[error("run {0} still goes on; export it when it has ended")]
    Running(String),
    /// The file is no archive, or is cut off.
    #[error("{path} is no whole archive of a run: {reason}; expected what `kregress runs export` writes, a .tar.gz", path = path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// It has what no run has.
    #[error("{path}: {entry:?} {reason}; nothing was taken out of this archive", path = path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// The name of the entry.
        entry: String,
        /// Why.
        reason: String,
    },
    /// There is a run of this name.
    #[error("run {0} is there already; remove its folder first, or import into another one with -o")]
    Exists(String),
    /// What was in it is no run.
    #[error("{path} holds no run: {source}", path = path.display())]
    NoRun {
        /// The file.
        path: PathBuf,
        /// What is wrong with the journal.
        source: JournalError,
    },
}

fn failed(path: &Path) -> impl Fn(io::Error) -> ArchiveError {
    let path = path.to_owned();
    move |source| ArchiveError::File { path: path.clone(), source }
}

/// Writes a run to a file, which appears whole or not at all. Links and other files that are none are left out.
///
/// # Errors
/// The run still goes on, cannot be read, or the file cannot be written.
pub fn export(run: &RunDir, path: &Path) -> Result<(), ArchiveError> {
    if run.is_running() {
        return Err(ArchiveError::Running(run.id().to_owned()));
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = atomic_file::begin(folder).map_err(failed(path))?;
    let packed = GzEncoder::new(BufWriter::new(&mut file), Compression::default());
    let mut archive = Builder::new(packed);
    let name = Path::new(run.id());
    // who unpacks it sees at once what it is
    add(&mut archive, &run.journal(), &name.join(FILE_NAME))?;
    add_folder(&mut archive, run.path(), name, 1)?;
    let packed = archive.into_inner().map_err(failed(path))?;
    packed.finish().and_then(|mut out| out.flush()).map_err(failed(path))?;
    file.as_file().sync_data().map_err(failed(path))?;
    file.persist(path).map_err(|error| failed(path)(error.error))?;
    Ok(())
}

fn add_folder(
    archive: &mut Builder<impl Write>,
    from: &Path,
    to: &Path,
    depth: usize,
) -> Result<(), ArchiveError> {
    let entries = fs::read_dir(from).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = entries.map_err(failed(from))?;
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        let kind = entry.file_type().map_err(failed(&path))?;
        let made_elsewhere = depth == 1 && (name == FILE_NAME || name == OUTLINE_FILE);
        if kind.is_dir() && depth < DEPTH_LIMIT {
            add_folder(archive, &path, &to.join(&name), depth + 1)?;
        } else if kind.is_file() && !made_elsewhere {
            add(archive, &path, &to.join(&name))?;
        }
    }
    Ok(())
}

/// Adds a file. What its owner and its times are says nothing of a run.
fn add(archive: &mut Builder<impl Write>, from: &Path, to: &Path) -> Result<(), ArchiveError> {
    let file = File::open(from).map_err(failed(from))?;
    let meta = file.metadata().map_err(failed(from))?;
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_size(meta.len());
    header.set_mode(if meta.permissions().mode() & 0o100 != 0 { 0o755 } else { 0o644 });
    let mtime = meta.modified().ok().and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    header.set_mtime(mtime.map_or(0, |at| at.as_secs()));
    // a file that grows meanwhile must not shift what follows
    archive.append_data(&mut header, to, Exactly { file, left: meta.len() }).map_err(failed(from))
}

/// A file of exactly so many bytes.
struct Exactly {
    file: File,
    left: u64,
}

impl Read for Exactly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it became shorter while it was read"));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Takes a run out of a file and into the folder `root`, where it appears whole or not at all. `limit` is how many bytes it may
/// have.
///
/// # Errors
/// As [`ArchiveError`] says.
pub fn import(path: &Path, root: &Path, limit: u64) -> Result<RunDir, ArchiveError> {
    let file = File::open(path).map_err(failed(path))?;
    fs::create_dir_all(root).map_err(failed(root))?;
    let place = tempfile::Builder::new().prefix(".import-").tempdir_in(root).map_err(failed(root))?;
    let name =
        Unpacking { path, into: place.path(), left: limit, name: None }.unpack(BufReader::new(file))?;
    let inside = RunDir::at(&place.path().join(&name));
    RunSummary::of(&inside).map_err(|source| match source {
        JournalError::Read { source, .. } if source.kind() == io::ErrorKind::NotFound => {
            ArchiveError::Broken { path: path.to_owned(), reason: format!("{name}/{FILE_NAME} is not in it") }
        }
        source => ArchiveError::NoRun { path: path.to_owned(), source },
    })?;
    let run = RunDir::at(&root.join(&name));
    if run.path().symlink_metadata().is_ok() {
        return Err(ArchiveError::Exists(name));
    }
    // two imports at once: a folder is not renamed over one that has files
    match fs::rename(inside.path(), run.path()) {
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Err(ArchiveError::Exists(name)),
        renamed => renamed.map(|()| run.clone()).map_err(failed(run.path())),
    }
}

struct Unpacking<'a> {
    path: &'a Path,
    into: &'a Path,
    /// Bytes that may still come.
    left: u64,
    /// The folder that everything is in.
    name: Option<String>,
}

impl Unpacking<'_> {
    fn broken(&self, reason: impl ToString) -> ArchiveError {
        ArchiveError::Broken { path: self.path.to_owned(), reason: reason.to_string() }
    }

    fn refused(&self, entry: &Path, reason: impl ToString) -> ArchiveError {
        let entry: String = entry.to_string_lossy().chars().take(200).collect();
        ArchiveError::Refused { path: self.path.to_owned(), entry, reason: reason.to_string() }
    }

    fn unpack(mut self, packed: impl Read) -> Result<String, ArchiveError> {
        // headers and padding count as well, so that an endless archive of nothing ends
        let bound = self.left.saturating_mul(2).saturating_add(1 << 20);
        let mut archive = Archive::new(MultiGzDecoder::new(packed).take(bound));
        let entries = archive.entries().map_err(|error| self.broken(error))?.raw(true);
        // a name that is too long for a header stands in an entry before its own
        let mut named: Option<PathBuf> = None;
        for (number, entry) in (1..).zip(entries) {
            if number > ENTRIES {
                return Err(self.broken(format!("it has more than {ENTRIES} entries")));
            }
            let mut entry = entry.map_err(|error| self.broken(error))?;
            let kind = entry.header().entry_type();
            match kind {
                EntryType::GNULongName => {
                    let bytes = self.short(&mut entry, PATH_LIMIT)?;
                    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
                    named = Some(PathBuf::from(OsStr::from_bytes(&bytes[..end])));
                    continue;
                }
                EntryType::XHeader => {
                    let bytes = self.short(&mut entry, PAX_LIMIT)?;
                    named = self.pax_path(&bytes)?.or(named);
                    continue;
                }
                EntryType::XGlobalHeader => {
                    self.short(&mut entry, PAX_LIMIT)?;
                    continue;
                }
                _ => {}
            }
            let header_path = entry.path().map_err(|error| self.broken(error))?.into_owned();
            let path = named.take().unwrap_or(header_path);
            match kind {
                EntryType::Directory => drop(self.place(&path, true)?),
                EntryType::Regular | EntryType::Continuous => {
                    let to = self.place(&path, false)?;
                    let size = entry.header().entry_size().map_err(|error| self.broken(error))?;
                    let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
                    self.file(&path, &to, &mut entry, size, executable)?;
                }
                EntryType::Symlink | EntryType::Link | EntryType::GNULongLink => {
                    return Err(self.refused(&path, "is a link, and a run has none"));
                }
                _ => return Err(self.refused(&path, "is neither a file nor a folder")),
            }
        }
        // the sum at the end is of everything, and nothing stands behind it
        let mut rest = archive.into_inner().take(TAIL_LIMIT + 1);
        match io::copy(&mut rest, &mut io::sink()) {
            Ok(read) if read <= TAIL_LIMIT => {}
            Ok(_) => return Err(self.broken("something stands behind its end")),
            Err(error) => return Err(self.broken(error)),
        }
        self.name.clone().ok_or_else(|| self.broken("it is empty"))
    }

    /// The contents of an entry that must not be long.
    fn short(&self, entry: &mut impl Read, limit: u64) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = Vec::new();
        entry.take(limit + 1).read_to_end(&mut bytes).map_err(|error| self.broken(error))?;
        if bytes.len() as u64 > limit {
            return Err(self.broken(format!("a header of it has more than {limit} bytes")));
        }
        Ok(bytes)
    }

    /// The path that a header of the `pax` form gives to the entry behind it.
    fn pax_path(&self, bytes: &[u8]) -> Result<Option<PathBuf>, ArchiveError> {
        let mut path = None;
        for extension in PaxExtensions::new(bytes) {
            let extension = extension.map_err(|error| self.broken(error))?;
            match extension.key() {
                Ok("path") => path = Some(PathBuf::from(OsStr::from_bytes(extension.value_bytes()))),
                // what follows would be read at other places than it says
                Ok(key) if key == "size" || key.starts_with("GNU.sparse.") => {
                    return Err(self.broken(format!("a header of it has {key}, which no run needs")));
                }
                _ => {}
            }
        }
        Ok(path)
    }

    /// Where an entry goes; the folders above it are made.
    fn place(&mut self, path: &Path, is_folder: bool) -> Result<PathBuf, ArchiveError> {
        let mut parts: Vec<&str> = Vec::new();
        for part in path.components() {
            match part {
                Component::Normal(part) => {
                    parts
                        .push(part.to_str().ok_or_else(|| self.refused(path, "has a name that is no text"))?);
                }
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(self.refused(path, "leads out of the run's folder"));
                }
            }
        }
        let Some((name, inside)) = parts.split_first() else {
            return if is_folder { Ok(self.into.to_owned()) } else { Err(self.refused(path, "has no name")) };
        };
        if path.as_os_str().len() as u64 > PATH_LIMIT || parts.len() > DEPTH_LIMIT {
            return Err(self.refused(path, "has a path that is longer than any of a run"));
        }
        if name.starts_with('.') || *name == "latest" {
            return Err(self.refused(path, "is no name for a run"));
        }
        match &self.name {
            None => self.name = Some((*name).to_owned()),
            Some(first) if first == name => {}
            Some(first) => {
                let reason =
                    format!("is not in the folder {first}, as what stands before it: it is not one run");
                return Err(self.refused(path, reason));
            }
        }
        if inside.is_empty() && !is_folder {
            return Err(self.refused(path, "is a file, where the run's folder is expected"));
        }
        let to = self.into.join(parts.iter().collect::<PathBuf>());
        let folder = if is_folder { &to } else { to.parent().unwrap_or(self.into) };
        fs::create_dir_all(folder).map_err(|error| self.refused(path, error))?;
        Ok(to)
    }

    fn file(
        &mut self,
        path: &Path,
        to: &Path,
        entry: &mut impl Read,
        size: u64,
        executable: bool,
    ) -> Result<(), ArchiveError> {
        let too_much = "would make the run larger than is allowed; --max-size allows more";
        self.left = self.left.checked_sub(size).ok_or_else(|| self.refused(path, too_much))?;
        let file = File::options().write(true).create_new(true).open(to);
        let mut file = file.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => self.refused(path, "is in it twice"),
            _ => failed(to)(error),
        })?;
        let copied = copy(entry, &mut file).map_err(|error| match error {
            CopyError::Read(error) => self.broken(error),
            CopyError::Write(error) => failed(to)(error),
        })?;
        if copied != size {
            return Err(self.broken("it is cut off"));
        }
        if executable {
            let mode = fs::Permissions::from_mode(0o755);
            fs::set_permissions(to, mode).map_err(failed(to))?;
        }
        Ok(())
    }
}

enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

fn copy(from: &mut impl Read, to: &mut File) -> Result<u64, CopyError> {
    let mut buffer = vec![0; 1 << 16];
    let mut copied = 0;
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(read) => {
                to.write_all(&buffer[..read]).map_err(CopyError::Write)?;
                copied += read as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
}
