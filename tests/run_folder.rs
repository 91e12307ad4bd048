//! The folder of runs: what goes, a run as one file, what a run printed, and since when a cell fails.

mod runs;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use assert_cmd::cargo::cargo_bin_cmd;
use flate2::Compression;
use flate2::write::GzEncoder;
use kregress::journal::{Journal, RunDir};
use kregress::report::{OutlineFile, RunSummary};
use kregress::runs::{Kept, Policy, export, import, prunable, remove, sweep};
use kregress::verdict::Verdict::{Bad, Good, Lost};
use runs::{At, Made};

const A1: (&str, &str) = ("s::a", "6.12.57");
const A2: (&str, &str) = ("s::a", "6.12.117");
const B1: (&str, &str) = ("s::b", "6.12.57");

/// Standard output, standard error and exit code of a command, without what differs between two runs of a test.
fn kregress(root: &Path, arguments: &[&str]) -> (String, String, i32) {
    let mut command = cargo_bin_cmd!("kregress");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_")) {
        command.env_remove(name);
    }
    command.env("KREGRESS_CACHE", root.join("cache")).env("KREGRESS_REPORTS", root).env("NO_COLOR", "1");
    let output = command.current_dir(root).args(arguments).output().expect("kregress starts");
    let text = |bytes: &[u8]| {
        let mut text = String::from_utf8_lossy(bytes).into_owned();
        for (run, name) in RunDir::all(root).iter().zip('A'..) {
            text = text.replace(run.id(), &format!("RUN-{name}"));
        }
        text.replace(&root.display().to_string(), "ROOT")
    };
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("an exit code"))
}

fn five(root: &Path) -> Vec<RunDir> {
    (1..=5).map(|hour| Made { cells: &[(A1, Some(Good))], ..Made::at(hour) }.write(root)).collect()
}

#[test]
fn the_newest_the_latest_and_running_runs_stay() {
    let root = tempfile::tempdir().unwrap();
    let runs = five(root.path());
    runs[1].make_latest().unwrap();
    let going = Journal::resume(runs[2].path()).unwrap();
    let now = At(6).timestamp();
    let of = |keep, hours: Option<u64>| {
        let policy = Policy { keep, older_than: hours.map(|hours| Duration::from_secs(hours * 3600)) };
        let old = prunable(root.path(), policy, now);
        let place = |run: &RunDir| runs.iter().position(|other| other == run).unwrap();
        old.iter().map(|old| (place(&old.run), old.kept)).collect::<Vec<_>>()
    };
    let (latest, running, newest) = (Some(Kept::Latest), Some(Kept::Running), Some(Kept::Newest));
    assert_eq!(of(Some(0), None), [(0, None), (1, latest), (2, running), (3, None), (4, newest)]);
    assert_eq!(of(Some(2), None), [(0, None), (1, latest), (2, running)]);
    assert_eq!(of(Some(9), None), []);
    assert_eq!(of(None, Some(4)), [(0, None)]);
    assert_eq!(of(Some(4), Some(1)), [(0, None)]);
    assert_eq!(of(Some(1), Some(5)), []);
    assert!(!remove(&runs[2]).unwrap(), "it goes on");
    drop(going);
    assert!(remove(&runs[2]).unwrap());
    assert!(!runs[2].path().exists());
}

#[test]
fn what_a_killed_removal_left_is_no_run() {
    let root = tempfile::tempdir().unwrap();
    let runs = five(root.path());
    let going = root.path().join(format!(".removed-{}", runs[0].id()));
    std::fs::rename(runs[0].path(), &going).unwrap();
    assert_eq!(RunDir::all(root.path()).len(), 4);
    sweep(root.path());
    assert!(!going.exists());
    assert_eq!(RunDir::all(root.path()).len(), 4);
}

