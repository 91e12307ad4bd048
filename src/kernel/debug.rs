//! Debug information on disk: a `vmlinux`, and the modules of a folder, packed ones too.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use kernel_modules::{Compression, inflate};
use kernel_symbols::{Bytes, Image, ImageError, Line, LookupError, Place};

/// So many entries of a folder are looked at: a build folder of a kernel has some 100,000.
const MAX_ENTRIES: usize = 1_000_000;

/// Why there is no debug information.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DebugError {
    /// A file or folder cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file is of no use.
    #[error("{path}: {source}")]
    Image {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// A folder has neither a kernel nor modules.
    #[error(
        "{0} has no vmlinux and no module with debug information; name the folder that the debug package was unpacked to, or the build folder"
    )]
    Empty(PathBuf),
}

/// The debug information of one kernel.
#[derive(Debug)]
pub struct DebugInfo {
    vmlinux: Option<PathBuf>,
    folder: Option<PathBuf>,
    modules: OnceCell<BTreeMap<String, Vec<PathBuf>>>,
    images: RefCell<HashMap<Option<String>, Option<Image>>>,
    source_folder: OnceCell<String>,
    complaints: RefCell<Vec<String>>,
}

impl DebugInfo {
    /// Of this `vmlinux`, with the modules below its folder.
    pub fn of_vmlinux(file: &Path) -> DebugInfo {
        let parent =
            file.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent });
        DebugInfo::new(Some(file.to_owned()), parent.map(Path::to_owned))
    }

    /// Of whatever is below a folder: `vmlinux*`, and `*.ko` with what packers and splitters put behind it.
    ///
    /// # Errors
    /// If the folder cannot be read, or has neither.
    pub fn in_folder(folder: &Path) -> Result<DebugInfo, DebugError> {
        fs::read_dir(folder).map_err(|source| DebugError::Read { path: folder.to_owned(), source })?;
        let (kernels, modules) = files(folder);
        // of several, such as a stripped one beside one that is not, the largest has the most
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |meta| meta.len());
        let vmlinux = kernels.into_iter().max_by_key(size);
        if vmlinux.is_none() && modules.is_empty() {
            return Err(DebugError::Empty(folder.to_owned()));
        }
        let found = DebugInfo::new(vmlinux, None);
        let _ = found.modules.set(modules);
        Ok(found)
    }

    /// With this `vmlinux` in the place of one that was found.
    pub fn with_vmlinux(self, file: &Path) -> DebugInfo {
        DebugInfo { vmlinux: Some(file.to_owned()), ..self }
    }

    fn new(vmlinux: Option<PathBuf>, folder: Option<PathBuf>) -> DebugInfo {
        DebugInfo {
            vmlinux,
            folder,
            modules: OnceCell::new(),
            images: RefCell::default(),
            source_folder: OnceCell::new(),
            complaints: RefCell::default(),
        }
    }

    /// The kernel's file.
    pub fn vmlinux(&self) -> Option<&Path> {
        self.vmlinux.as_deref()
    }

    /// Reads the kernel's file now.
    ///
    /// # Errors
    /// If it cannot be read, or has no debug information.
    pub fn load_vmlinux(&self) -> Result<(), DebugError> {
        if let Some(path) = &self.vmlinux {
            let image = load(path)?;
            self.images.borrow_mut().insert(None, Some(image));
        }
        Ok(())
    }

    /// The lines of a place, the innermost inlined function first; none where they are not known. The folder that the
    /// kernel was compiled in is left out of the files' names.
    pub fn lines(&self, place: &Place) -> Vec<Line> {
        let mut images = self.images.borrow_mut();
        let key = place.module.as_ref().map(|module| module.replace('-', "_"));
        let image = images.entry(key.clone()).or_insert_with(|| self.open(key.as_deref()));
        let Some(image) = image else { return Vec::new() };
        let lines = match image.lookup(place) {
            Ok(lines) => lines,
            Err(error) => {
                // one without a line is nothing to complain about: there are functions in assembly
                if !matches!(error, LookupError::NoLine { .. }) {
                    self.complain(match &place.module {
                        Some(module) => format!("no line in module {module}: {error}"),
                        None => format!("no line: {error}"),
                    });
                }
                return Vec::new();
            }
        };
        if place.module.is_some() {
            images.entry(None).or_insert_with(|| self.open(None));
        }
        let root = self.source_folder.get_or_init(|| {
            images.get(&None).and_then(Option::as_ref).map(Image::source_folder).unwrap_or_default()
        });
        let short = |line: Line| {
            let file = line.file.strip_prefix(root.as_str()).unwrap_or(&line.file);
            Line { file: tidy(file), ..line }
        };
        lines.into_iter().map(short).collect()
    }

    /// Why places had no lines, each reason once.
    pub fn complaints(&self) -> Vec<String> {
        self.complaints.borrow().clone()
    }

    fn complain(&self, text: String) {
        let mut complaints = self.complaints.borrow_mut();
        if !complaints.contains(&text) {
            complaints.push(text);
        }
    }

    fn open(&self, module: Option<&str>) -> Option<Image> {
        let candidates = match module {
            None => self.vmlinux.iter().cloned().collect(),
            Some(name) => {
                let all =
                    self.modules.get_or_init(|| self.folder.as_deref().map(files).unwrap_or_default().1);
                all.get(name).cloned().unwrap_or_default()
            }
        };
        let mut why = match module {
            None => "no lines of the kernel itself: no vmlinux was found".to_owned(),
            Some(name) => format!("no lines of module {name}: no file of it was found"),
        };
        for path in candidates {
            match load(&path) {
                Ok(image) => return Some(image),
                Err(error) => why = format!("no lines: {error}"),
            }
        }
        self.complain(why);
        None
    }
}

