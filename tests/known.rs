//! `kregress known`: entries of suites with their age, and what the runs of a folder say of them.

use std::fs;
use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use kregress::event::{CellRecord, Event};
use kregress::journal::Journal;
use kregress::suite::{Expiry, load_file};
use kregress::verdict::Verdict;

const SUITE: &str = "\
suite: shell
summary: two tests
tests:
  - name: one
    summary: does nothing
    program: {shell: 'true'}
    symptom: {crash: {title: '^WARNING'}}
    known: KNOWN
";

fn suite(folder: &Path, known: &str) -> Result<kregress::suite::Suite, String> {
    fs::create_dir_all(folder.join("suites")).unwrap();
    let path = folder.join("suites/shell.yaml");
    fs::write(&path, SUITE.replace("KNOWN", known)).unwrap();
    load_file(&path).map_err(|error| {
        let problems = error.problems().iter();
        let line = |problem: &kregress::yaml::Problem| {
            let place = problem.location().map(|at| format!("{}:{}", at.line, at.column)).unwrap_or_default();
            format!("{place} {problem}")
        };
        problems.map(line).collect::<Vec<_>>().join("\n")
    })
}

#[test]
fn entries_say_why_since_when_and_until_when() {
    let folder = tempfile::tempdir().unwrap();
    let entries = "\
[{versions: 6.12, verdict: bad, note: old}, {versions: 6.13, verdict: bad, reason: new, link: 'https://example.org/1', since: 2026-11-29},
     {versions: 6.14, verdict: other, expires: never}, {versions: 6.15, verdict: bad, since: 2026-11-29, expires: 2027-01-31}]";
    let suite = suite(folder.path(), entries).unwrap();
    let known = &suite.tests[0].known;
    let said: Vec<(Option<&str>, Expiry)> =
        known.iter().map(|entry| (entry.note.as_deref(), entry.expires)).collect();
    let on = |day: &str| Expiry::On(day.parse().unwrap());
    assert_eq!(
        said,
        [
            (Some("old"), Expiry::Unsaid),
            (Some("new"), on("2027-05-28")),
            (None, Expiry::Never),
            (None, on("2027-01-31"))
        ]
    );
    let listed = serde_json::to_value(known).unwrap();
    assert_eq!(listed[0], serde_json::json!({"versions": "6.12", "verdict": "bad", "note": "old"}));
    assert_eq!(listed[1]["expires"], "2027-05-28");
    assert_eq!(listed[2]["expires"], "never");
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let refusal = |entry: &str| suite(folder.path(), &format!("[{entry}]")).unwrap_err();
    let table = [
        "{versions: 6.12, verdict: bad, expires: soon}",
        "{versions: 6.12, verdict: bad, since: yesterday}",
        "{versions: 6.12, verdict: bad, reason: a, note: b}",
        "{versions: 6.12, verdict: bad, link: example.org}",
        "{versions: 6.12, verdict: bad, expire: never}",
    ];
    let said: Vec<String> = table.iter().map(|entry| refusal(entry)).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    8:53 wrong value for `expires`: expected a day that exists, such as `2027-01-31`: the last one on which the entry holds, or `never`
    8:51 wrong value for `since`: expected a day that exists, such as `2027-01-31`: the last one on which the entry holds
    8:55 an entry of `known` has both `reason` and `note`
    8:50 wrong value for `link`: expected a link that starts with `https://`
    8:44 unknown key `expire`
    ");
}

/// A run of this day, with the verdict of `shell::one` on 6.12.57.
fn write_run(folder: &Path, day: u32, verdict: Verdict) {
    let path = folder.join(format!("reports/2026-10-{day:02}T10-00-00-abcd"));
    fs::create_dir_all(&path).unwrap();
    let journal = Journal::create(&path).unwrap();
    let title = (verdict == Verdict::Bad).then(|| "WARNING in elevator_init".to_owned());
    let record: CellRecord = serde_json::from_value(serde_json::json!({
        "test": "shell::one", "kernel": "6.12.57", "verdict": verdict, "title": title, "attempts": 1, "seconds": 1.0,
    }))
    .unwrap();
    journal.append(&Event::Cell(Box::new(record))).unwrap();
}

/// Exit code and standard output of `kregress known`.
fn known(folder: &Path, more: &[&str]) -> (i32, String) {
    let mut command = cargo_bin_cmd!("kregress");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).env("KREGRESS_CACHE", folder.join("cache")).env("NO_COLOR", "1");
    let output = command.arg("known").args(more).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), text)
}

#[test]
fn the_list_shows_those_to_look_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let entries = "\
[{versions: 6.17, verdict: bad, expires: never, reason: nobody mends it}, {versions: 6.12.57, verdict: bad, reason: an old one},
     {versions: 6.18, verdict: bad, expires: 2026-01-31, link: 'https://example.org/1'}, {versions: 6.12.57, verdict: good}]";
    suite(folder.path(), entries).unwrap();
    let (code, out) = known(folder.path(), &["--check"]);
    assert_eq!(code, 100, "one has expired");
    insta::assert_snapshot!(out, @"
    shell::one bad on 6.18
        EXPIRED it counts as a failure again: remove it, or renew it
        link    https://example.org/1
        age     unknown, expires on 2026-01-31
        hides   no run that is kept has judged it
        at      suites/shell.yaml:9:17
    shell::one bad on 6.12.57
        NO END  give it `since: DAY`, `expires: DAY` or `expires: never`
        reason  an old one
        age     unknown, has no end
        hides   no run that is kept has judged it
        at      suites/shell.yaml:8:97
    shell::one bad on 6.17
        reason  nobody mends it
        age     unknown, never expires
        hides   no run that is kept has judged it
        at      suites/shell.yaml:8:24
    ");
    write_run(folder.path(), 1, Verdict::Bad);
    (2..=5).for_each(|day| write_run(folder.path(), day, Verdict::Good));
    let (code, out) = known(folder.path(), &["--runs", "4", "--format", "json"]);
    assert_eq!(code, 0);
    let read: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let states: Vec<&str> = read.iter().map(|entry| entry["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["expired", "outlived", "holds"]);
    assert_eq!((&read[1]["good_in_a_row"], &read[1]["hides"][0]["kernel"]), (&4.into(), &"6.12.57".into()));
    let (code, _) = known(folder.path(), &["--check", "--runs", "5", "-s", "shell"]);
    assert_eq!(code, 100);
}

#[test]
fn what_an_entry_hides_is_shown_with_its_run() {
    let folder = tempfile::tempdir().unwrap();
    suite(folder.path(), "[{versions: 6.12.57, verdict: bad, expires: never}]").unwrap();
    write_run(folder.path(), 1, Verdict::Good);
    write_run(folder.path(), 2, Verdict::Bad);
    let (code, out) = known(folder.path(), &["--check"]);
    assert_eq!(code, 0);
    insta::assert_snapshot!(out, @"
    shell::one bad on 6.12.57
        age     unknown, never expires
        hides   bad on 6.12.57 (run 2026-10-02T10-00-00-abcd): WARNING in elevator_init
        at      suites/shell.yaml:8:24
    ");
}