#[test]
fn runs_are_listed_shown_and_pruned() {
    let root = tempfile::tempdir().unwrap();
    Made { cells: &[(A1, Some(Good)), (A2, Some(Bad))], ..Made::at(1) }.write(root.path());
    Made { cells: &[(A1, Some(Good)), (A2, None)], killed: true, ..Made::at(2) }.write(root.path());
    Made { cells: &[(A1, Some(Good))], ..Made::at(3) }.write(root.path());
    let (list, error, code) = kregress(root.path(), &["runs", "list"]);
    assert_eq!((code, error.as_str()), (0, ""));
    insta::assert_snapshot!(list, @r"
    RUN-A        2 cells     00:10  1 bad, 1 good
    RUN-B        2 cells     00:03  1 good, 1 not run  (killed)
    RUN-C        1 cell      00:10  1 good
    ");
    let (json, ..) = kregress(root.path(), &["runs", "list", "--json"]);
    let heads: Vec<serde_json::Value> =
        json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((heads[0]["bad"].as_u64(), heads[1]["ended"].as_str()), (Some(1), Some("killed")));
    let (shown, ..) = kregress(root.path(), &["runs", "show"]);
    let lines: Vec<&str> =
        shown.lines().filter(|line| !line.starts_with("size") && !line.starts_with("folder")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    run      RUN-C
    started  2026-11-21T03:00:00Z
    took     00:10
    ended    finished
    cells    1: 1 good
    command  kregress run
    ");
    assert_eq!(kregress(root.path(), &["runs", "prune"]).2, 2, "something has to say which");
    let dry = kregress(root.path(), &["runs", "prune", "--keep", "1", "--dry-run"]).0;
    assert!(dry.ends_with("2 runs would go, 0.0 MB\n"), "{dry}");
    assert_eq!(RunDir::all(root.path()).len(), 3);
    let gone = kregress(root.path(), &["runs", "prune", "--keep", "1", "--older-than", "1h"]).0;
    assert!(gone.ends_with("2 runs removed, 0.0 MB\n"), "{gone}");
    assert_eq!(RunDir::all(root.path()).len(), 1);
}

#[test]
fn a_run_comes_out_of_its_archive_as_it_went_in() {
    let root = tempfile::tempdir().unwrap();
    let run = Made { cells: &[(A1, Some(Bad)), (B1, Some(Good))], ..Made::at(1) }.write(root.path());
    // as long as names of folders become, and what is no part of a run
    let deep = run.path().join("attempts").join("x".repeat(200)).join("1");
    std::fs::create_dir_all(&deep).unwrap();
    std::fs::write(deep.join("console.log"), "deep").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", run.path().join("attempts/link")).unwrap();
    OutlineFile::of(&run).unwrap();
    let file = root.path().join("run.tar.gz");
    export(&run, &file).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let taken = import(&file, elsewhere.path(), 1 << 20).unwrap();
    assert_eq!(taken.id(), run.id());
    assert_eq!(std::fs::read(taken.journal()).unwrap(), std::fs::read(run.journal()).unwrap());
    assert_eq!(
        std::fs::read_to_string(
            taken.path().join(deep.strip_prefix(run.path()).unwrap()).join("console.log")
        )
        .unwrap(),
        "deep"
    );
    assert!(!taken.path().join("attempts/link").exists() && !taken.path().join("outline.jsonl").exists());
    let names: Vec<_> =
        std::fs::read_dir(elsewhere.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, [run.id()]);
    let again = import(&file, elsewhere.path(), 1 << 20).unwrap_err().to_string();
    assert!(
        again.ends_with("is there already; remove its folder first, or import into another one with -o"),
        "{again}"
    );
    let going = Journal::resume(run.path()).unwrap();
    assert!(export(&run, &file).unwrap_err().to_string().contains("still goes on"));
    drop(going);
}

/// The name of an entry, its kind, and its contents or the target of a link.
type Entry<'a> = (&'a str, u8, &'a [u8]);

/// An archive of entries.
fn archive(root: &Path, entries: &[Entry<'_>]) -> PathBuf {
    let path = root.join("evil.tar.gz");
    let mut tar =
        tar::Builder::new(GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast()));
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        // as it is: the crate's own functions refuse what is tried here
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(0o644);
        let is_link = matches!(kind, b'1' | b'2');
        if is_link {
            header.as_old_mut().linkname[..content.len()].copy_from_slice(content);
        }
        let content = if is_link { &b""[..] } else { content };
        header.set_size(content.len() as u64);
        header.set_cksum();
        tar.append(&header, content).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap();
    path
}

#[test]
fn what_no_run_has_is_refused_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let journal: Entry<'_> = ("r/journal.jsonl", b'0', b"");
    let long = [b"../".as_slice(), &[b'x'; 300]].concat();
    let table: Vec<(&str, Vec<Entry<'_>>)> = vec![
        ("out", vec![journal, ("../x", b'0', b"x")]),
        ("out below", vec![journal, ("r/a/../../x", b'0', b"x")]),
        ("root", vec![journal, ("/tmp/x", b'0', b"x")]),
        ("out by a long name", vec![journal, ("././@LongLink", b'L', &long), ("r/x", b'0', b"x")]),
        ("out by pax", vec![journal, ("pax", b'x', b"16 path=../../x\n"), ("r/x", b'0', b"x")]),
        ("pax size", vec![journal, ("pax", b'x', b"11 size=99\n"), ("r/x", b'0', b"x")]),
        ("symlink", vec![journal, ("r/a", b'2', b"/etc")]),
        ("hard link", vec![journal, ("r/a", b'1', b"/etc/passwd")]),
        ("device", vec![journal, ("r/a", b'3', b"")]),
        ("fifo", vec![journal, ("r/a", b'6', b"")]),
        ("sparse", vec![journal, ("r/a", b'S', b"")]),
        ("two runs", vec![journal, ("q/journal.jsonl", b'0', b"")]),
        ("twice", vec![journal, journal]),
        ("file for folder", vec![("r", b'0', b"x")]),
        ("hidden", vec![(".r/journal.jsonl", b'0', b"")]),
        ("latest", vec![("latest/journal.jsonl", b'0', b"")]),
        ("deep", vec![journal, ("r/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a/a", b'0', b"x")]),
        ("empty", vec![]),
        ("no journal", vec![("r/index.html", b'0', b"x")]),
        ("no events", vec![("r/journal.jsonl", b'0', b"hello\nhello\n")]),
    ];
    let said = |text: String| {
        text.replace(root.path().to_str().unwrap(), "ROOT").replace("ROOT/evil.tar.gz", "FILE")
    };
    let mut shown = Vec::new();
    for (name, entries) in table {
        let reports = root.path().join("reports");
        let error = import(&archive(root.path(), &entries), &reports, 1 << 20).unwrap_err().to_string();
        let error: String = said(error).replace(&"x".repeat(197), "…");
        let place =
            error.find("/.import-").map(|at| at..error[at..].find("/r/").map_or(error.len(), |end| at + end));
        let error =
            place.map_or(error.clone(), |place| format!("{}…{}", &error[..place.start], &error[place.end..]));
        shown.push(format!("{name}: {error}"));
        assert_eq!(std::fs::read_dir(&reports).unwrap().count(), 0, "{name}");
    }
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn what_is_cut_off_or_too_large_is_refused() {
    let root = tempfile::tempdir().unwrap();
    let run = Made { cells: &[(A1, Some(Bad)), (B1, Some(Good))], ..Made::at(1) }.write(root.path());
    // incompressible, so that every cut is in something
    let noise: Vec<u8> = (0u32..20_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    std::fs::write(run.path().join("noise"), &noise).unwrap();
    let file = root.path().join("run.tar.gz");
    export(&run, &file).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let reports = root.path().join("reports");
    for cut in [0, 5, 100, whole.len() / 2, whole.len() - 9] {
        std::fs::write(&file, &whole[..cut]).unwrap();
        let error = import(&file, &reports, 1 << 20).unwrap_err().to_string();
        assert!(error.contains("is no whole archive of a run"), "{cut}: {error}");
        assert_eq!(std::fs::read_dir(&reports).unwrap().count(), 0);
    }
    std::fs::write(&file, &whole).unwrap();
    let error = import(&file, &reports, 50_000).unwrap_err().to_string();
    assert!(error.contains("would make the run larger than is allowed"), "{error}");
    // a bomb: much of nothing, in one entry or in none
    let mut bomb = GzEncoder::new(Vec::new(), Compression::best());
    let mut header = tar::Header::new_gnu();
    header.set_path("r/journal.jsonl").unwrap();
    header.set_size(8 << 30);
    header.set_cksum();
    bomb.write_all(header.as_bytes()).unwrap();
    for _ in 0..64 {
        bomb.write_all(&vec![0; 1 << 20]).unwrap();
    }
    std::fs::write(&file, bomb.finish().unwrap()).unwrap();
    let error = import(&file, &reports, 1 << 20).unwrap_err().to_string();
    assert!(error.contains("would make the run larger than is allowed"), "{error}");
    assert_eq!(std::fs::read_dir(&reports).unwrap().count(), 0);
}

#[test]
fn what_runs_again_is_known_or_refused() {
    let root = tempfile::tempdir().unwrap();
    // as a run leaves it that was killed before it had named any cell
    let killed = RunDir::create(root.path()).unwrap();
    std::fs::write(
        killed.journal(),
        "{\"event\":\"run-started\",\"schema\":1,\"run\":\"x\",\"kregress\":\"0\",\"at\":\"2030-01-01T00:00:00Z\",\"command\":[],\"cells\":2}\n",
    )
    .unwrap();
    let again = |arguments: &[&str]| {
        let (_, err, code) = kregress(root.path(), &[&["run", "--dry-run", "-R"], arguments].concat());
        (code, err.lines().last().unwrap_or_default().to_owned())
    };
    let (code, error) = again(&[killed.id()]);
    assert_eq!(code, 96, "{error}");
    assert!(error.contains("before it had named all of its cells"), "{error}");
    let bad = Made { cells: &[(A1, Some(Bad))], ..Made::at(1) }.write(root.path());
    let (code, error) = again(&[bad.id(), "--lost-only"]);
    assert_eq!(
        (code, &*error),
        (4, &*format!("error: no cell of the run {} was lost, or not run", "RUN-A")),
        "{error}"
    );
}

#[test]
fn a_replay_is_what_was_printed() {
    let root = tempfile::tempdir().unwrap();
    Made { cells: &[(A1, Some(Bad)), (A2, Some(Good)), (B1, Some(Lost))], ..Made::at(1) }.write(root.path());
    let (text, error, code) = kregress(root.path(), &["replay"]);
    assert_eq!((code, error.as_str()), (0, ""));
    insta::assert_snapshot!(text);
    let (json, ..) = kregress(root.path(), &["replay", "--message-format", "json"]);
    assert_eq!(
        json.replace("RUN-A", RunDir::all(root.path())[0].id()),
        std::fs::read_to_string(RunDir::all(root.path())[0].journal()).unwrap()
    );
}

#[test]
fn a_replay_shows_as_much_as_it_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    Made { cells: &[(A1, Some(Bad)), (A2, Some(Good)), (B1, Some(Lost))], ..Made::at(1) }.write(root.path());
    let replay = |options: &[&str]| {
        let (text, error, code) = kregress(root.path(), &[&["replay"], options].concat());
        assert_eq!((code, error.as_str()), (0, ""), "{options:?}");
        text
    };
    let before_the_rule = |text: &str| text.lines().take_while(|line| !line.starts_with('─')).count();
    let all = replay(&[]);
    assert_eq!(before_the_rule(&all), 4);
    assert_eq!(before_the_rule(&replay(&["--status-level", "fail"])), 2);
    assert_eq!(before_the_rule(&replay(&["--status-level", "none"])), 1);
    insta::assert_snapshot!(replay(&["-q"]), @r"
       FAIL [   3.200s] 6.12.57  s::a  BUG: unable to handle kernel NULL pointer dereference in x
    Summary [  10.000s] 3 cells: 1 bad, 1 good, 1 lost
       FAIL [   3.200s] 6.12.57  s::a  BUG: unable to handle kernel NULL pointer dereference in x
            console   RUN-A/attempts/s__a@6.12.57/1/console.log
            again     kregress run --exact s::a -k 6.12.57
    ");
    let verbose = replay(&["-v"]);
    assert!(verbose.len() > all.len(), "{verbose}");
    assert!(replay(&["--color", "always"]).contains("\x1b["));
    assert!(replay(&["--annotate", "github"]).contains("::error title=FAIL s%3A%3Aa on 6.12.57::"));
    assert_eq!(kregress(root.path(), &["replay", "-q", "-v"]).2, 2);
}

#[test]
fn a_failure_is_shown_with_its_history() {
    let root = tempfile::tempdir().unwrap();
    // a: bad from the third run on; b: flaky; the second run of four was merged with another one
    let a = [Good, Good, Bad, Bad];
    let b = [Good, Bad, Good, Bad];
    for (hour, (a, b)) in (1..).zip(a.into_iter().zip(b)) {
        Made { cells: &[(A1, Some(a)), (A2, Some(Good)), (B1, Some(b))], ..Made::at(hour) }
            .write(root.path());
    }
    let history = |arguments: &[&str]| {
        let text = kregress(root.path(), arguments).0;
        let lines =
            text.lines().filter(|line| ["FAIL", "history", "  line "].iter().any(|word| line.contains(word)));
        lines.filter(|line| !line.contains("  FAIL  ")).map(str::trim).collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!(history(&["report"]), @r"
    FAIL [   3.200s] 6.12.57  s::a  BUG: unable to handle kernel NULL pointer dereference in x
    history   failing since RUN-C, 2 runs; good in RUN-B
    line      it lacks what made 6.12.117 good
    FAIL [   3.200s] 6.12.57  s::b  BUG: unable to handle kernel NULL pointer dereference in x
    history   flaky: failed in 2 of 4 runs, 2 of 4 attempts
    ");
    let second = RunDir::all(root.path())[1].id().to_owned();
    insta::assert_snapshot!(history(&["report", &second]), @r"
    FAIL [   3.200s] 6.12.57  s::b  BUG: unable to handle kernel NULL pointer dereference in x
    history   new: good in the run before, RUN-A
    ");
    let json = kregress(root.path(), &["report", "--format", "json"]).0;
    let document: serde_json::Value = serde_json::from_str(&json).unwrap();
    insta::assert_snapshot!(document["results"][0]["history"], @r#"{"last_good":"RUN-B","runs":2,"since":"RUN-C","standing":"since"}"#);
    insta::assert_snapshot!(document["results"][0]["in_line"], @r#"{"good":"6.12.117","standing":"lacks-fix"}"#);
    assert!(document["results"][1].get("history").is_none());
    // the parts of a merged run are not asked besides it
    let runs = RunDir::all(root.path());
    let merged = kregress::runs::merge(root.path(), &runs[..2], Vec::new()).unwrap().0;
    let run = RunSummary::of(&runs[3]).unwrap().with_history(root.path());
    assert_eq!(
        run.standing(0).unwrap().to_string(),
        format!("failing since {}, 2 runs; good in {}", runs[2].id(), merged.id())
    );
    let merged = RunSummary::of(&merged).unwrap().with_history(root.path());
    assert_eq!(merged.standing(2).unwrap().to_string(), "no earlier run here judged it");
}

#[test]
fn history_does_not_read_journals_again() {
    let root = tempfile::tempdir().unwrap();
    for hour in 1..=3 {
        Made { cells: &[(A1, Some(Bad))], ..Made::at(hour) }.write(root.path());
    }
    let runs = RunDir::all(root.path());
    let standing = || {
        let run = RunSummary::of(&runs[2]).unwrap().with_history(root.path());
        run.standing(0).unwrap().to_string().replace(runs[0].id(), "A")
    };
    assert_eq!(standing(), "failing in all 3 runs since A");
    // of the same length, and no journal any more
    for run in &runs[..2] {
        let length = std::fs::metadata(run.journal()).unwrap().len() as usize;
        std::fs::write(run.journal(), vec![b'x'; length]).unwrap();
    }
    assert_eq!(standing(), "failing in all 3 runs since A");
    // a run that began later says nothing of this one
    Made { cells: &[(A1, Some(Good))], at: At(9), ..Made::at(9) }.write(root.path());
    assert_eq!(standing(), "failing in all 3 runs since A");
}

#[test]
fn the_chance_of_a_symptom_is_learnt_over_runs() {
    let root = tempfile::tempdir().unwrap();
    let suites = root.path().join("suites");
    std::fs::create_dir(&suites).unwrap();
    let test = |name: &str, dose: &str| {
        format!(
            "  - {{name: {name}, summary: t, program: {{shell: 'true'}}, {dose}symptom: {{reported: {{matching: leak}}}}}}\n"
        )
    };
    let text = format!(
        "suite: s\nsummary: s\ntests:\n{}{}{}",
        test("a", ""),
        test("b", "dose: {attempts: 2, chance: 0.9}, "),
        test("c", "")
    );
    std::fs::write(suites.join("s.yaml"), text).unwrap();
    for hour in 1..=8 {
        let b = if hour % 4 == 0 { Bad } else { Good };
        // on 6.12.117 neither was ever seen: that kernel says nothing of the chance
        let cells = [(A1, Some(Bad)), (B1, Some(b)), (A2, Some(Good))];
        Made { cells: &cells, ..Made::at(hour) }.write(root.path());
    }
    let (text, error, code) =
        kregress(root.path(), &["--suites", suites.to_str().unwrap(), "runs", "chance"]);
    assert_eq!((code, error.as_str()), (0, ""));
    insta::assert_snapshot!(text, @r"
    s::a  8 of 8 attempts on 1 kernel: 93% (70% to 100%); the suite says none; `chance: 0.7` is safe
    s::b  2 of 8 attempts on 1 kernel: 27% (6% to 60%); the suite says 0.9, which is too high; `chance: 0.05` is safe
    s::c  never seen
    ");
}
