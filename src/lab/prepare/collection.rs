//! Programs out of a collection's source tree, built where a test first needs them.
//!
//! The user's tree is only read. What is built lies in the cache below a digest of the sources, so that a change of them is
//! built anew and nothing else is. One process builds in a folder at a time; a build that was killed is begun again.

mod headers;
mod kept;
mod place;
mod recipe;
mod sources;
mod whole;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::read::elf::{ElfFile32, ElfFile64, FileHeader, ProgramHeader};

pub use self::kept::{KeptCollection, kept_collections, remove_collection, sweep_collections};
use self::place::Place;
use self::sources::Sources;
use super::PrepareError;
use crate::cancel::Cancel;
use crate::suite::{Collection, CollectionProgram, Installed};

/// What was built.
#[derive(Debug)]
pub(super) struct Built {
    /// The program itself, in the cache.
    pub program: PathBuf,
    /// What lies beside it in the guest, by name.
    pub beside: BTreeMap<String, PathBuf>,
}

/// Builds a program and what is to lie beside it, or finds both in the cache. Without `libraries` in the guest it must be
/// static.
///
/// # Errors
/// The tree cannot be read, a tool is missing, or the compiler refused; with the tool's own words.
pub(super) fn build(
    wanted: &CollectionProgram<'_>,
    compiler: &str,
    libraries: bool,
    cache: &Path,
    cancel: &Cancel,
) -> Result<Built, PrepareError> {
    let sources = Sources::of(wanted.collection, wanted.tree, wanted.program)?;
    let place = Place::of(cache, wanted.collection, &sources, compiler)?;
    kept::mark_used(&place.folder);
    let folder = wanted.program.parent().unwrap_or(Path::new(""));
    let mut paths = vec![wanted.program.to_owned()];
    paths.extend(wanted.beside.iter().map(|name| folder.join(name)));
    if !paths.iter().all(|path| place.built(path).is_file()) {
        let headers = match wanted.collection {
            Collection::Kselftest => headers::of(wanted.tree, compiler, cache, cancel)?,
            Collection::Ltp | Collection::Xfstests | Collection::Blktests => None,
        };
        let lock = place.lock(cancel)?;
        recipe::make(wanted, compiler, &paths, &sources, headers.as_deref(), &place, cancel)?;
        drop(lock);
    }
    let program = place.built(wanted.program);
    let contents = std::fs::read(&program).map_err(PrepareError::io(&program))?;
    if !libraries && is_dynamic(&contents) {
        return Err(PrepareError::NotStatic { program: wanted.program.display().to_string() });
    }
    let beside = paths.iter().skip(1).map(|path| (file_name(path), place.built(path))).collect();
    Ok(Built { program, beside })
}

/// Builds a collection as a whole, or finds it in the cache: the folder that is put into a userland. `development` unpacks
/// the packages of Debian that it is built with into a folder.
///
/// # Errors
/// As [`build`].
pub(super) fn install(
    wanted: &Installed<'_>,
    compiler: &str,
    development: &whole::Development<'_>,
    cache: &Path,
    cancel: &Cancel,
) -> Result<PathBuf, PrepareError> {
    let sources = Sources::of(wanted.collection, wanted.tree, Path::new(""))?;
    let place = Place::of(cache, wanted.collection, &sources, compiler)?;
    let installed = place.folder.join(whole::INSTALLED);
    if !installed.is_dir() {
        let lock = place.lock(cancel)?;
        whole::make(wanted.collection, compiler, &sources, &place, development, cancel)?;
        drop(lock);
    }
    Ok(installed)
}

