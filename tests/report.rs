//! Runs on disk: what a killed runner, a full disk and two runners at once leave behind, and the reports of it.

use std::path::Path;

use clap::{CommandFactory, Parser};
use jiff::Timestamp;
use kregress::cli::report::{self, Args};
use kregress::event::{CellId, CellRecord, Counts, Event, SCHEMA};
use kregress::journal::{Journal, RunDir};
use kregress::report::matrix::MatrixStyle;
use kregress::report::{ReportError, RunEnd, RunSummary};
use kregress::verdict::Verdict;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    report: Args,
}

fn kregress_report(root: &Path, arguments: &[&str]) -> Result<String, ReportError> {
    let root = root.to_str().expect("a path of this test");
    let arguments = ["report", "-o", root].into_iter().chain(arguments.iter().copied());
    let command = Command::try_parse_from(arguments).expect("valid arguments");
    let mut out = Vec::new();
    report::run(&command.report, &mut out, MatrixStyle::PLAIN)?;
    Ok(String::from_utf8(out).expect("UTF-8"))
}

fn cell(kernel: &str) -> CellId {
    CellId { test: "block::elevator-switch-race".into(), kernel: kernel.into() }
}

fn record(kernel: &str, verdict: Verdict) -> Event {
    Event::Cell(Box::new(CellRecord {
        test: cell(kernel).test,
        kernel: kernel.into(),
        release: None,
        verdict,
        title: (verdict == Verdict::Bad).then(|| "BUG: kernel NULL pointer dereference in x".into()),
        attempts: 1,
        seconds: 3.2,
        reason: None,
        miss_chance: None,
        known: None,
        arch: None,
        package: None,
        expectation: None,
    }))
}

fn events(run: &RunDir) -> Vec<Event> {
    let mut events = vec![Event::RunStarted {
        schema: SCHEMA,
        run: run.id().into(),
        kregress: "0.1.0".into(),
        at: Timestamp::UNIX_EPOCH,
        command: vec!["kregress".into(), "run".into()],
        cells: 3,
        split: Default::default(),
    }];
    for kernel in ["6.12.57", "6.17.13", "7.2.13"] {
        events.push(Event::Planned {
            cell: cell(kernel),
            release: None,
            summary: "a race".into(),
            expectation: None,
            about: None,
            select: None,
            options: Vec::new(),
        });
    }
    events.push(record("6.12.57", Verdict::Good));
    events.push(record("6.17.13", Verdict::Bad));
    events.push(record("7.2.13", Verdict::Good));
    let counts = Counts { good: 2, bad: 1, ..Counts::default() };
    events.push(Event::RunFinished { at: Timestamp::UNIX_EPOCH, seconds: 9.6, cancelled: false, counts });
    events
}

/// A run in `root` whose journal has the first `keep` of its events.
fn run(root: &Path, keep: usize) -> RunDir {
    let run = RunDir::create(root).unwrap();
    let journal = Journal::create(run.path()).unwrap();
    events(&run).iter().take(keep).for_each(|event| {
        journal.append(event).unwrap();
    });
    run.make_latest().unwrap();
    run
}

