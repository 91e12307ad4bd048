//! The source that a patch is tried on. It is only ever read.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::OnceLock;

use kernel_version::Line;

use super::git;
use super::subject::LineName;

/// git's mode of a file.
pub const PLAIN: &str = "100644";
/// git's mode of a file that may be executed.
pub const EXECUTABLE: &str = "100755";
/// git's mode of a symbolic link, whose contents are the path that it leads to.
pub const LINK: &str = "120000";

/// The mode that git gives a file whose patch states this one: of the permissions only the owner's right to execute counts.
/// `None` for what is no file or link, such as a submodule (160000).
pub fn canonical(mode: &str) -> Option<&'static str> {
    /// The bits of the kind of a file (inode(7)).
    const KIND: u32 = 0o170_000;
    let bits = u32::from_str_radix(mode, 8).ok()?;
    match bits & KIND {
        0o100_000 if bits & 0o100 != 0 => Some(EXECUTABLE),
        0o100_000 => Some(PLAIN),
        0o120_000 => Some(LINK),
        _ => None,
    }
}

/// A tree of files.
pub trait Source {
    /// The contents of a file; `None` when there is none. A symbolic link is not followed.
    fn read(&self, path: &str) -> Option<Vec<u8>>;

    /// Whether there is a file or a symbolic link at this path.
    fn has(&self, path: &str) -> bool {
        self.read(path).is_some()
    }

    /// git's mode of a file: [`PLAIN`], [`EXECUTABLE`] or [`LINK`]. Of one that is not there it means nothing.
    fn mode(&self, path: &str) -> &'static str;

    /// Whether there is a folder at this path; false where that is not known. It decides what the names of new files mean
    /// in a diff without prefixes.
    fn has_folder(&self, _path: &str) -> bool {
        false
    }

    /// Paths of files with this name, for a file that was moved.
    fn named(&self, name: &str) -> Vec<String>;

    /// The commits that last touched these lines, newest first, as `id title`; empty without a history.
    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String>;
}

/// A folder, with or without a git history.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
    /// Its files by their names, listed when one is looked for.
    names: OnceLock<HashMap<OsString, Vec<PathBuf>>>,
}

impl Folder {
    /// The source in this folder.
    pub fn new(root: impl Into<PathBuf>) -> Folder {
        Folder { root: root.into(), names: OnceLock::new() }
    }

    /// The file or link itself at this path; `None` where a link on the way leads elsewhere.
    fn at(&self, path: &str) -> Option<(PathBuf, std::fs::Metadata)> {
        if !is_inside(path) {
            return None;
        }
        let mut place = self.root.clone();
        let mut parts = Path::new(path).components().peekable();
        while let Some(part) = parts.next() {
            place.push(part);
            let found = std::fs::symlink_metadata(&place).ok()?;
            match parts.peek() {
                None => return Some((place, found)),
                Some(_) if found.is_dir() => {}
                Some(_) => return None,
            }
        }
        None
    }
}

/// The line of a kernel's source, as the first lines of its Makefile have it.
pub fn line(source: &dyn Source) -> Option<LineName> {
    let makefile = source.read("Makefile")?;
    let makefile = String::from_utf8_lossy(&makefile);
    let value = |name: &str| {
        let line = makefile.lines().take(20).find(|line| line.split(['=', ' ']).next() == Some(name))?;
        line.split_once('=')?.1.trim().parse().ok()
    };
    Some(LineName(Line { major: value("VERSION")?, minor: value("PATCHLEVEL")? }))
}

/// The files below a folder by their names, each with its paths from there.
fn listed(root: &Path) -> HashMap<OsString, Vec<PathBuf>> {
    let mut names: HashMap<OsString, Vec<PathBuf>> = HashMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(entry.path());
            } else if kind.is_file()
                && let Ok(path) = entry.path().strip_prefix(root)
            {
                names.entry(entry.file_name()).or_default().push(path.to_owned());
            }
        }
    }
    names
}

/// Whether a path of a patch stays inside the tree. A folder of git's own, in any case of letters, is outside, as for git.
pub fn is_inside(path: &str) -> bool {
    let inside = |part| matches!(part, Component::Normal(name) if !name.eq_ignore_ascii_case(".git"));
    !path.is_empty() && Path::new(path).components().all(inside)
}

impl Source for Folder {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        let (place, found) = self.at(path)?;
        if found.is_symlink() {
            return std::fs::read_link(place).ok().map(|to| to.into_os_string().into_vec());
        }
        // a pipe would never end
        found.is_file().then(|| std::fs::read(place).ok()).flatten()
    }

    fn has(&self, path: &str) -> bool {
        self.at(path).is_some_and(|(_, found)| !found.is_dir())
    }

    fn has_folder(&self, path: &str) -> bool {
        self.at(path).is_some_and(|(_, found)| found.is_dir())
    }

    fn mode(&self, path: &str) -> &'static str {
        match self.at(path) {
            Some((_, found)) if found.is_symlink() => LINK,
            Some((_, found)) if found.permissions().mode() & 0o100 != 0 => EXECUTABLE,
            _ => PLAIN,
        }
    }

    fn named(&self, name: &str) -> Vec<String> {
        /// Paths that are named.
        const MOST: usize = 8;
        let names = self.names.get_or_init(|| listed(&self.root));
        let found = names.get(OsStr::new(name)).into_iter().flatten();
        let mut found: Vec<String> = found.map(|path| path.display().to_string()).collect();
        found.sort();
        found.truncate(MOST);
        found
    }

    fn touched(&self, path: &str, first: usize, last: usize) -> Vec<String> {
        if !self.root.join(".git").exists() || !is_inside(path) {
            return Vec::new();
        }
        git::touched(&self.root, "HEAD", path, first, last)
    }
}

/// A few files in memory, for tests; those that end in `.sh` may be executed, those in `.link` are links.
#[cfg(test)]
pub(crate) struct Memory(std::collections::BTreeMap<String, Vec<u8>>);

#[cfg(test)]
impl Memory {
    /// These files.
    pub(crate) fn of(files: &[(&str, &[u8])]) -> Memory {
        Memory(files.iter().map(|(path, text)| ((*path).to_owned(), text.to_vec())).collect())
    }
}

#[cfg(test)]
impl Source for Memory {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        self.0.get(path).cloned()
    }

    fn mode(&self, path: &str) -> &'static str {
        match path.rsplit('.').next() {
            Some("sh") => EXECUTABLE,
            Some("link") => LINK,
            _ => PLAIN,
        }
    }

    fn named(&self, _: &str) -> Vec<String> {
        Vec::new()
    }

    fn touched(&self, _: &str, _: usize, _: usize) -> Vec<String> {
        Vec::new()
    }
}
