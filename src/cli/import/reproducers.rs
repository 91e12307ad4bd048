//! syzkaller's reproducers in C, in a folder or below it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use suite_import::Import;
use suite_import::syz::{self, Options, Reproducer};

use super::{Target, folder};
use crate::cli::error::CliError;

/// What files of programs end with; a manager calls its own `repro.cprog`.
const ENDINGS: [&str; 2] = ["c", "cprog"];

/// What a manager calls every program, whose folder's name tells them apart.
const ALIKE: &str = "repro";

/// The file beside it that has the crash's title.
const DESCRIPTION: &str = "description";

/// Files that are larger were not written by syzkaller, bytes.
const LARGEST: u64 = 16 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct SyzArgs {
    /// The folder
    #[arg(value_name = "FOLDER")]
    path: PathBuf,
    /// The dose, seconds; tasks that hang and processors that are stuck get
    /// 45 at least
    #[arg(long, default_value_t = 10, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..=86_000))]
    seconds: u32,
    #[command(flatten)]
    pub(super) target: Target,
}

pub(super) fn read(args: &SyzArgs) -> Result<Import, CliError> {
    let path = folder(&args.path)?;
    let mut files = Vec::new();
    find(&path, &mut files)?;
    let (mut reproducers, mut unread) = (Vec::new(), Vec::new());
    for file in files {
        match reproducer(&file) {
            Ok(reproducer) => reproducers.push(reproducer),
            Err(reason) => unread.push((file, reason)),
        }
    }
    let mut import = syz::read(reproducers, Options { seconds: args.seconds });
    for (file, reason) in unread {
        import.leave_out(&file.display().to_string(), reason);
    }
    Ok(import)
}

/// The files below a folder, sorted: names of tests depend on their order where two are called alike.
fn find(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), CliError> {
    let failed = |error| CliError::setup(format!("{}: {error}", folder.display()));
    let mut entries = fs::read_dir(folder).map_err(failed)?.collect::<Result<Vec<_>, _>>().map_err(failed)?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
        if kind.is_dir() {
            find(&path, files)?;
        } else if path.extension().and_then(OsStr::to_str).is_some_and(|ending| ENDINGS.contains(&ending)) {
            files.push(path);
        }
    }
    Ok(())
}

fn reproducer(file: &Path) -> Result<Reproducer, String> {
    let unread = |error: std::io::Error| format!("its file cannot be read: {error}");
    let path = file.to_str().ok_or("its name is not UTF-8")?.to_owned();
    if fs::metadata(file).map_err(unread)?.len() > LARGEST {
        return Err(format!("it is larger than {} MiB", LARGEST >> 20));
    }
    let text = String::from_utf8_lossy(&fs::read(file).map_err(unread)?).into_owned();
    let stem = |path: &Path| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let (mut name, beside) = (stem(file), file.parent().unwrap_or(Path::new("")));
    if name == ALIKE {
        name = beside.file_name().unwrap_or_default().to_string_lossy().into_owned();
    }
    let described = fs::read_to_string(beside.join(DESCRIPTION)).ok();
    let described = described.and_then(|text| Some(text.lines().next()?.trim().to_owned()));
    Ok(Reproducer { path, name, text, described: described.filter(|title| !title.is_empty()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_at_any_depth_with_what_describes_them() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("linux/b.c", "// WARNING in b\nint main(void) { return 0; }\n");
        write("linux/notes.txt", "int main(void)");
        write("linux/part.c", "int helper(void);\n");
        write("crashes/0123456789abcdef/repro.cprog", "int main(void) { return 0; }\n");
        write("crashes/0123456789abcdef/description", "WARNING in a\n");
        let args = |path: &Path| SyzArgs {
            path: path.to_owned(),
            seconds: 5,
            target: Target { output: None, dry_run: true },
        };
        let import = read(&args(folder.path())).unwrap();
        let tests: Vec<(&str, &str)> =
            import.suites[0].tests.iter().map(|test| (&test.name[..], &test.summary[..])).collect();
        assert_eq!(tests, [("b", "WARNING in b"), ("warning-in-a-01234567", "WARNING in a")]);
        assert_eq!(import.left_out[0].test, "part");
        assert!(read(&args(&folder.path().join("none"))).is_err());
    }
}
