//! What a build was made from, and what its compiler warned of: read from the files that kbuild leaves beside the objects, and
//! from the log.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{BuildError, BuildRequest, Builder, log_of, output_of};

/// Endings of files that a compiler reads.
const SOURCES: [&str; 6] = [".c", ".h", ".S", ".rs", ".dts", ".dtsi"];

impl Builder {
    /// The files of the source, by their paths in it, that the objects of a request's build folder were made from. kbuild
    /// keeps them in a `.NAME.cmd` beside each object (kernel documentation, `kbuild/kbuild`). Empty where that is not known.
    ///
    /// # Errors
    /// The source or the configuration cannot be read.
    pub fn made_from(&self, request: &BuildRequest) -> Result<BTreeSet<String>, BuildError> {
        let composed = self.composed(&request.config, request.arch)?;
        let place = self.places().join(self.identify(&request.source)?.place);
        let tree = place.join("tree");
        let mut found = BTreeSet::new();
        let mut folders = vec![output_of(request, &place, &tree, &composed.text())];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                if is_folder {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "cmd") {
                    take(&path, &tree, &mut found);
                }
            }
        }
        Ok(found)
    }

    /// The warnings of the compiler in a request's last build, each once, without the numbers of lines and columns, so that a
    /// patch that moves them brings no new one.
    ///
    /// # Errors
    /// The source cannot be read.
    pub fn warnings(&self, request: &BuildRequest) -> Result<Vec<String>, BuildError> {
        let place = self.places().join(self.identify(&request.source)?.place);
        let log = fs::read(log_of(request, &place)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let found: BTreeSet<String> = log.lines().filter_map(warning).collect();
        Ok(found.into_iter().collect())
    }
}

/// Takes in the files that one object was made from.
fn take(path: &Path, tree: &Path, found: &mut BTreeSet<String>) {
    let below = format!("{}/", tree.display());
    let text = fs::read(path).unwrap_or_default();
    for word in String::from_utf8_lossy(&text).split_ascii_whitespace() {
        // from 6.13 on the paths of a tree beside the build folder are relative
        let inside = word.strip_prefix(&below).or_else(|| word.split_once("../tree/").map(|(_, rest)| rest));
        if let Some(file) = inside.filter(|file| SOURCES.iter().any(|ending| file.ends_with(ending))) {
            found.insert(file.to_owned());
        }
    }
}

/// A line of a log that is a warning.
fn warning(line: &str) -> Option<String> {
    let (place, text) = line.split_once(": warning: ")?;
    let place = place.rsplit_once("/tree/").map_or(place, |(_, rest)| rest);
    let file = place.split(':').next().unwrap_or(place);
    Some(format!("{file}: {}", text.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_the_same_wherever_it_stands() {
        let table = [
            (
                "/c/build/git-1/tree/fs/x.c:7:9: warning: unused variable 'a' [-Wunused-variable]",
                Some("fs/x.c: unused variable 'a' [-Wunused-variable]"),
            ),
            (
                "fs/x.c:8: warning: label 'out' defined but not used",
                Some("fs/x.c: label 'out' defined but not used"),
            ),
            ("fs/x.c:8:1: error: x", None),
            ("  CC      fs/x.o", None),
        ];
        for (line, expected) in table {
            assert_eq!(warning(line).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn the_files_of_an_object_are_those_of_the_tree() {
        let folder = tempfile::tempdir().unwrap();
        let cmd = folder.path().join(".x.o.cmd");
        let text = "savedcmd_fs/x.o := gcc -c -o fs/x.o /c/tree/fs/x.c\n\nsource_fs/x.o := /c/tree/fs/x.c\n\ndeps_fs/x.o := \\\n    $(wildcard include/config/X) \\\n  /c/tree/include/linux/fs.h \\\n  include/generated/autoconf.h \\\n  ../tree/mm/internal.h \\\n";
        fs::write(&cmd, text).unwrap();
        let mut found = BTreeSet::new();
        take(&cmd, Path::new("/c/tree"), &mut found);
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["fs/x.c", "include/linux/fs.h", "mm/internal.h"]);
    }
}