fn load(path: &Path) -> Result<Image, DebugError> {
    let failed = |source| DebugError::Read { path: path.to_owned(), source };
    let elf = read(path).map_err(failed)?;
    Image::from_bytes(&elf).map_err(|source| DebugError::Image { path: path.to_owned(), source })
}

/// The bytes of a file, which may be compressed. One that is not is mapped.
fn read(path: &Path) -> io::Result<Bytes> {
    let mut file = fs::File::open(path)?;
    if file.metadata()?.is_file() {
        let mapped = Bytes::map(&file)?;
        if Compression::of(&mapped).is_none() {
            return Ok(mapped);
        }
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    inflate(bytes).map(Bytes::from)
}

/// Names of the compiler go through folders and back (`fs/xfs/../libxfs/x.c`, `./include/x.h`).
fn tidy(file: &str) -> String {
    if !file.contains("./") {
        return file.to_owned();
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in file.split('/') {
        match part {
            "." => {}
            ".." if parts.last().is_some_and(|last| !last.is_empty() && *last != "..") => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Kernels and modules below a folder. Links to folders are not followed.
fn files(folder: &Path) -> (Vec<PathBuf>, BTreeMap<String, Vec<PathBuf>>) {
    let (mut kernels, mut modules) = (Vec::new(), BTreeMap::<String, Vec<PathBuf>>::new());
    let mut folders = vec![folder.to_owned()];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return (kernels, modules);
            }
            let path = entry.path();
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                folders.push(path);
                continue;
            }
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Some((module, rest)) = name.split_once(".ko")
                && (rest.is_empty() || rest.starts_with('.'))
            {
                modules.entry(module.replace('-', "_")).or_default().push(path);
            } else if is_kernel(&name) && fs::metadata(&path).is_ok_and(|meta| meta.is_file()) {
                kernels.push(path);
            }
        }
    }
    // the file that was split off has what the other lacks
    let is_split = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "debug");
    modules.values_mut().for_each(|paths| paths.sort_by_key(|path| (!is_split(path), path.clone())));
    kernels.sort();
    (kernels, modules)
}

fn is_kernel(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("vmlinux") else { return false };
    (rest.is_empty() || rest.starts_with(['-', '.']))
        && ![".o", ".a", ".lds", ".map", ".symvers", ".bin"].iter().any(|end| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_names() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "boot/vmlinux-6.12.1",
            "vmlinux.o",
            "vmlinux.lds",
            "lib/snd-hda.ko.xz",
            "lib/ext4.ko",
            "debug/ext4.ko.debug",
            "debug/x.komodo",
        ];
        for name in names {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        let (kernels, modules) = files(folder.path());
        let short = |path: &PathBuf| path.strip_prefix(folder.path()).unwrap().display().to_string();
        assert_eq!(kernels.iter().map(short).collect::<Vec<_>>(), ["boot/vmlinux-6.12.1"]);
        assert_eq!(modules.keys().collect::<Vec<_>>(), ["ext4", "snd_hda"]);
        assert_eq!(
            modules["ext4"].iter().map(short).collect::<Vec<_>>(),
            ["debug/ext4.ko.debug", "lib/ext4.ko"]
        );
        let empty = folder.path().join("none");
        fs::create_dir(&empty).unwrap();
        assert!(matches!(DebugInfo::in_folder(&empty), Err(DebugError::Empty(_))));
    }

    #[test]
    fn names_of_files_are_tidied() {
        let table = [
            ("fs/xfs/./xfs_trace.h", "fs/xfs/xfs_trace.h"),
            ("fs/xfs/../ext4/x.c", "fs/ext4/x.c"),
            ("../../x.c", "../../x.c"),
            ("/a/../../x.c", "/../x.c"),
            ("mm/util.c", "mm/util.c"),
        ];
        for (file, wanted) in table {
            assert_eq!(tidy(file), wanted);
        }
    }
}
