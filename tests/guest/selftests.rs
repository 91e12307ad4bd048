//! The kernel's own selftests, out of Debian's source package: imported, built, run on two kernels, and read as the kernel's
//! own parser reads them.
//!
//! The package has 150 MB and is fetched once; of its contents 40 MB stay in the cache. Without it, or without Python for the
//! kernel's parser, the test is skipped and says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::place::{self, KERNEL, Place};

/// Any line will do: these programs need nothing of a newer kernel.
const PACKAGE: &str = "linux-source-6.12";

/// The other kernel.
const OLDER: &str = "6.12.57/cloud";

/// Programs that take a second each and are content with the headers of an older release, of every kind: with the harness, with `kselftest.h` alone, and without any KTAP.
const PROGRAMS: [(&str, &str); 10] = [
    ("core", "close-range-test"),
    ("core", "unshare-test"),
    ("exec", "null-argv"),
    ("exec", "recursion-depth"),
    ("ipc", "msgque"),
    ("net/af_unix", "diag-uid"),
    ("net/af_unix", "unix-connect"),
    ("nsfs", "owner"),
    ("nsfs", "pidns"),
    ("proc", "proc-loadavg-001"),
];

/// Imports the folders of [`PROGRAMS`] into `suites`; answers with the folder of the source.
fn import(place: &Place, suites: &Path) -> Result<PathBuf, String> {
    let mut folders: Vec<&str> = PROGRAMS.iter().map(|(folder, _)| *folder).collect();
    folders.dedup();
    // in the cache that all places share, as kernels are
    let mut command = Command::new(place::kregress());
    command.args(["import", "kselftest", PACKAGE]).args(folders).arg("-o").arg(suites);
    let output = command.current_dir(place.path()).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    place.share("collections").map_err(|error| error.to_string())?;
    let trees = std::fs::read_dir(place.cache().join("collections")).map_err(|error| error.to_string())?;
    let mut trees: Vec<PathBuf> = trees.flatten().map(|entry| entry.path()).collect();
    trees.retain(|path| path.join("tools/testing/kunit/kunit.py").is_file());
    trees.pop().ok_or_else(|| "no source in the cache".to_owned())
}

/// What `kunit.py parse` counts in an output: passed, failed and skipped.
fn counted_by_the_kernels_parser(source: &Path, output: &Path) -> [u64; 3] {
    let parser = source.join("tools/testing/kunit/kunit.py");
    let parsed = Command::new("python3").arg(parser).arg("parse").arg(output).output().expect("python3 runs");
    let text = String::from_utf8_lossy(&parsed.stdout);
    let last =
        text.lines().rfind(|line| line.contains("Testing complete.")).unwrap_or_else(|| panic!("{text}"));
    ["passed", "failed", "skipped"].map(|word| {
        let count = last.split_once(&format!("{word}: ")).map(|(_, rest)| rest);
        let digits = count.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
        digits.map_or(0, |digits| digits.parse().expect("a number"))
    })
}

/// What the subtests of an attempt are.
fn counted_here(attempt: &Value) -> [u64; 3] {
    let subtests = attempt["program"]["subtests"].as_array().map_or(&[][..], Vec::as_slice);
    ["passed", "failed", "skipped"]
        .map(|word| subtests.iter().filter(|subtest| subtest["result"] == word).count() as u64)
}

#[test]
fn selftests_of_debians_source_are_built_run_and_read_as_the_kernel_does() {
    let Some(place) = Place::new() else { return };
    if which::which("python3").is_err() {
        return loud_skip::skip("python3 is not installed (Debian: apt-get install python3)");
    }
    if let Err(missing) = place::fetch(OLDER) {
        return loud_skip::skip(missing);
    }
    let suites = place.path().join("selftests");
    let source = match import(&place, &suites) {
        Ok(source) => source,
        Err(missing) => return loud_skip::skip(format_args!("{PACKAGE} is not to be had: {missing}")),
    };
    let names: Vec<&str> = PROGRAMS.iter().map(|(_, name)| *name).collect();
    let only = format!("test(/::({})$/)", names.join("|"));
    let kernels = format!("{KERNEL},{OLDER}");
    let ended = place.run(&["-s", &suites.to_string_lossy(), "-E", &only, "-k", &kernels]);
    let of_kind = |kind: &'static str| ended.events.iter().filter(move |event| event["event"] == kind);
    let cells: Vec<String> = of_kind("cell").map(|e| format!("{} {}", e["test"], e["verdict"])).collect();
    assert_eq!(cells.len(), 2 * PROGRAMS.len(), "{cells:?}\n{}", ended.err);
    assert!(cells.iter().all(|cell| cell.ends_with("\"good\"")), "{cells:#?}\n{}", ended.err);
    let mut compared = 0;
    for attempt in of_kind("attempt").filter(|attempt| attempt["verdict"] == "good") {
        let console = attempt["console"].as_str().expect("a console");
        let output = place.report_file(console).with_file_name("output.log");
        let text = std::fs::read_to_string(&output).expect("an output");
        // without a version line there is nothing that the kernel's parser would read
        if text.starts_with("TAP version") {
            let expected = counted_by_the_kernels_parser(&source, &output);
            assert_eq!(counted_here(attempt), expected, "{}\n{text}", attempt["test"]);
            compared += 1;
        }
    }
    assert!(compared >= PROGRAMS.len(), "{compared} outputs were compared");
}
