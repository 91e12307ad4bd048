//! How programs of each collection are built: scripts for the host's shell, run as `prepare` steps are.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::place::Place;
use super::sources::Sources;
use crate::cancel::Cancel;
use crate::lab::prepare::{PrepareError, search_path, step};
use crate::suite::{Collection, CollectionProgram, PrepareStep};

/// How long LTP's `configure` and libraries may take, or one program.
const TIME: Duration = Duration::from_secs(1200);

/// A tree is ready for its programs.
pub(super) const READY: &str = "ready";

/// Something is being made: if it is there while nobody builds, a build was killed and may have left halves.
pub(super) const BUSY: &str = "busy";

/// Places whose tree could not be made ready in this run, with what was said.
static REFUSED: Mutex<Vec<(PathBuf, PrepareError)>> = Mutex::new(Vec::new());

/// LTP's makefiles add to the flags that they were configured with, and to no others. Of `lib` only the library is made: its
/// own tests are more work than all the rest.
pub(super) const CONFIGURE_LTP: &str = "\
cd tree
[ -x configure ] || make autotools
./configure --host=\"$($CC -dumpmachine)\" CC=\"$CC\" LDFLAGS=-static
make -j\"$(nproc)\" -C lib libltp.a
make -j\"$(nproc)\" -C libs
";

/// The variable that the selftests' makefiles take the kernel's headers from.
pub(super) const HEADERS: &str = "KHDR_INCLUDES";

/// Builds the programs at `paths` in the place that the caller has locked.
pub(super) fn make(
    wanted: &CollectionProgram<'_>,
    compiler: &str,
    paths: &[PathBuf],
    sources: &Sources,
    headers: Option<&Path>,
    place: &Place,
    cancel: &Cancel,
) -> Result<(), PrepareError> {
    let path = &search_path();
    let io = |error| PrepareError::io(&place.folder)(error);
    if place.folder.join(BUSY).exists() {
        for left in [READY, BUSY] {
            let _ = fs::remove_file(place.folder.join(left));
        }
        for left in ["tree", "out"] {
            let _ = fs::remove_dir_all(place.folder.join(left));
        }
    }
    fs::write(place.folder.join(BUSY), "").map_err(io)?;
    let run = |shell: String, output: String, tools: &[&str]| {
        let tools: Vec<String> = tools.iter().map(|&tool| tool.to_owned()).collect();
        if let Some(tool) = tools.iter().find(|tool| !found(tool, path)) {
            return Err(PrepareError::MissingTool { tool: tool.clone(), output });
        }
        // what make says of folders would stand before what the compiler says
        let make = "MAKEFLAGS=--no-print-directory\nexport MAKEFLAGS";
        let shell = format!("CC={}\nexport CC\n{make}\n{shell}", quoted(OsStr::new(compiler)));
        let step = PrepareStep { shell, output, tools, inputs: Vec::new(), timeout: TIME };
        step::run(&step, &place.folder, path, cancel)
    };
    let made = (|| {
        if wanted.collection == Collection::Ltp && !place.folder.join(READY).exists() {
            once(place, || {
                copy(sources, &place.folder.join("tree"))?;
                let generated = place.folder.join("tree/configure").exists();
                let tools: &[&str] = if generated { &["make"] } else { &["make", "autoconf", "automake"] };
                run(format!("({CONFIGURE_LTP})\n: > {READY}"), READY.to_owned(), tools)
            })?;
        }
        for program in paths.iter().filter(|program| !place.built(program).is_file()) {
            let output = format!("built/{}", program.display());
            run(script(wanted.collection, &sources.tree, headers, program), output, &["make"])?;
        }
        Ok(())
    })();
    // one that was ended early may have left halves as one that was killed
    if !matches!(made, Err(PrepareError::Cancelled { .. } | PrepareError::Timeout { .. })) {
        fs::remove_file(place.folder.join(BUSY)).map_err(io)?;
    }
    made
}

/// Makes a tree ready. One that was refused is refused again at once: the same sources would be, after minutes, for each of two
/// hundred tests.
pub(super) fn once(
    place: &Place,
    make: impl FnOnce() -> Result<(), PrepareError>,
) -> Result<(), PrepareError> {
    let refused = || REFUSED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, error)) = refused().iter().find(|(folder, _)| *folder == place.folder) {
        return Err(error.clone());
    }
    let made = make();
    if let Err(error @ PrepareError::Step { .. }) = &made {
        refused().push((place.folder.clone(), error.clone()));
    }
    made
}

