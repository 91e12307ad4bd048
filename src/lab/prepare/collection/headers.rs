//! The headers of a kernel's source that its selftests are compiled with: what `make headers` makes, once for each source.
//! The host's own are those of another kernel, and lack what newer selftests call.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place::Place;
use super::recipe::{self, copy, found};
use super::sources::Sources;
use crate::arch::{ARCHES, Arch, GUEST};
use crate::cancel::Cancel;
use crate::kernel::{HEADERS, HEADERS_OF_ARCHITECTURE};
use crate::lab::prepare::{PrepareError, search_path, step};
use crate::suite::{Collection, PrepareStep};

/// Their folder.
const INCLUDE: &str = "include";

/// How long a thousand files may take.
const TIME: Duration = Duration::from_secs(600);

/// A folder with the headers of this tree, for the compiler's architecture; `None` where the tree has them made already, or
/// has nothing to make them from.
///
/// # Errors
/// The tree cannot be read, or its makefiles refuse; with make's own words.
pub(super) fn of(
    tree: &Path,
    compiler: &str,
    cache: &Path,
    cancel: &Cancel,
) -> Result<Option<PathBuf>, PrepareError> {
    let arch = target(compiler);
    let is_there = |path: &str| tree.join(path).is_dir();
    if is_there("usr/include/linux") || !uapi(arch).iter().all(|part| tree.join(part).is_dir()) {
        return Ok(None);
    }
    let sources = Sources::of_parts(tree, &parts(arch))?;
    let place = Place::of(cache, Collection::Kselftest, &sources, compiler)?;
    super::kept::mark_used(&place.folder);
    let include = place.folder.join(INCLUDE);
    if !include.is_dir() {
        let lock = place.lock(cancel)?;
        make(arch, &sources, &place, cancel)?;
        drop(lock);
    }
    Ok(Some(include))
}

/// The parts of a tree that they are made of, for each architecture here.
pub(super) fn of_any_architecture() -> Vec<PathBuf> {
    let mut parts: Vec<PathBuf> = ARCHES.iter().flat_map(|arch| uapi(arch)).collect();
    parts.dedup();
    parts
}

fn uapi(arch: &Arch) -> [PathBuf; 2] {
    ["include/uapi".into(), Path::new("arch").join(arch.source).join("include/uapi")]
}

fn parts(arch: &Arch) -> Vec<PathBuf> {
    let own = HEADERS_OF_ARCHITECTURE.iter().map(|part| Path::new("arch").join(arch.source).join(part));
    HEADERS.iter().map(PathBuf::from).chain(own).collect()
}

/// The architecture that the compiler compiles for.
fn target(compiler: &str) -> &'static Arch {
    let triplet = duct::cmd!(compiler, "-dumpmachine").stderr_null().read().unwrap_or_default();
    let cpu = |triplet: &str| triplet.split('-').next().unwrap_or_default().to_owned();
    ARCHES.iter().copied().find(|arch| cpu(arch.triplet) == cpu(&triplet)).unwrap_or(GUEST)
}

/// Makes them in the place that the caller has locked, of a copy: a tree that was built in place would be refused.
fn make(arch: &Arch, sources: &Sources, place: &Place, cancel: &Cancel) -> Result<(), PrepareError> {
    const MADE: &str = "made";
    if place.folder.join(INCLUDE).is_dir() {
        return Ok(());
    }
    let path = &search_path();
    let output = "the kernel's headers".to_owned();
    if let Some(tool) = ["make", "cc"].into_iter().find(|tool| !found(tool, path)) {
        return Err(PrepareError::MissingTool { tool: tool.to_owned(), output });
    }
    let tree = place.folder.join("tree");
    // what runs here is made by the host's own compiler
    let shell = format!(
        "make -s -j\"$(nproc)\" -C tree HOSTCC=cc ARCH={} headers\nmv tree/usr/include {INCLUDE}\n: > {MADE}\n",
        arch.make
    );
    let step =
        PrepareStep { shell, output: MADE.to_owned(), tools: Vec::new(), inputs: Vec::new(), timeout: TIME };
    recipe::once(place, || {
        copy(sources, &tree)?;
        step::run(&step, &place.folder, path, cancel)
    })?;
    fs::remove_dir_all(&tree).map_err(PrepareError::io(&tree))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::CollectionProgram;

    /// A tree with a kernel's layout, whose makefiles are our own.
    fn tree(folder: &Path) -> PathBuf {
        let tree = folder.join("linux");
        let write = |path: &str, text: &str| {
            let path = tree.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let (copied, built) = ("include/uapi arch/$(SRCARCH)/include/uapi", "$(OUTPUT)/one: one.c");
        write(
            "Makefile",
            &format!(
                "SRCARCH := $(patsubst x86_64,x86,$(ARCH))\nheaders:\n\techo made >> ../count\n\tmkdir -p usr/include\n\tfor part in {copied}; do cp -R $$part/. usr/include; done\n"
            ),
        );
        write("include/uapi/linux/newer.h", "#define NEWER 1\n");
        for arch in ARCHES {
            let path = format!("arch/{}/include/uapi/asm/own.h", arch.source);
            write(&path, "#define OWN 1\n");
        }
        for name in ["a", "b"] {
            let folder = format!("tools/testing/selftests/{name}");
            let make =
                format!("CFLAGS += $(KHDR_INCLUDES)\n{built}\n\t$(CC) $(CFLAGS) $(LDFLAGS) -o $@ $<\n");
            write(&format!("{folder}/Makefile"), &make);
            let program =
                "#include <linux/newer.h>\n#include <asm/own.h>\nint main(void) { return NEWER - OWN; }\n";
            write(&format!("{folder}/one.c"), program);
        }
        tree
    }

    #[test]
    fn selftests_are_compiled_with_the_headers_of_their_own_source() {
        let folder = tempfile::tempdir().unwrap();
        let (tree, cache) = (tree(folder.path()), folder.path().join("cache"));
        let build = |program: &str| {
            let wanted = CollectionProgram {
                collection: Collection::Kselftest,
                tree: &tree,
                program: Path::new(program),
                beside: &[],
            };
            super::super::build(&wanted, "cc", false, &cache, &Cancel::new())
                .map_err(|error| error.to_string())
        };
        build("a/one").unwrap();
        build("b/one").unwrap();
        let counts = fs::read_dir(cache.join("collections")).unwrap().flatten();
        let counts: Vec<String> =
            counts.filter_map(|entry| fs::read_to_string(entry.path().join("count")).ok()).collect();
        assert_eq!(counts, ["made\n"]);
        assert!(!tree.join("usr").exists());

        // a change of a header is another build
        fs::write(tree.join("include/uapi/linux/newer.h"), "#error none\n").unwrap();
        let error = build("a/one").unwrap_err();
        assert!(error.contains("newer.h"), "{error}");
        // those that the tree has made are its own affair
        fs::create_dir_all(tree.join("usr/include/linux")).unwrap();
        assert_eq!(of(&tree, "cc", &cache, &Cancel::new()).unwrap(), None);
    }
}
