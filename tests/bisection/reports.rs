//! What people read at the end.

use parking_lot::Mutex;
use std::sync::Arc;

use kregress::bisect::{Find, Seen};
use kregress::bisection::BisectionState;
use kregress::bisection::report::{Report, html, markdown, text};
use kregress::cancel::Cancel;
use kregress::event::{BisectionSource, Event};
use kregress::failure::Failure;
use kregress::lab::sim::Outcome;
use kregress::progress::{Bisecting, EventSink, Paint};
use kregress::report::ExitStatus;
use kregress::report::html::ConsoleLink;
use kregress::report::matrix::MatrixStyle;
use kregress::verdict::Verdict;

use super::place::{Kernels, drive, drive_until, from, line, number};

fn started() -> Event {
    Event::RunStarted {
        schema: 1,
        run: "2026-11-21T09-12-33-a1b2".into(),
        kregress: "0.1.0".into(),
        at: jiff::Timestamp::UNIX_EPOCH,
        command: Vec::new(),
        cells: 8,
        split: Default::default(),
    }
}

/// The report of a bisection that was driven to its end, without its wall time.
fn report(
    state: &mut BisectionState,
    kernels: &Kernels,
    outcome: impl Fn(&str, u32) -> Outcome + Sync,
) -> Report {
    state.apply(&started());
    drive(state, kernels, outcome);
    let mut report = Report::of(state);
    report.seconds = 250.0;
    report
}

#[test]
fn a_culprit() {
    let mut record = line(8, Find::Cause);
    record.source =
        BisectionSource::Series { left_out: vec!["k3.5: gone from the mirror".into()], several_lines: true };
    let kernels = Kernels::of(&record);
    let report = report(&mut BisectionState::new(record).unwrap(), &kernels, from(6, 1.0));
    assert_eq!(report.exit_status(), ExitStatus::Success);
    insta::assert_snapshot!(text(&report, MatrixStyle::PLAIN));
    insta::assert_snapshot!(markdown(&report));
    let console =
        ConsoleLink { attempt: 1, verdict: Verdict::Bad, href: "./attempts/x/1/console.log".into() };
    let page = html(&report, &|kernel| if kernel == "k6" { vec![console.clone()] } else { Vec::new() });
    assert_eq!(page.matches("<a href=\"./attempts/x/1/console.log\">1 bad</a>").count(), 1);
    let mut reader = quick_xml::Reader::from_str(&page);
    while !matches!(reader.read_event().expect("well-formed"), quick_xml::events::Event::Eof) {}
}

#[test]
fn several_candidates_and_none() {
    let record = line(8, Find::Fix);
    let kernels = Kernels::of(&record);
    let broken = |kernel: &str, _: u32| match number(kernel) {
        0..=3 => Outcome::Symptom("boom".into()),
        4 => Outcome::Crash,
        _ => Outcome::Clean,
    };
    let set = report(&mut BisectionState::new(record).unwrap(), &kernels, broken);
    assert_eq!(set.exit_status(), ExitStatus::Inconclusive);

    let mut record = line(64, Find::Cause);
    record.aims.most_attempts = 9;
    let kernels = Kernels::of(&record);
    let none = report(&mut BisectionState::new(record).unwrap(), &kernels, from(40, 1.0));
    assert_eq!(none.exit_status(), ExitStatus::Inconclusive);
    insta::assert_snapshot!(text(&set, MatrixStyle::PLAIN) + &text(&none, MatrixStyle::PLAIN));
}

#[test]
fn ends_that_are_not_what_they_are_called() {
    let said = |outcome: &(dyn Fn(&str, u32) -> Outcome + Sync)| {
        let record = line(8, Find::Cause);
        let kernels = Kernels::of(&record);
        let report = report(&mut BisectionState::new(record).unwrap(), &kernels, outcome);
        assert_eq!(report.exit_status(), ExitStatus::Inconclusive);
        format!("{}\n  {}\n", report.headline, report.remarks.join("\n  "))
    };
    let exchanged = |kernel: &str, _: u32| match number(kernel) {
        0 => Outcome::Symptom("boom".into()),
        _ => Outcome::Clean,
    };
    let rare = |kernel: &str, attempt: u32| match (number(kernel), attempt) {
        (8, 30) => Outcome::Symptom("boom".into()),
        _ => Outcome::Clean,
    };
    let all = [
        said(&|_, _| Outcome::Clean),
        said(&from(0, 1.0)),
        said(&exchanged),
        said(&rare),
        said(&|_, _| Outcome::Skip("no null_blk".into())),
    ];
    insta::assert_snapshot!(all.concat());
}

#[test]
fn a_merge_and_builds_that_cannot_differ_are_said() {
    let mut record = line(3, Find::Cause);
    record.source = BisectionSource::Tree {
        path: "/src/linux".into(),
        config: "small".into(),
        config_digest: String::new(),
        compiler: None,
        arch: None,
        paths: Vec::new(),
    };
    record.candidates[2].parents = vec![0];
    record.candidates[3].parents = vec![1, 2];
    record.candidates[3].subject = "Merge two branches".into();
    record.candidates[3].author = "A Maintainer <a@example.org>".into();
    let mut kernels = Kernels::of(&record);
    kernels.digests.extend([(2, "same".into()), (3, "same".into())]);
    let mut state = BisectionState::new(record).unwrap();
    let report = report(&mut state, &kernels, from(3, 1.0));
    insta::assert_snapshot!(format!(
        "{}\n{}\n{}",
        report.headline,
        report.remarks.join("\n"),
        report.confirm.join("\n")
    ));
}

#[test]
fn one_that_did_not_end_says_how_to_go_on() {
    let mut state = BisectionState::new(line(8, Find::Cause)).unwrap();
    state.apply(&started());
    let mut report = Report::of(&state);
    report.plot.clear();
    insta::assert_snapshot!(text(&report, MatrixStyle::PLAIN));
}

/// What a view wrote.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn what_is_told_on_the_way() {
    let record = line(6, Find::Cause);
    let mut kernels = Kernels::of(&record);
    kernels.failing.insert(3, Failure::Kernel("it does not compile:\nfs/x.c:1: error".into()));
    let mut state = BisectionState::new(record.clone()).unwrap();
    let written = Written::default();
    let view = Bisecting::new(None, written.clone(), Paint::OFF);
    view.event(&Event::Bisection(Box::new(record)));
    let earlier = Event::Earlier {
        kernel: "k0".into(),
        seen: Seen::new(0, 3),
        from: "another run".into(),
        content: None,
    };
    state.apply(&earlier);
    view.event(&earlier);
    drive_until(&mut state, &kernels, from(5, 1.0), &Cancel::new(), |event| view.event(event));
    view.close();
    let text = String::from_utf8(written.0.lock().clone()).unwrap();
    insta::assert_snapshot!(text);
}