/// Makes one program and puts it below `built` when it is whole.
fn script(collection: Collection, tree: &Path, headers: Option<&Path>, program: &Path) -> String {
    let folder = program.parent().unwrap_or(Path::new(""));
    let name = program.file_name().unwrap_or_default();
    let [folder, name, program] = [folder.as_os_str(), name, program.as_os_str()].map(quoted);
    let (make, from) = match collection {
        Collection::Ltp | Collection::Xfstests | Collection::Blktests => {
            (format!("[ -f tree/{program} ] || make -C tree/{folder} {name}"), format!("tree/{program}"))
        }
        // its makefiles add to the variable of the environment, and write nothing but below OUTPUT; sanitizers of the
        // program itself, which some ask for, cannot be linked statically
        Collection::Kselftest => {
            let selftests = format!("{}/tools/testing/selftests", quoted(tree.as_os_str()));
            let headers = headers.map_or_else(String::new, |headers| {
                format!(" {HEADERS}=\"-isystem \"{}", quoted(headers.as_os_str()))
            });
            (
                format!(
                    "mkdir -p out/{folder}\n\
                     if [ -f {selftests}/{program} ]; then cp {selftests}/{program} out/{program}; else\n\
                     LDFLAGS=\"-static -fno-sanitize=all\" make CC=\"$CC\"{headers} -C {selftests}/{folder} OUTPUT=\"$PWD\"/out/{folder} \"$PWD\"/out/{program}\nfi"
                ),
                format!("out/{program}"),
            )
        }
    };
    format!(
        "{make}\nmkdir -p built/{folder}\ncp {from} built/{program}.new\nmv built/{program}.new built/{program}"
    )
}

/// A word for the shell.
pub(super) fn quoted(text: &OsStr) -> String {
    format!("'{}'", text.to_string_lossy().replace('\'', r"'\''"))
}

pub(super) fn found(tool: &str, path: &OsStr) -> bool {
    which::which_in_global(tool, Some(path)).is_ok_and(|mut found| found.next().is_some())
}

/// Copies the sources; times are kept, as make goes by them.
pub(super) fn copy(sources: &Sources, to: &Path) -> Result<(), PrepareError> {
    let _ = fs::remove_dir_all(to);
    for file in &sources.files {
        let (from, to) = (sources.tree.join(file), to.join(file));
        let copied = || -> std::io::Result<()> {
            if let Some(folder) = to.parent() {
                fs::create_dir_all(folder)?;
            }
            let meta = fs::symlink_metadata(&from)?;
            if meta.is_symlink() {
                return std::os::unix::fs::symlink(fs::read_link(&from)?, &to);
            }
            fs::copy(&from, &to)?;
            let times = fs::FileTimes::new().set_modified(meta.modified()?);
            let file = fs::File::open(&to)?;
            // a file that its owner may not write keeps the time of now, which is as good
            let _ = file.set_times(times);
            Ok(())
        };
        copied().map_err(PrepareError::io(&from))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_quote_what_a_tree_may_be_called() {
        let tree = Path::new("/a b/it's");
        insta::assert_snapshot!(script(Collection::Ltp, tree, None, Path::new("testcases/x/one")), @r"
        [ -f tree/'testcases/x/one' ] || make -C tree/'testcases/x' 'one'
        mkdir -p built/'testcases/x'
        cp tree/'testcases/x/one' built/'testcases/x/one'.new
        mv built/'testcases/x/one'.new built/'testcases/x/one'
        ");
        let text =
            script(Collection::Kselftest, tree, Some(Path::new("/h")), Path::new("timers/posix_timers"));
        assert!(text.contains(r"'/a b/it'\''s'/tools/testing/selftests"), "{text}");
        assert!(text.contains(r#"KHDR_INCLUDES="-isystem "'/h' -C"#), "{text}");
        assert!(text.contains(r#"OUTPUT="$PWD"/out/'timers' "$PWD"/out/'timers/posix_timers'"#), "{text}");
    }
}
