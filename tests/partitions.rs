//! `run --partition`: every cell is in one part, whatever else is asked for. Starts no virtual machine.

mod runs;

use std::collections::BTreeMap;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use kregress::verdict::Verdict::Good;
use runs::Made;

const SUITE: &str = "\
suite: s
summary: three tests
tests:
  - {name: a, summary: one, program: {shell: 'true'}, symptom: {reported: {matching: leak}}}
  - {name: b, summary: two, program: {shell: 'true'}, symptom: {reported: {matching: leak}}}
  - {name: c, summary: three, program: {shell: 'true'}, symptom: {reported: {matching: leak}}}
";

/// What a dry run prints of its cells, and on standard error, with its exit code.
fn dry_run(place: &Path, arguments: &[&str]) -> (Vec<String>, String, i32) {
    let mut command = cargo_bin_cmd!("kregress");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
        command.env_remove(name);
    }
    command.current_dir(place).env("KREGRESS_CACHE", place.join("cache")).env("NO_COLOR", "1");
    let output = command.args(["run", "--dry-run"]).args(arguments).output().expect("kregress starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let cells = text(&output.stdout);
    let cells = cells.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned);
    (cells.collect(), text(&output.stderr), output.status.code().expect("an exit code"))
}

fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(place.path().join("suites")).expect("a folder");
    std::fs::write(place.path().join("suites/s.yaml"), SUITE).expect("a file");
    place
}

#[test]
fn the_parts_of_a_run_are_the_run() {
    let place = place();
    // what one of the tests took, so that slices can be of equal duration
    let cells = [(("s::a", "6.12.57"), Some(Good)), (("s::b", "6.12.57"), Some(Good))];
    let earlier = Made { cells: &cells, ..Made::at(1) }.write(&place.path().join("reports"));
    let asked: [&[&str]; 2] = [&[], &["-k", "6.12.117,6.12.57", "-E", "test(a) | kernel(6.12.57)"]];
    for asked in asked {
        let (whole, _, code) = dry_run(place.path(), asked);
        assert_eq!(code, 0);
        for (by, of) in [("slice", 1), ("slice", 3), ("hash", 2)] {
            for balance in [None, Some(earlier.id())].into_iter().filter(|b| b.is_none() || by == "slice") {
                let mut seen: BTreeMap<String, u32> = BTreeMap::new();
                for part in 1..=of {
                    let part = format!("{by}:{part}/{of}");
                    let balance = balance.map_or(vec![], |run| vec!["--balance", run]);
                    let (cells, _, code) =
                        dry_run(place.path(), &[asked, &["--partition", &part], &balance].concat());
                    assert_eq!(code, 0, "{part}");
                    cells.into_iter().for_each(|cell| *seen.entry(cell).or_default() += 1);
                }
                let mut whole = whole.clone();
                whole.sort();
                assert_eq!(seen.keys().cloned().collect::<Vec<_>>(), whole, "{asked:?} {by} {of}");
                assert!(seen.values().all(|count| *count == 1), "{seen:?}");
            }
        }
    }
}

#[test]
fn what_is_no_part_is_refused() {
    let place = place();
    let table: [(&[&str], i32); 5] = [
        (&["--partition", "slice:0/4"], 2),
        (&["--partition", "slice:5/4"], 2),
        (&["--partition", "hash:x"], 2),
        (&["--partition", "hash:1/2", "--balance", "latest"], 2),
        (&["--partition", "slice:1/2", "--balance", "latest"], 96),
    ];
    let mut shown = String::new();
    for (arguments, expected) in table {
        let (cells, error, code) = dry_run(place.path(), arguments);
        assert_eq!((code, cells.len()), (expected, 0), "{arguments:?}: {error}");
        shown.push_str(error.lines().next().unwrap_or_default());
        shown.push('\n');
    }
    insta::assert_snapshot!(shown, @r"
    error: invalid value 'slice:0/4' for '--partition <PART>': there is no part 0 of 4: the parts are 1/4 to 4/4
    error: invalid value 'slice:5/4' for '--partition <PART>': there is no part 5 of 4: the parts are 1/4 to 4/4
    error: invalid value 'hash:x' for '--partition <PART>': `x` is no part of anything: expected M/N, such as 1/4
    error: --balance is for slices: hash:1/2 depends on the names of cells alone
    error: no run `latest` in reports: there are no runs yet, `kregress run` makes one
    ");
}
