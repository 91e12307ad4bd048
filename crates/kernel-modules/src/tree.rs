//! A kernel's modules: which exist, in which order they load, and their contents.
//!
//! Distribution packages carry no `modules.dep` (depmod makes it at installation), so everything is read from the
//! modules' own `.modinfo` once and kept as an index.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::compression::inflate;
use super::modinfo::{ModInfo, normalise};

/// What a kernel has under a module's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModuleState {
    /// Compiled into the kernel.
    Builtin,
    /// A file that can be loaded.
    Loadable,
    /// Neither.
    Missing,
    /// Nothing is known about this kernel's modules (a local image without `--modules`).
    Unknown,
}

/// One loadable module.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleFile {
    /// Its name in the kernel's spelling (`null_blk`, never `null-blk`).
    pub name: String,
    /// Where it is below `lib/modules/RELEASE/`: `kernel/fs/ext4/ext4.ko.xz`.
    pub path_in_tree: String,
    /// Whether it is only wished for: a soft dependency, or one of several modules of one alias. As with `modprobe(8)`, the
    /// load goes on where this one does not load, such as a driver of hardware that is not there.
    pub optional: bool,
}

/// Why modules are unavailable.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// This kernel has no such module.
    #[error("{release} has no module `{name}`, neither built in nor loadable{hint}")]
    Missing {
        /// The module that was asked for.
        name: String,
        /// The kernel's release.
        release: String,
        /// Similar names, or nothing.
        hint: String,
    },
    /// Nothing is known about this kernel's modules.
    #[error(
        "module `{name}` is needed, but nothing is known about the modules of {release}; give their folder with --modules DIR"
    )]
    Unknown {
        /// The module that was asked for.
        name: String,
        /// The kernel's release.
        release: String,
    },
    /// A module names a dependency that the kernel does not have.
    #[error(
        "module `{name}` of {release} depends on `{dependency}`, which is neither built in nor loadable; the module tree is incomplete"
    )]
    Dependency {
        /// The module with the dependency.
        name: String,
        /// What it depends on.
        dependency: String,
        /// The kernel's release.
        release: String,
    },
    /// A module was built for another kernel.
    #[error(
        "module `{path}` was built for {found}, the kernel is {expected}; give the modules folder of this kernel"
    )]
    OtherRelease {
        /// The module's file.
        path: String,
        /// The release in its vermagic.
        found: String,
        /// The kernel's release.
        expected: String,
    },
    /// A module's file is damaged.
    #[error("module `{path}` is corrupt: {reason}; fetch the kernel again")]
    Corrupt {
        /// The module's file.
        path: String,
        /// What was found.
        reason: String,
    },
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// Where a module's bytes are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IndexEntry {
    /// Path below `lib/modules/RELEASE/`.
    pub path: String,
    /// Offset in the pack; 0 in a folder.
    #[serde(default)]
    pub offset: u64,
    /// Bytes, as stored.
    pub length: u64,
    /// What the module says about itself.
    #[serde(flatten)]
    pub info: ModInfo,
}

/// Everything that is known about a kernel's modules without opening one.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ModuleIndex {
    /// The kernel's release, which the modules were checked against.
    pub release: String,
    /// Names of built-in modules.
    pub builtin: BTreeSet<String>,
    /// Other names of built-in modules.
    pub builtin_aliases: BTreeSet<String>,
    /// Loadable modules by name.
    pub modules: BTreeMap<String, IndexEntry>,
}

#[derive(Debug, Clone)]
enum Body {
    Unknown,
    /// One file with all modules one after the other.
    Pack(PathBuf),
    /// A `lib/modules/RELEASE` folder.
    Folder(PathBuf),
}

/// An order of modules while it is made.
#[derive(Default)]
struct Order {
    files: Vec<ModuleFile>,
    seen: BTreeSet<String>,
    /// Seen, and not among the files yet.
    unfinished: BTreeSet<String>,
    /// Wished for, and dependent on an unfinished one.
    waiting: Vec<String>,
}

/// The modules of one kernel.
#[derive(Debug, Clone)]
pub struct ModuleTree {
    index: ModuleIndex,
    aliases: BTreeMap<String, Vec<String>>,
    body: Body,
}

