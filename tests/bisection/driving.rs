//! The driver: evidence, what is none, ends, kills and what comes after.

use parking_lot::Mutex;
use std::collections::BTreeMap;

use kregress::bisect::{Answer, Find, Seen};
use kregress::bisection::{BisectionEnd, BisectionState, CandidateKernels};
use kregress::cancel::Cancel;
use kregress::event::Event;
use kregress::failure::Failure;
use kregress::kernel::Kernel;
use kregress::lab::sim::{Outcome, SimLab};
use kregress::lab::{Lab, Request, Watch};
use kregress::machine::Machine;
use kregress::observation::Observation;
use kregress::plan::Cell;
use kregress::suite::Test;
use rustix::event::{PollFd, PollFlags, poll};

use super::place::{Kernels, drive, drive_on, drive_until, from, line, number};

fn found(ended: &BisectionEnd) -> Vec<usize> {
    match ended {
        BisectionEnd::Answer(Answer::Found { candidates, .. }) => candidates.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_flaky_cause_and_a_fix_are_found() {
    for (chance, culprit) in [(1.0, 13), (0.5, 1), (0.5, 20), (0.3, 7)] {
        let record = line(20, Find::Cause);
        let kernels = Kernels::of(&record);
        let mut state = BisectionState::new(record).unwrap();
        let (ended, _) = drive(&mut state, &kernels, from(culprit, chance));
        assert_eq!(found(&ended), [culprit], "{chance}");
    }
    let record = line(20, Find::Fix);
    let kernels = Kernels::of(&record);
    let fixed = |kernel: &str, attempt: u32| match number(kernel) >= 9 {
        true => Outcome::Clean,
        false => from(0, 0.5)(kernel, attempt),
    };
    let (ended, _) = drive(&mut BisectionState::new(record).unwrap(), &kernels, fixed);
    assert_eq!(found(&ended), [9]);
}

#[test]
fn what_is_no_evidence_moves_nothing() {
    // kernels around the culprit break in every other way
    for outcome in [Outcome::Crash, Outcome::Lost, Outcome::Blind("?".into()), Outcome::Skip("no".into())] {
        let record = line(30, Find::Cause);
        let kernels = Kernels::of(&record);
        let mut state = BisectionState::new(record).unwrap();
        let broken = outcome.clone();
        let (ended, _) = drive(&mut state, &kernels, |kernel, attempt| match number(kernel) {
            11..=13 => broken.clone(),
            _ => from(12, 0.7)(kernel, attempt),
        });
        assert_eq!(found(&ended), [11, 12, 13, 14], "{outcome:?}");
        for (node, tried) in state.all_tried().filter(|(node, _)| (11..=13).contains(node)) {
            assert_eq!(state.search().posterior().seen(node), Seen::default());
            assert!(tried.closed.is_some() && tried.attempts.len() <= 4, "{tried:?}");
        }
    }
}

#[test]
fn now_and_then_an_attempt_is_lost() {
    let record = line(12, Find::Cause);
    let kernels = Kernels::of(&record);
    let mut state = BisectionState::new(record).unwrap();
    let (ended, _) = drive(&mut state, &kernels, |kernel, attempt| match attempt % 2 {
        0 => Outcome::Lost,
        _ => from(5, 1.0)(kernel, attempt),
    });
    assert_eq!(found(&ended), [5]);
}

#[test]
fn kernels_that_cannot_be_had_are_passed_over() {
    let record = line(20, Find::Cause);
    let mut kernels = Kernels::of(&record);
    for node in [9, 10, 11] {
        kernels.failing.insert(node, Failure::Kernel("it does not compile".into()));
    }
    let mut state = BisectionState::new(record).unwrap();
    let (ended, events) = drive(&mut state, &kernels, from(15, 1.0));
    assert_eq!(found(&ended), [15]);
    let closed = events.iter().filter(|event| matches!(event, Event::CandidateClosed { .. })).count();
    assert!((1..=3).contains(&closed), "{closed}");
}

#[test]
fn a_full_disk_ends_it_and_room_goes_on_with_it() {
    let record = line(20, Find::Cause);
    let mut kernels = Kernels::of(&record);
    for node in 1..20 {
        kernels.failing.insert(node, Failure::Host("the disk is full".into()));
    }
    let mut state = BisectionState::new(record).unwrap();
    let (ended, _) = drive(&mut state, &kernels, from(7, 1.0));
    assert_eq!(ended, BisectionEnd::Host("the disk is full".into()));
    assert!(state.all_tried().all(|(_, tried)| tried.closed.is_none()));
    kernels.failing.clear();
    let (ended, _) = drive(&mut state, &kernels, from(7, 1.0));
    assert_eq!(found(&ended), [7]);
}

#[test]
fn the_ends_are_tried_first() {
    let answer = |outcome: &(dyn Fn(&str, u32) -> Outcome + Sync)| {
        let record = line(20, Find::Cause);
        let kernels = Kernels::of(&record);
        let mut state = BisectionState::new(record).unwrap();
        let (BisectionEnd::Answer(answer), _) = drive(&mut state, &kernels, outcome) else { panic!() };
        assert!(state.all_tried().all(|(node, _)| node == 0 || node == 20), "nothing in between was tried");
        answer
    };
    assert!(matches!(answer(&|_, _| Outcome::Clean), Answer::BadEndClean { .. }));
    assert!(matches!(answer(&from(0, 1.0)), Answer::GoodEndBad { .. }));
    assert_eq!(answer(&|_, _| Outcome::Skip("no module".into())), Answer::EndNotJudged { node: 20 });
    let exchanged = |kernel: &str, _: u32| match number(kernel) {
        0 => Outcome::Symptom("boom".into()),
        _ => Outcome::Clean,
    };
    assert!(matches!(answer(&exchanged), Answer::Exchanged { .. }));
}

#[test]
fn killed_anywhere_it_goes_on_where_it_was() {
    let record = line(24, Find::Cause);
    let kernels = Kernels::of(&record);
    let (whole, events) = drive(&mut BisectionState::new(record.clone()).unwrap(), &kernels, from(17, 0.5));
    let attempts = |events: &[Event]| events.iter().filter(|e| matches!(e, Event::Attempt { .. })).count();
    // every event is a line of the journal: it has to come back as it was
    for event in &events {
        let line = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<Event>(&line).unwrap(), event, "{line}");
    }
    for killed_after in (0..events.len()).step_by(5) {
        let mut state = BisectionState::new(record.clone()).unwrap();
        events[..killed_after].iter().for_each(|event| state.apply(event));
        let (ended, more) = drive(&mut state, &kernels, from(17, 0.5));
        assert_eq!(found(&ended), found(&whole), "after {killed_after} events");
        // attempts of one round may come in another order, so that their number differs a little
        let sum = attempts(&events[..killed_after]) + attempts(&more);
        assert!(sum.abs_diff(attempts(&events)) <= attempts(&events) / 2, "{sum} {}", attempts(&events));
    }
}

#[test]
fn an_interruption_is_no_evidence() {
    let record = line(24, Find::Cause);
    let kernels = Kernels::of(&record);
    let mut state = BisectionState::new(record).unwrap();
    let cancel = Cancel::new();
    let (ended, events) = drive_until(&mut state, &kernels, from(17, 1.0), &cancel, |event| {
        if matches!(event, Event::AttemptStarted { cell, .. } if cell.kernel == "k12") {
            cancel.set();
        }
    });
    assert_eq!(ended, BisectionEnd::Interrupted);
    assert!(!events.iter().any(|event| matches!(event, Event::Attempt { cell, .. } if cell.kernel == "k12")));
    let (ended, _) = drive(&mut state, &kernels, from(17, 1.0));
    assert_eq!(found(&ended), [17]);
}

#[test]
fn earlier_attempts_count_where_the_kernel_is_the_same() {
    let record = line(24, Find::Cause);
    let kernels = Kernels::of(&record);
    let mut first = BisectionState::new(record.clone()).unwrap();
    drive(&mut first, &kernels, from(17, 0.9));
    let mut second = BisectionState::new(record.clone()).unwrap();
    for (node, tried) in first.all_tried() {
        let seen = first.search().posterior().seen(node);
        let (from, content) = ("before".to_owned(), tried.content.clone());
        second.apply(&Event::Earlier { kernel: format!("k{node}"), seen, from, content });
    }
    let (ended, events) = drive(&mut second, &kernels, |_, _| panic!("nothing is left to try"));
    assert_eq!(found(&ended), [17]);
    assert!(!events.iter().any(|event| matches!(event, Event::Attempt { .. })));

    // what was seen of another kernel of the same name is forgotten as soon as that is known
    let mut third = BisectionState::new(record).unwrap();
    let (seen, from_run) = (Seen::new(0, 50), "before".to_owned());
    third.apply(&Event::Earlier {
        kernel: "k24".into(),
        seen,
        from: from_run,
        content: Some("another".into()),
    });
    let (ended, _) = drive(&mut third, &kernels, from(17, 0.9));
    assert_eq!(found(&ended), [17]);
    assert_eq!(
        third.search().posterior().seen(24).clean() + third.search().posterior().seen(24).symptoms,
        third.tried(24).unwrap().attempts.len() as u32
    );
}

#[test]
fn more_attempts_may_be_allowed_later() {
    let mut record = line(64, Find::Cause);
    record.aims.most_attempts = 8;
    let kernels = Kernels::of(&record);
    let mut state = BisectionState::new(record).unwrap();
    let (ended, _) = drive(&mut state, &kernels, from(40, 0.6));
    assert!(matches!(ended, BisectionEnd::Answer(Answer::Inconclusive { .. })), "{ended:?}");
    state.set_aims(kregress::bisect::Aims { most_attempts: 500, ..state.record().aims });
    let (ended, _) = drive(&mut state, &kernels, from(40, 0.6));
    assert_eq!(found(&ended), [40]);
}

#[test]
fn what_the_host_lost_is_tried_again_when_it_is_gone_on_with() {
    let record = line(20, Find::Cause);
    let kernels = Kernels::of(&record);
    let mut state = BisectionState::new(record).unwrap();
    let (ended, _) = drive(&mut state, &kernels, |kernel, attempt| match number(kernel) {
        10..=14 => Outcome::Lost,
        5 => Outcome::Crash,
        _ => from(12, 1.0)(kernel, attempt),
    });
    assert_eq!(found(&ended), [10, 11, 12, 13, 14, 15]);
    state.apply(&Event::RunStarted {
        schema: 1,
        run: "r".into(),
        kregress: "0.1.0".into(),
        at: jiff::Timestamp::UNIX_EPOCH,
        command: Vec::new(),
        cells: 20,
        split: Default::default(),
    });
    let (ended, _) = drive(&mut state, &kernels, from(12, 1.0));
    assert_eq!(found(&ended), [12]);
}

/// Kernels of which some are brought before they are asked for; that never ends by itself.
struct Ahead {
    kernels: Kernels,
    /// What was brought and what was got, in order.
    log: parking_lot::Mutex<Vec<(&'static str, usize)>>,
}

impl CandidateKernels for Ahead {
    fn cell(&self, node: usize) -> Result<Cell, Failure> {
        self.log.lock().push(("got", node));
        self.kernels.cell(node)
    }

    fn is_here(&self, _: usize) -> bool {
        false
    }

    fn comes_ahead(&self) -> bool {
        true
    }

    fn bring_ahead(&self, node: usize, enough: &Cancel) {
        self.log.lock().push(("brought", node));
        let mut waited = [PollFd::new(enough, PollFlags::IN)];
        poll(&mut waited, None).expect("it can be waited for");
    }
}

#[test]
fn the_kernel_that_is_likely_next_is_brought_while_attempts_run_and_delays_nothing() {
    let record = line(20, Find::Cause);
    let kernels = Ahead { kernels: Kernels::of(&record), log: Default::default() };
    let (ended, _) = drive(&mut BisectionState::new(record).unwrap(), &kernels, from(13, 1.0));
    assert_eq!(found(&ended), [13]);
    let log = kernels.log.into_inner();
    // at the bad end it is the good one, there it is the middle
    assert_eq!(log[..3], [("got", 20), ("brought", 0), ("got", 0)], "{log:?}");
    let place = |what: (&str, usize)| log.iter().position(|one| *one == what);
    for (_, node) in log.iter().filter(|(what, _)| *what == "brought") {
        let got = place(("got", *node));
        assert!(got.is_none_or(|got| got > place(("brought", *node)).unwrap()), "{node} was here: {log:?}");
    }
}

/// A lab without guests that counts the attempts that were announced to it, by kernel.
struct Prefetching<F>(SimLab<F>, Mutex<BTreeMap<String, usize>>);

impl<F: Fn(&Request<'_>) -> Outcome + Sync> Lab for Prefetching<F> {
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), Failure> {
        self.0.prepare(kernel, test, machine)
    }

    fn prefetch(&self, kernel: &Kernel, _: &Test, _: &Machine) {
        *self.1.lock().entry(kernel.name.clone()).or_default() += 1;
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        self.0.attempt(request, watch)
    }
}

#[test]
fn no_guest_is_made_ready_that_no_attempt_follows() {
    let record = line(12, Find::Cause);
    let kernels = Kernels::of(&record);
    let mut state = BisectionState::new(record).unwrap();
    let outcome = from(5, 0.3);
    let sim = SimLab::new(|request: &Request<'_>| outcome(&request.kernel.name, request.attempt));
    let lab = Prefetching(sim, Mutex::default());
    let steps = Mutex::new(BTreeMap::<String, usize>::new());
    let (ended, _) = drive_on(&lab, &mut state, &kernels, &Cancel::new(), |event| {
        if let Event::BisectionStep { kernel, attempts, .. } = event {
            // two run side by side: as many are made ready as come after the first two
            *steps.lock().entry(kernel.clone()).or_default() += (*attempts as usize).saturating_sub(2);
        }
    });
    assert_eq!(found(&ended), [5]);
    let (prefetched, steps) = (lab.1.into_inner(), steps.into_inner());
    // a bad kernel ends its step when it shows the bug
    let clean = steps.into_iter().filter(|(kernel, more)| number(kernel) < 5 && *more > 0).collect();
    let on_clean: BTreeMap<String, usize> =
        prefetched.into_iter().filter(|(kernel, _)| number(kernel) < 5).collect();
    assert_eq!(on_clean, clean);
    assert!(!on_clean.is_empty(), "some step has more attempts than run side by side");
}