#[test]
fn the_summary_of_the_latest_run() {
    let root = tempfile::tempdir().unwrap();
    run(root.path(), 0);
    run(root.path(), usize::MAX);
    let text = kregress_report(root.path(), &[]).unwrap();
    insta::assert_snapshot!(text, @r#"
    ────────────────────────────────────────────────────────────
         Summary [   9.600s] 3 cells: 1 bad, 2 good
            FAIL [   3.200s] 6.17.13 block::elevator-switch-race  BUG: kernel NULL pointer dereference in x
         Absence block::elevator-switch-race  1 clean attempt on each of 2 kernels: the chance to see the bug in one attempt is not known

                                 6.12.57  6.17.13  7.2.13
    block::elevator-switch-race  PASS     FAIL     PASS
    "#);
    let matrix = kregress_report(root.path(), &["latest", "--format", "matrix"]).unwrap();
    assert!(text.ends_with(&matrix), "{matrix}");
}

#[test]
fn the_help() {
    let mut command = Command::command().name("kregress report").term_width(100);
    insta::assert_snapshot!(command.render_help(), @r#"
    Makes the reports of a run again from its journal, also those of a run that was killed

    Usage: kregress report [OPTIONS] [RUN]...
           kregress report <COMMAND>

    Commands:
      merge  Make one run of several: the parts of a matrix, and what was run again
      help   Print this message or the help of the given subcommand(s)

    Arguments:
      [RUN]...  The run: `latest`, its id or the id's last four digits, or the path of its folder or
                journal; of several, or of a folder of runs, all together [default: latest]

    Options:
          --format <FORMAT>   Print this to standard output [default: summary, unless --junit or --write
                              is given] [possible values: summary, human, matrix, kernels, junit, tap,
                              tap14, kcidb, github, mail, json, markdown, html, reply, b4, regzbot, syz]
          --tester <PERSON>   Who tested, for the answer to a queue's mails: 'Name <address>'
          --junit <FILE>      Write JUnit XML to this file; `-` is standard output
          --junit-known <AS>  How JUnit shows failures that the suites list as known [default: skipped]
                              [possible values: skipped, failure]
          --annotate <FOR>    Print annotations of what failed [possible values: github]
          --write             Write the reports into the run's folder again, as the end of the run does
      -o, --output <DIR>      The folder that holds the runs [env: KREGRESS_REPORTS] [default: reports]
      -h, --help              Print help (see more with '--help')
    "#);
}

#[test]
fn junit_of_a_killed_run() {
    let root = tempfile::tempdir().unwrap();
    let run = run(root.path(), 6);
    // The event that was being written when the runner was killed.
    let mut journal = std::fs::read(run.journal()).unwrap();
    journal.extend(b"{\"event\":\"cell\",\"test\":\"blo");
    std::fs::write(run.journal(), journal).unwrap();

    let summary = RunSummary::of(&run).unwrap();
    assert_eq!((summary.ended, summary.counts().not_run), (RunEnd::Killed, 1));
    let to_stdout = kregress_report(root.path(), &["--junit", "-"]).unwrap();
    let file = root.path().join("out.xml");
    assert_eq!(kregress_report(root.path(), &["--junit", file.to_str().unwrap()]).unwrap(), "");
    assert_eq!(std::fs::read_to_string(&file).unwrap() + "\n", to_stdout);
    assert!(
        to_stdout.contains(r#"<failure type="symptom" message="BUG: kernel NULL pointer dereference in x""#)
    );
    assert!(to_stdout.contains(r#"<error type="not run" message="not run: the runner was killed"#));
}

/// Set for the process that [`a_killed_runner_loses_nothing`] starts: the folder of its runs.
const KILLED_ROOT: &str = "KREGRESS_TEST_KILLED_ROOT";

/// The runner of [`a_killed_runner_loses_nothing`]; without its variable it has nothing to do.
#[test]
fn runner_that_is_killed() {
    let Some(root) = std::env::var_os(KILLED_ROOT) else { return };
    let run = RunDir::create(root.as_ref()).unwrap();
    let journal = Journal::create(run.path()).unwrap();
    events(&run).iter().take(6).for_each(|event| {
        journal.append(event).unwrap();
    });
    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).unwrap();
    unreachable!("SIGKILL cannot be held back");
}

#[test]
fn a_killed_runner_loses_nothing() {
    let root = tempfile::tempdir().unwrap();
    let status = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "runner_that_is_killed"])
        .env(KILLED_ROOT, root.path())
        .status()
        .unwrap();
    assert!(!status.success());
    let run = RunDir::find(root.path(), "latest").unwrap();
    let kept: Vec<Event> =
        kregress::journal::read(&run.journal()).unwrap().map(|event| event.unwrap()).collect();
    assert_eq!(kept, events(&run)[..6]);
    assert_eq!(RunSummary::of(&run).unwrap().ended, RunEnd::Killed);
}

#[test]
fn a_run_that_goes_on_is_not_called_killed() {
    let root = tempfile::tempdir().unwrap();
    let run = RunDir::create(root.path()).unwrap();
    let journal = Journal::create(run.path()).unwrap();
    events(&run).iter().take(5).for_each(|event| {
        journal.append(event).unwrap();
    });
    assert_eq!(RunSummary::of(&run).unwrap().ended, RunEnd::Running);
    drop(journal);
    assert_eq!(RunSummary::of(&run).unwrap().ended, RunEnd::Killed);
}

#[test]
fn the_reports_of_a_run_are_written_into_its_folder() {
    let root = tempfile::tempdir().unwrap();
    let run = run(root.path(), usize::MAX);
    let names = kregress_report(root.path(), &["--write"]).unwrap();
    for name in names.lines() {
        let path = Path::new(name.trim_matches('\''));
        assert!(path.starts_with(run.path()) && path.is_file(), "{name}");
    }
    assert!(run.path().join("junit.xml").is_file());
}

#[test]
fn every_format_is_made_of_every_part_of_a_run() {
    for keep in 0..=8 {
        let root = tempfile::tempdir().unwrap();
        run(root.path(), keep);
        for format in ["summary", "matrix", "junit", "json", "markdown", "html"] {
            kregress_report(root.path(), &["--format", format]).unwrap();
        }
    }
}

#[test]
fn errors_name_the_place() {
    let root = tempfile::tempdir().unwrap();
    let message = |arguments: &[&str]| {
        let error = kregress_report(root.path(), arguments).unwrap_err().to_string();
        error.replace(root.path().to_str().unwrap(), "reports")
    };
    insta::assert_snapshot!(message(&[]), @"no run `latest` in reports: there are no runs yet, `kregress run` makes one");
    let run = run(root.path(), 4);
    let journal = std::fs::read_to_string(run.journal()).unwrap().replacen("planned", "plonked", 1);
    std::fs::write(run.journal(), journal).unwrap();
    insta::assert_snapshot!(message(&[]).replace(run.id(), "RUN"), @"reports/RUN/journal.jsonl:2:18: not an event: unknown variant `plonked`, expected one of `run-started`, `host`, `planned`, `attempt-started`, `phase`, `slow`, `attempt`, `cell`, `bisection`, `earlier`, `candidate-ready`, `candidate-closed`, `bisection-step`, `bisection-ended`, `queue`, `notice`, `run-finished`; the journal was edited or damaged, restore this line or remove it");
    let gone = "no/such/folder/junit.xml";
    std::fs::write(run.journal(), "").unwrap();
    insta::assert_snapshot!(message(&["--junit", gone]), @"cannot write the report no/such/folder/junit.xml: No such file or directory (os error 2)");
}

#[test]
fn many_runs_at_once_get_a_folder_each() {
    let root = tempfile::tempdir().unwrap();
    let ids: std::collections::BTreeSet<String> = std::thread::scope(|scope| {
        let one = || run(root.path(), usize::MAX).id().to_owned();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(one)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(ids.len(), 16);
    let latest = RunDir::find(root.path(), "latest").unwrap();
    assert!(ids.contains(latest.id()));
    assert_eq!(RunSummary::of(&latest).unwrap().counts().finished(), 3);
}

#[test]
fn events_of_many_threads_stay_whole_lines() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::create(root.path()).unwrap();
    let journal = Journal::create(dir.path()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let journal = &journal;
            scope.spawn(move || {
                for n in 0..200 {
                    let text = format!("{thread} {n} {}", "x".repeat(n * 10));
                    journal.append(&Event::Notice { text }).unwrap();
                }
            });
        }
    });
    let events = kregress::journal::read(&dir.journal()).unwrap();
    let events: Vec<Event> = events.map(|event| event.unwrap()).collect();
    assert_eq!(events.len(), 1600);
}
