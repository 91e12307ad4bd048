//! Collections that are built as a whole, with packages of their own, and put into a userland: xfstests and blktests.
//!
//! Nothing is installed on the host: the libraries that it is built with are unpacked beside it, of the versions that the
//! guests get.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::place::Place;
use super::recipe::{BUSY, copy, found};
use super::sources::Sources;
use crate::cancel::Cancel;
use crate::lab::prepare::{PrepareError, search_path, step};
use crate::suite::{Collection, PrepareStep};

/// Unpacks packages of Debian and all that they depend on into a folder.
pub(in crate::lab::prepare) type Development<'d> = dyn Fn(&[&str], &Path) -> Result<(), PrepareError> + 'd;

/// What is put into the userland.
pub(super) const INSTALLED: &str = "installed";

/// How long configuring and compiling may take: three hundred programs.
const TIME: Duration = Duration::from_secs(3600);

/// How a collection is built.
pub(super) struct Recipe {
    /// Packages of Debian with the headers and libraries that it wants.
    packages: &'static [&'static str],
    /// Commands that it is built by.
    tools: &'static [&'static str],
    /// The script, which makes `tree` and `development` into `installed`.
    pub build: &'static str,
}

/// The recipe of a collection; of those that are not built as a whole there is none.
pub(super) fn recipe(collection: Collection) -> &'static Recipe {
    match collection {
        Collection::Ltp | Collection::Kselftest | Collection::Xfstests => &XFSTESTS,
        Collection::Blktests => &BLKTESTS,
    }
}

const XFSTESTS: Recipe = Recipe { packages: XFSTESTS_PACKAGES, tools: XFSTESTS_TOOLS, build: BUILD_XFSTESTS };

/// What its programs in C++ need is taken if it is there: one test calls them.
const BLKTESTS: Recipe = Recipe { packages: &["liburing-dev"], tools: &["make"], build: BUILD_BLKTESTS };

/// `xfsprogs` has the library that `xfslibs-dev` links to.
const XFSTESTS_PACKAGES: &[&str] = &[
    "libacl1-dev",
    "libaio-dev",
    "libattr1-dev",
    "libcap-dev",
    "libgdbm-dev",
    "liburing-dev",
    "uuid-dev",
    "xfslibs-dev",
    "xfsprogs",
];

const XFSTESTS_TOOLS: &[&str] = &["autoconf", "automake", "libtoolize", "m4", "make"];

/// Builds it and takes away what only the build needs. The host's headers come first, so that they fit its libraries.
const BUILD_XFSTESTS: &str = r#"
development=$PWD/development
triplet=$("$CC" -print-multiarch)
cd tree
[ -x configure ] || make configure
./configure --host="$("$CC" -dumpmachine)" CC="$CC" CPPFLAGS="-idirafter $development/usr/include" \
  LDFLAGS="-L$development/usr/lib/$triplet -L$development/lib/$triplet"
make -j"$(nproc)"
cd ..
rm -rf installed.new
cp -R tree installed.new
find installed.new \( -name '*.o' -o -name '*.lo' -o -name '*.c' -o -name '*.log' \) -type f -exec rm -f {} +
mv installed.new installed
: > built
"#;

/// Each program by itself: one that does not compile here makes the tests that call it `[not run]`.
const BUILD_BLKTESTS: &str = r#"
development=$PWD/development
triplet=$("$CC" -print-multiarch)
make -k -C tree/src CC="$CC" CXX=${CXX:-c++} CFLAGS="-idirafter $development/usr/include" \
  LDFLAGS="-L$development/usr/lib/$triplet" || :
rm -rf installed.new
cp -R tree installed.new
mv installed.new installed
: > built
"#;

/// Builds the collection in the place that the caller has locked.
pub(super) fn make(
    collection: Collection,
    compiler: &str,
    sources: &Sources,
    place: &Place,
    development: &Development<'_>,
    cancel: &Cancel,
) -> Result<(), PrepareError> {
    if place.folder.join(INSTALLED).is_dir() {
        return Ok(());
    }
    let path = &search_path();
    let recipe = recipe(collection);
    let output = collection.word().to_owned();
    if let Some(tool) = recipe.tools.iter().find(|tool| !found(tool, path)) {
        return Err(PrepareError::MissingTool { tool: (*tool).to_owned(), output });
    }
    let busy = place.folder.join(BUSY);
    // of one that was killed
    for left in ["tree", "development", "installed.new"] {
        let left = place.folder.join(left);
        if left.exists() {
            fs::remove_dir_all(&left).map_err(PrepareError::io(&left))?;
        }
    }
    fs::write(&busy, "").map_err(PrepareError::io(&busy))?;
    development(recipe.packages, &place.folder.join("development"))?;
    copy(sources, &place.folder.join("tree"))?;
    let shell = format!("CC={}\nexport CC\n{}", super::recipe::quoted(compiler.as_ref()), recipe.build);
    let step = PrepareStep {
        shell,
        output: "built".to_owned(),
        tools: Vec::new(),
        inputs: Vec::new(),
        timeout: TIME,
    };
    step::run(&step, &place.folder, path, cancel)?;
    for left in ["tree", "development"] {
        let _ = fs::remove_dir_all(place.folder.join(left));
    }
    fs::remove_file(&busy).map_err(PrepareError::io(&busy))
}