/// A digest of all that a program of this tree is built from; empty where the tree cannot be read.
pub(crate) fn digest(collection: Collection, tree: &Path, program: &Path) -> String {
    Sources::of(collection, tree, program).map_or_else(|_| String::new(), |sources| sources.digest)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether an ELF file asks for a dynamic loader. What is no ELF file is a script.
pub(crate) fn is_dynamic(contents: &[u8]) -> bool {
    fn asks<H: FileHeader<Endian = object::Endianness>>(
        endian: object::Endianness,
        headers: &[H::ProgramHeader],
    ) -> bool {
        headers.iter().any(|header| header.p_type(endian) == object::elf::PT_INTERP)
    }
    type Header64 = object::elf::FileHeader64<object::Endianness>;
    type Header32 = object::elf::FileHeader32<object::Endianness>;
    if let Ok(file) = ElfFile64::<object::Endianness>::parse(contents) {
        return asks::<Header64>(file.endian(), file.elf_program_headers());
    }
    ElfFile32::<object::Endianness>::parse(contents)
        .is_ok_and(|file| asks::<Header32>(file.endian(), file.elf_program_headers()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tree with LTP's layout, whose `configure` and Makefiles are our own.
    fn tree(folder: &Path) -> PathBuf {
        let tree = folder.join("ltp");
        let write = |path: &str, text: &str| {
            let path = tree.join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("configure", "#!/bin/sh\necho configured >> ../count\necho \"$2\n$3\" > flags.mk\n");
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(tree.join("configure"), std::fs::Permissions::from_mode(0o755)).unwrap();
        write("lib/Makefile", "libltp.a:\n");
        write("libs/Makefile", "all:\n");
        write("testcases/a/Makefile", "include ../../flags.mk\n%: %.c\n\t$(CC) $(LDFLAGS) -o $@ $<\n");
        write("testcases/a/one.c", "int main(void) { return 0; }\n");
        write("testcases/a/two.c", "int main(void) { return undeclared; }\n");
        write("testcases/a/data", "text\n");
        tree
    }

    fn built(tree: &Path, program: &str, beside: &[String], cache: &Path) -> Result<Built, String> {
        let wanted =
            CollectionProgram { collection: Collection::Ltp, tree, program: Path::new(program), beside };
        build(&wanted, "cc", false, cache, &Cancel::new()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_tree_is_configured_once_and_only_read() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, cache) = (tree(folder.path()), folder.path().join("cache"));
        let first = built(&tree, "testcases/a/one", &["data".to_owned()], &cache).unwrap();
        assert!(std::fs::read(&first.program).unwrap().starts_with(b"\x7fELF"));
        assert_eq!(std::fs::read_to_string(&first.beside["data"]).unwrap(), "text\n");
        let error = built(&tree, "testcases/a/two", &[], &cache).unwrap_err();
        assert!(error.contains("testcases/a/two") && error.contains("undeclared"), "{error}");
        // after an error nothing of the tree is lost
        built(&tree, "testcases/a/one", &[], &cache).unwrap();
        let places: Vec<PathBuf> = std::fs::read_dir(cache.join("collections"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.is_dir())
            .collect();
        assert_eq!(places.len(), 1);
        assert_eq!(std::fs::read_to_string(places[0].join("count")).unwrap(), "configured\n");
        assert!(!tree.join("testcases/a/one").exists());

        // sources that cannot be configured are refused once and for all in a run
        let configure = tree.join("configure");
        let sound = std::fs::read(&configure).unwrap();
        std::fs::write(&configure, "#!/bin/sh\necho tried >> ../tries\nexit 1\n").unwrap();
        for program in ["testcases/a/one", "testcases/a/data"] {
            built(&tree, program, &[], &cache).unwrap_err();
        }
        let tries = std::fs::read_dir(cache.join("collections")).unwrap().flatten();
        let tries: Vec<String> =
            tries.filter_map(|entry| std::fs::read_to_string(entry.path().join("tries")).ok()).collect();
        assert_eq!(tries, ["tried\n"]);
        std::fs::write(&configure, sound).unwrap();

        // a change of the sources is another build
        std::fs::write(tree.join("testcases/a/two.c"), "int main(void) { return 0; }\n").unwrap();
        built(&tree, "testcases/a/two", &[], &cache).unwrap();
    }

    #[test]
    fn dynamic_programs_are_told_from_static_ones() {
        assert!(!is_dynamic(b"#!/bin/sh\n"));
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("x.c");
        std::fs::write(&source, "int main(void) { return 0; }\n").unwrap();
        for (flag, dynamic) in [("-static", false), ("-no-pie", true)] {
            let out = folder.path().join(flag);
            let status = std::process::Command::new("cc").args([flag, "-o"]).args([&out, &source]).status();
            assert!(status.unwrap().success());
            assert_eq!(is_dynamic(&std::fs::read(&out).unwrap()), dynamic, "{flag}");
        }
    }
}