impl ModuleTree {
    /// The tree of a kernel about whose modules nothing is known.
    pub fn unknown(release: impl Into<String>) -> Self {
        let index = ModuleIndex { release: release.into(), ..ModuleIndex::default() };
        ModuleTree { index, aliases: BTreeMap::new(), body: Body::Unknown }
    }

    /// A tree of built-in modules only.
    #[cfg(any(test, feature = "fixtures"))]
    pub fn of_builtin(release: &str, names: &[&str]) -> Self {
        let builtin = names.iter().map(|name| normalise(name)).collect();
        let index = ModuleIndex { release: release.into(), builtin, ..ModuleIndex::default() };
        Self::new(index, Body::Folder(PathBuf::new()))
    }

    /// The modules of this index, whose bytes are in the file `pack`, where the index says.
    pub fn packed(index: ModuleIndex, pack: &Path) -> Self {
        Self::new(index, Body::Pack(pack.to_path_buf()))
    }

    /// The modules of this index, whose files are in `folder`, a `lib/modules/RELEASE`.
    pub fn in_folder(index: ModuleIndex, folder: &Path) -> Self {
        Self::new(index, Body::Folder(folder.to_path_buf()))
    }

    fn new(index: ModuleIndex, body: Body) -> Self {
        let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, entry) in &index.modules {
            for alias in &entry.info.aliases {
                aliases.entry(alias.clone()).or_default().push(name.clone());
            }
        }
        ModuleTree { index, aliases, body }
    }

    /// Everything that is known of them.
    pub(crate) fn index(&self) -> &ModuleIndex {
        &self.index
    }

    /// The release of their kernel.
    pub fn release(&self) -> &str {
        &self.index.release
    }

    /// How many loadable modules there are.
    pub fn len(&self) -> usize {
        self.index.modules.len()
    }

    /// The names of the loadable modules, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.modules.keys().map(String::as_str)
    }

    /// Whether there is no loadable module.
    pub fn is_empty(&self) -> bool {
        self.index.modules.is_empty()
    }

    /// What this kernel has under `name`; `-` and `_` are the same, an alias such as `fs-cifs` is a name too.
    pub fn find(&self, name: &str) -> ModuleState {
        if matches!(self.body, Body::Unknown) {
            return ModuleState::Unknown;
        }
        let name = normalise(name);
        if self.index.builtin.contains(&name) || self.index.builtin_aliases.contains(&name) {
            ModuleState::Builtin
        } else if self.index.modules.contains_key(&name) || self.aliases.contains_key(&name) {
            ModuleState::Loadable
        } else {
            ModuleState::Missing
        }
    }

    /// The files to load, dependencies first, so that all of `names` are there afterwards. Built-in ones need none.
    pub fn load_order(&self, names: &[&str]) -> Result<Vec<ModuleFile>, ModuleError> {
        let mut order = Order::default();
        for name in names {
            match self.find(name) {
                ModuleState::Builtin => {}
                ModuleState::Loadable => {
                    for module in self.called(&normalise(name)) {
                        self.visit(module, &mut order)?;
                    }
                }
                ModuleState::Missing => {
                    return Err(ModuleError::Missing {
                        name: (*name).to_string(),
                        release: self.index.release.clone(),
                        hint: self.similar(&normalise(name)),
                    });
                }
                ModuleState::Unknown => {
                    let (name, release) = ((*name).to_string(), self.index.release.clone());
                    return Err(ModuleError::Unknown { name, release });
                }
            }
        }
        let required = self.required(names);
        for file in &mut order.files {
            file.optional = !required.contains(&file.name);
        }
        Ok(order.files)
    }

    /// The loadable modules that a name or an alias stands for.
    fn called<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        match self.aliases.get(name).filter(|_| !self.index.modules.contains_key(name)) {
            Some(modules) => modules.iter().map(String::as_str).collect(),
            None => vec![name],
        }
    }

    /// Those of the loadable modules without which one of `names` cannot be there.
    fn required(&self, names: &[&str]) -> BTreeSet<String> {
        let mut required = BTreeSet::new();
        let mut waiting: Vec<String> = names.iter().map(|name| normalise(name)).collect();
        while let Some(name) = waiting.pop() {
            if self.find(&name) != ModuleState::Loadable {
                continue;
            }
            if let [module] = self.called(&name)[..]
                && required.insert(module.to_string())
            {
                waiting.extend(self.index.modules[module].info.depends.iter().cloned());
            }
        }
        required
    }

    /// Adds the module `name`, which is loadable, after all that it needs.
    fn visit(&self, name: &str, order: &mut Order) -> Result<(), ModuleError> {
        // a cycle, which only soft dependencies can have, ends here
        if !order.seen.insert(name.to_string()) {
            return Ok(());
        }
        let entry = &self.index.modules[name];
        order.unfinished.insert(name.to_string());
        self.wish(&entry.info.before, order)?;
        for dependency in &entry.info.depends {
            match self.find(dependency) {
                ModuleState::Builtin => {}
                ModuleState::Loadable => {
                    for module in self.called(dependency) {
                        self.visit(module, order)?;
                    }
                }
                ModuleState::Missing | ModuleState::Unknown => {
                    return Err(ModuleError::Dependency {
                        name: name.to_string(),
                        dependency: dependency.clone(),
                        release: self.index.release.clone(),
                    });
                }
            }
        }
        let path_in_tree = entry.path.clone();
        order.files.push(ModuleFile { name: name.to_string(), path_in_tree, optional: false });
        order.unfinished.remove(name);
        self.wish(&entry.info.after, order)?;
        let waiting = std::mem::take(&mut order.waiting);
        self.wish(&waiting, order)
    }

    /// Adds what is only wished for. One that needs a module which has yet to be added cannot come before it, even if
    /// that is the wish (`crypto_algapi` wishes for `cryptomgr`, which needs it): it waits.
    fn wish(&self, wanted: &[String], order: &mut Order) -> Result<(), ModuleError> {
        for soft in wanted.iter().filter(|soft| self.find(soft) == ModuleState::Loadable) {
            for module in self.called(soft) {
                let needed = self.required(&[module]);
                match needed.iter().any(|needed| order.unfinished.contains(needed)) {
                    true => order.waiting.push(module.to_string()),
                    false => self.visit(module, order)?,
                }
            }
        }
        Ok(())
    }

    /// The module's uncompressed ELF bytes, whether it is stored as it is or in any [`Compression`](super::compression::Compression).
    pub fn read(&self, file: &ModuleFile) -> Result<Vec<u8>, ModuleError> {
        let release = || self.index.release.clone();
        let entry = self.index.modules.get(&file.name).ok_or_else(|| ModuleError::Missing {
            name: file.name.clone(),
            release: release(),
            hint: String::new(),
        })?;
        let bytes = match &self.body {
            Body::Unknown => {
                return Err(ModuleError::Unknown { name: file.name.clone(), release: release() });
            }
            Body::Folder(folder) => {
                let path = folder.join(&entry.path);
                std::fs::read(&path).map_err(|source| ModuleError::Io { path, source })?
            }
            Body::Pack(pack) => {
                let io = |source| ModuleError::Io { path: pack.clone(), source };
                let mut bytes = vec![0; entry.length as usize];
                File::open(pack).map_err(io)?.read_exact_at(&mut bytes, entry.offset).map_err(io)?;
                bytes
            }
        };
        let elf = inflate(bytes)
            .map_err(|error| ModuleError::Corrupt { path: entry.path.clone(), reason: error.to_string() })?;
        if !elf.starts_with(b"\x7fELF") {
            return Err(ModuleError::Corrupt {
                path: entry.path.clone(),
                reason: "no ELF file in it".to_string(),
            });
        }
        Ok(elf)
    }

    /// Names that could have been meant, as the end of a message.
    fn similar(&self, name: &str) -> String {
        let known = self.index.modules.keys().chain(&self.index.builtin);
        match crate::closest(name, known.map(String::as_str)) {
            Some(closest) => format!("; did you mean `{closest}`?"),
            None => String::new(),
        }
    }
}

#[cfg(test)]
mod tests;
