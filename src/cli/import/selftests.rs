//! The kernel's selftests, of a source or an install folder.

use std::fs;
use std::path::{Path, PathBuf};

use suite_import::Import;
use suite_import::kselftest::{self, Folder, Installed};

use super::{Target, folder};
use crate::cli::error::CliError;
use crate::cli::paths::PathArgs;
use crate::kernel::Library;
use crate::lab::prepare::is_dynamic;
use crate::progress::Fetching;

/// Where a kernel's source has them.
const SELFTESTS: &str = "tools/testing/selftests";

/// How Debian's source packages are called.
const PACKAGE: &str = "linux-source-";

/// What an install folder is known by.
const LIST: &str = "kselftest-list.txt";

#[derive(Debug, clap::Args)]
pub(super) struct KselftestArgs {
    /// A kernel's source, a folder that `make install` of the selftests made, or the name of one of Debian's source
    /// packages, which is fetched: linux-source-6.12
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Only these folders of the selftests [default: all that the kernel runs]
    #[arg(value_name = "FOLDER")]
    folders: Vec<String>,
    /// Also for kernels older than the source, which may lack what a test is about, and fail
    #[arg(long)]
    any_kernel: bool,
    #[command(flatten)]
    pub(super) target: Target,
}

/// The name of a source package, if that is what was given.
fn package(path: &Path) -> Option<&str> {
    let name = path.to_str().filter(|name| name.starts_with(PACKAGE) && !name.contains('/'))?;
    (!path.exists()).then_some(name)
}

pub(super) fn read(args: &KselftestArgs, paths: &PathArgs) -> Result<Import, CliError> {
    let path = match package(&args.path) {
        None => folder(&args.path)?,
        Some(package) => {
            let library = Library::open(&paths.cache()?, &[]).map_err(CliError::setup)?;
            library.selftests(package, &Fetching::on_stderr()).map_err(CliError::setup)?
        }
    };
    of_folder(&path, &args.folders, args.any_kernel)
}

/// The selftests of a source or an install folder.
fn of_folder(path: &Path, only: &[String], any_kernel: bool) -> Result<Import, CliError> {
    if path.join(LIST).is_file() {
        return installed(path, only);
    }
    let selftests = path.join(SELFTESTS);
    let makefile = text(&selftests.join("Makefile"));
    if makefile.is_empty() {
        return Err(CliError::setup(format!(
            "{} is neither a kernel's source nor an install folder: it has neither {SELFTESTS}/Makefile nor {LIST}",
            path.display()
        )));
    }
    let names = match only.is_empty() {
        true => kselftest::targets(&makefile),
        false => only.to_vec(),
    };
    let mut folders = Vec::new();
    for name in names {
        let place = selftests.join(&name);
        let makefile = text(&place.join("Makefile"));
        if makefile.is_empty() && !only.is_empty() {
            return Err(CliError::setup(format!("{} has no Makefile", place.display())));
        }
        let (settings, config) = (text(&place.join("settings")), text(&place.join("config")));
        folders.push(Folder { name, makefile, settings, config });
    }
    let line = kselftest::line(&text(&path.join("Makefile"))).filter(|_| !any_kernel);
    Ok(kselftest::read(&folders, &path.display().to_string(), line.as_deref()))
}

fn installed(path: &Path, only: &[String]) -> Result<Import, CliError> {
    let mut programs = Vec::new();
    for line in text(&path.join(LIST)).lines() {
        let Some((folder, program)) = line.trim().split_once(':') else { continue };
        if !only.is_empty() && !only.iter().any(|name| name == folder) {
            continue;
        }
        let file = path.join(folder).join(program);
        programs.push(Installed {
            folder: folder.to_owned(),
            program: program.to_owned(),
            path: file.display().to_string(),
            refusal: refusal(&file),
            settings: text(&path.join(folder).join("settings")),
        });
    }
    Ok(kselftest::installed(&programs))
}

fn refusal(file: &Path) -> Option<String> {
    match fs::read(file) {
        Err(error) => Some(format!("its file cannot be read: {error}")),
        Ok(contents) if !contents.starts_with(b"\x7fELF") => {
            Some("a script, which needs a userland with its commands".to_owned())
        }
        Ok(contents) if is_dynamic(&contents) => {
            Some("it is linked dynamically; build it with LDFLAGS=-static".to_owned())
        }
        Ok(_) => None,
    }
}

/// The text of a file; empty where there is none.
fn text(path: &Path) -> String {
    fs::read(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_path(path: &Path, folders: &[&str]) -> Result<Import, CliError> {
        let folders: Vec<String> = folders.iter().map(|&name| name.to_owned()).collect();
        of_folder(path, &folders, false)
    }

    #[test]
    fn a_package_is_told_from_a_folder() {
        let name = |path: &str| package(Path::new(path)).map(str::to_owned);
        assert_eq!(name("linux-source-6.12").as_deref(), Some("linux-source-6.12"));
        assert_eq!(name("./linux-source-6.12"), None);
        assert_eq!(name("linux"), None);
    }

    #[test]
    fn a_source_and_an_install_folder_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("source/tools/testing/selftests/Makefile", "TARGETS = a\nTARGETS += b\n");
        write("source/tools/testing/selftests/a/Makefile", "TEST_GEN_PROGS = one two\n");
        write("source/tools/testing/selftests/c/Makefile", "TEST_GEN_PROGS = three\n");
        write("installed/kselftest-list.txt", "a:one\na:run.sh\n");
        write("installed/a/one", "\x7fELF");
        write("installed/a/run.sh", "#!/bin/sh\n");
        let names = |import: Import| -> Vec<String> {
            import.suites.iter().flat_map(|suite| &suite.tests).map(|test| test.name.clone()).collect()
        };
        let source = folder.path().join("source");
        assert_eq!(names(read_path(&source, &[]).unwrap()), ["one", "two"]);
        assert_eq!(names(read_path(&source, &["c"]).unwrap()), ["three"]);
        write("source/Makefile", "VERSION = 6\nPATCHLEVEL = 12\n");
        for (any_kernel, expected) in [(false, Some("6.12..")), (true, None)] {
            let import = of_folder(&source, &[], any_kernel).unwrap();
            assert_eq!(import.suites[0].tests[0].kernel.as_deref(), expected);
        }
        assert_eq!(names(read_path(&folder.path().join("installed"), &[]).unwrap()), ["one"]);
        let error = read_path(&source, &["x"]).unwrap_err().to_string();
        assert!(error.ends_with("x has no Makefile"), "{error}");
        let error = read_path(folder.path(), &[]).unwrap_err().to_string();
        assert!(error.contains("neither a kernel's source nor an install folder"), "{error}");
    }
}
