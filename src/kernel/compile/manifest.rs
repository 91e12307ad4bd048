//! What a source folder of the user's holds, as one hash.
//!
//! A file's hash is computed anew when its size or one of its times differs from the last look; a tree of 80,000 files is
//! read whole once and then only looked over.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::kernel::store::{measure, sha256, write_whole};

/// Every file below a folder, with its hash.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Size, seconds and nanoseconds of the last change of contents, the same of the last change of anything.
    seen: (u64, i64, i64, i64, i64),
    /// Hash of the contents, or where a symbolic link leads.
    contents: String,
}

impl Manifest {
    /// Looks at a folder, with what the last look wrote to `kept`.
    pub(super) fn of(folder: &Path, kept: &Path) -> io::Result<Manifest> {
        let before: Manifest =
            fs::read(kept).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
        let mut now = Manifest::default();
        walk(folder, "", &before, &mut now)?;
        if now != before {
            if let Some(parent) = kept.parent() {
                fs::create_dir_all(parent)?;
            }
            write_whole(kept, &serde_json::to_vec(&now).map_err(io::Error::other)?)?;
        }
        Ok(now)
    }

    /// One hash for names and contents of all files.
    pub(super) fn digest(&self) -> String {
        let lines: String =
            self.files.iter().map(|(name, entry)| format!("{name}\0{}\n", entry.contents)).collect();
        sha256(lines.as_bytes())
    }

    /// Makes `copy`, which was made by this function before or is empty, the same as `folder`. Files that are the same
    /// already are not touched, so that make sees which ones have changed.
    pub(super) fn mirror(&self, folder: &Path, copy: &Path, kept: &Path) -> io::Result<()> {
        let there = match copy.is_dir() {
            true => Manifest::of(copy, kept)?,
            false => Manifest::default(),
        };
        for (name, entry) in &self.files {
            if there.files.get(name).is_some_and(|there| there.contents == entry.contents) {
                continue;
            }
            let (from, to) = (folder.join(name), copy.join(name));
            fs::create_dir_all(to.parent().unwrap_or(copy))?;
            let _ = fs::remove_file(&to);
            match entry.contents.strip_prefix("-> ") {
                Some(target) => std::os::unix::fs::symlink(target, &to)?,
                None => {
                    fs::copy(&from, &to)?;
                }
            }
        }
        for name in there.files.keys().filter(|name| !self.files.contains_key(*name)) {
            fs::remove_file(copy.join(name))?;
        }
        Ok(())
    }
}

fn walk(root: &Path, below: &str, before: &Manifest, now: &mut Manifest) -> io::Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let file = entry.file_name();
        // no file of a kernel's source has such a name
        let Some(file) = file.to_str() else { continue };
        if below.is_empty() && file == ".git" {
            continue;
        }
        let name = if below.is_empty() { file.to_string() } else { format!("{below}/{file}") };
        let meta = entry.metadata()?;
        if meta.is_dir() {
            walk(root, &name, before, now)?;
            continue;
        }
        let seen = (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec());
        let contents = match before.files.get(&name) {
            Some(known) if known.seen == seen => known.contents.clone(),
            _ if meta.is_symlink() => format!("-> {}", fs::read_link(entry.path())?.display()),
            _ if meta.is_file() => {
                let runs = meta.permissions().mode() & 0o100 != 0;
                format!("{}{}", measure(&entry.path())?.sha256, if runs { " x" } else { "" })
            }
            _ => continue,
        };
        now.files.insert(name, Entry { seen, contents });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contents_count_and_times_do_not() {
        let root = tempfile::tempdir().expect("a temporary folder");
        let (folder, kept) = (root.path().join("linux"), root.path().join("kept.json"));
        fs::create_dir_all(folder.join("fs")).expect("it is writable");
        fs::create_dir_all(folder.join(".git")).expect("it is writable");
        let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("it is writable");
        write("Makefile", "all:\n");
        write("fs/x.c", "one");
        let digest = || Manifest::of(&folder, &kept).expect("it is readable").digest();
        let first = digest();
        write(".git/index", "x");
        write("fs/x.c", "one");
        assert_eq!(digest(), first);
        write("fs/x.c", "two");
        let second = digest();
        assert_ne!(second, first);
        std::os::unix::fs::symlink("x.c", folder.join("fs/y.c")).expect("a link can be made");
        let third = digest();
        assert_ne!(third, second);

        let (copy, of_copy) = (root.path().join("copy"), root.path().join("copy.json"));
        let now = Manifest::of(&folder, &kept).expect("it is readable");
        now.mirror(&folder, &copy, &of_copy).expect("it is writable");
        let before = fs::metadata(copy.join("Makefile")).expect("it is there").modified().expect("a time");
        assert_eq!(Manifest::of(&copy, &of_copy).expect("it is readable").digest(), third);
        fs::remove_file(folder.join("fs/y.c")).expect("it is there");
        write("fs/x.c", "three");
        let now = Manifest::of(&folder, &kept).expect("it is readable");
        now.mirror(&folder, &copy, &of_copy).expect("it is writable");
        assert_eq!(Manifest::of(&copy, &of_copy).expect("it is readable").digest(), now.digest());
        let after = fs::metadata(copy.join("Makefile")).expect("it is there").modified().expect("a time");
        assert_eq!(before, after, "what has not changed is not touched");
    }
}
