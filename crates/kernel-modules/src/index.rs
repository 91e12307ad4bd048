//! Makes a [`ModuleIndex`]: decompresses every module once, on all cores, and reads its `.modinfo`.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc;

use super::compression::inflate;
use super::modinfo::{self, builtin_aliases, normalise};
use super::tree::{IndexEntry, ModuleError, ModuleIndex};

/// One module on its way into the index.
pub struct Job {
    /// Path below `lib/modules/RELEASE/`.
    pub path: String,
    /// The file as found, compressed or not.
    pub bytes: Vec<u8>,
}

/// Whether a file below `lib/modules/RELEASE/` is a module.
pub fn is_module(path: &str) -> bool {
    [".ko", ".ko.xz", ".ko.zst", ".ko.gz"].iter().any(|suffix| path.ends_with(suffix))
}

/// Reads `modules.builtin` (one path a line) into `index`.
pub fn add_builtin(index: &mut ModuleIndex, modules_builtin: &str) {
    index.builtin.extend(modules_builtin.lines().filter_map(name_of_path));
}

/// Reads `modules.builtin.modinfo` into `index`.
pub fn add_builtin_modinfo(index: &mut ModuleIndex, file: &[u8]) {
    index.builtin_aliases.extend(builtin_aliases(file).into_iter().map(|(alias, _)| alias));
}

/// Where a module is kept: offset and bytes, as [`IndexEntry`] has them.
pub type Kept = (u64, u64);

/// Indexes the modules that `feed` hands over, for a kernel with this release. `feed` runs on the calling thread and
/// may read an archive meanwhile; `keep` puts a module where it will be read from later, on any thread. The error of
/// either ends the work.
pub fn index_modules<E: From<ModuleError> + Send>(
    release: &str,
    keep: &(dyn Fn(Vec<u8>) -> Result<Kept, E> + Sync),
    feed: impl FnOnce(&mut dyn FnMut(Job)) -> Result<(), E>,
) -> Result<BTreeMap<String, IndexEntry>, E> {
    let workers = std::thread::available_parallelism().map_or(1, |n| n.get()).min(8);
    let (sender, receiver) = mpsc::sync_channel::<Job>(64);
    let receiver = Mutex::new(receiver);
    let (found, fed) = std::thread::scope(|scope| {
        let work = || {
            let mut entries = Vec::new();
            let mut failure = None;
            loop {
                // the lock is held while waiting: the other workers would have to wait for the same job anyhow
                let Ok(job) = receiver.lock().recv() else {
                    break;
                };
                if failure.is_none() {
                    match entry(release, job, keep) {
                        Ok(entry) => entries.push(entry),
                        Err(error) => failure = Some(error),
                    }
                }
            }
            failure.map_or(Ok(entries), Err)
        };
        let handles: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        let fed = feed(&mut |job| {
            // the receiver outlives the workers, so sending cannot fail
            let _ = sender.send(job);
        });
        drop(sender);
        let found: Vec<_> = handles
            .into_iter()
            .map(|handle| handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect();
        (found, fed)
    });
    fed?;
    let mut modules = BTreeMap::new();
    for entries in found {
        modules.extend(entries?);
    }
    Ok(modules)
}

fn entry<E: From<ModuleError>>(
    release: &str,
    job: Job,
    keep: &(dyn Fn(Vec<u8>) -> Result<Kept, E> + Sync),
) -> Result<(String, IndexEntry), E> {
    let corrupt = |reason| ModuleError::Corrupt { path: job.path.clone(), reason };
    let elf = inflate(job.bytes.clone()).map_err(|error| corrupt(error.to_string()))?;
    let mut info = modinfo::read(&elf).map_err(corrupt)?;
    drop(elf);
    let built_for = info.vermagic.as_deref().and_then(|magic| magic.split_whitespace().next());
    if let Some(found) = built_for.filter(|found| *found != release) {
        let (found, expected) = (found.to_string(), release.to_string());
        return Err(ModuleError::OtherRelease { path: job.path, found, expected }.into());
    }
    let name = match info.name.take().or_else(|| name_of_path(&job.path)) {
        Some(name) => name,
        None => return Err(corrupt("it has no name".to_string()).into()),
    };
    let (offset, length) = keep(job.bytes)?;
    Ok((name, IndexEntry { path: job.path, offset, length, info }))
}

/// `kernel/drivers/block/null-blk.ko.xz` is `null_blk`.
fn name_of_path(path: &str) -> Option<String> {
    let file = path.trim().rsplit('/').next()?;
    let name = file.split(".ko").next()?;
    (!name.is_empty()).then(|| normalise(name))
}

/// Indexes a `lib/modules/RELEASE` folder.
pub fn index_folder(release: &str, folder: &Path) -> Result<ModuleIndex, ModuleError> {
    let mut index = ModuleIndex { release: release.to_string(), ..ModuleIndex::default() };
    if let Ok(text) = std::fs::read_to_string(folder.join("modules.builtin")) {
        add_builtin(&mut index, &text);
    }
    if let Ok(file) = std::fs::read(folder.join("modules.builtin.modinfo")) {
        add_builtin_modinfo(&mut index, &file);
    }
    let in_place = |bytes: Vec<u8>| Ok((0, bytes.len() as u64));
    index.modules = index_modules(release, &in_place, |submit| walk(folder, folder, submit))?;
    Ok(index)
}

/// Hands over every module below `folder`. Symbolic links, such as `build`, are not followed.
fn walk(root: &Path, folder: &Path, submit: &mut dyn FnMut(Job)) -> Result<(), ModuleError> {
    let io = |source| ModuleError::Io { path: folder.to_path_buf(), source };
    for item in std::fs::read_dir(folder).map_err(io)? {
        let item = item.map_err(io)?;
        let path = item.path();
        let kind = item.file_type().map_err(io)?;
        if kind.is_dir() {
            walk(root, &path, submit)?;
            continue;
        }
        let Some(in_tree) = path.strip_prefix(root).ok().and_then(Path::to_str) else { continue };
        if kind.is_file() && is_module(in_tree) {
            let bytes =
                std::fs::read(&path).map_err(|source| ModuleError::Io { path: path.clone(), source })?;
            submit(Job { path: in_tree.to_string(), bytes });
        }
    }
    Ok(())
}
