//! Cells on a simulated lab: order, capacity, and attempts of one cell at once.

use parking_lot::Condvar;
use std::collections::HashMap;
use std::sync::Barrier;

use rustix::event::{PollFd, PollFlags, poll};

use super::*;
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::lab::sim::{self, Outcome, SimLab};
use crate::lab::{Request, Watch};
use crate::machine::Machine;
use crate::observation::Observation;
use crate::plan::{Cell, PlacedTest};
use crate::suite::Test;

/// Cells of tests, written as in a suite behind its `tests:`, on one kernel; a machine has one processor.
fn cells(head: &str, tests: &[(&str, &str)]) -> Vec<Cell> {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = format!("suite: s\nsummary: s\n{head}\ntests:\n");
    for (name, more) in tests {
        text += &format!(
            "- name: {name}\n  summary: t\n  program: {{shell: 'true'}}\n  symptom: {{reported: {{matching: simulated}}}}\n  {more}\n"
        );
    }
    let path = folder.path().join("s.yaml");
    std::fs::write(&path, text).expect("a file");
    let suite = crate::suite::load_file(&path).unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
    let kernel = sim::kernel("6.12.1");
    let machine = Arc::new(Machine { cpus: 1, ..Machine::built_in() });
    let placed = |test: &Arc<crate::suite::Test>| PlacedTest {
        test: Arc::clone(test),
        machine: Arc::clone(&machine),
        lacking: None,
    };
    suite.tests.iter().map(|test| Cell::new(&placed(test), Arc::clone(&kernel))).collect()
}

fn config(cpus: u32) -> Config {
    Config {
        capacity: Capacity { guests: u32::MAX, jobs: None, cpus, memory_mib: 1 << 20 },
        attempts: None,
        retries: 2,
        max_fail: None,
        ignore_known: false,
        seed: 1,
        run_dir: None,
        reproduce: None,
    }
}

/// Runs the cells; answers the events.
fn run_with(
    config: &Config,
    cells: Vec<Cell>,
    behave: impl Fn(&Request<'_>) -> Outcome + Sync,
) -> Vec<Event> {
    let queue = Queue::new(config.capacity);
    queue.push(cells);
    queue.close();
    let events = Mutex::new(Vec::new());
    let sink = |event| events.lock().push(event);
    run(&queue, &SimLab::new(behave), config, &sink, &Cancel::new());
    events.into_inner()
}

fn verdicts(events: &[Event]) -> HashMap<String, (Verdict, u32)> {
    let cells = events.iter().filter_map(|event| match event {
        Event::Cell(record) => Some((record.test.clone(), (record.verdict, record.attempts))),
        _ => None,
    });
    cells.collect()
}

fn count(events: &[Event], is: impl Fn(&Event) -> bool) -> usize {
    events.iter().filter(|event| is(event)).count()
}

fn started(events: &[Event]) -> Vec<&str> {
    let started = events.iter().filter_map(|event| match event {
        Event::AttemptStarted { cell, .. } => Some(cell.test.as_str()),
        _ => None,
    });
    started.collect()
}

fn wait_for_the_end(request: &Request<'_>) -> Outcome {
    let mut fds = [PollFd::new(request.cancel, PollFlags::IN)];
    poll(&mut fds, None).expect("poll");
    Outcome::Cancelled
}

#[test]
fn attempts_of_a_cell_run_at_once_where_there_is_room_and_none_in_vain() {
    // neither ends before the other has begun
    let both = Barrier::new(2);
    let events = run_with(&config(4), cells("", &[("a", "dose: {attempts: 2}")]), |_| {
        both.wait();
        Outcome::Clean
    });
    assert_eq!(verdicts(&events)["s::a"], (Verdict::Good, 2));
    assert_eq!(started(&events).len(), 2, "no attempt more than can count");
}

#[test]
fn a_symptom_ends_the_attempts_that_still_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { run_dir: Some(folder.path().to_owned()), ..config(3) };
    let events =
        run_with(&config, cells("", &[("a", "dose: {attempts: 3}")]), |request| match request.attempt {
            2 => Outcome::symptom(),
            _ => wait_for_the_end(request),
        });
    assert_eq!(verdicts(&events)["s::a"], (Verdict::Bad, 1));
    assert_eq!(count(&events, |e| matches!(e, Event::Attempt { record, .. } if record.attempt == 2)), 1);
    assert_eq!(count(&events, |e| matches!(e, Event::Attempt { .. })), 1);
    let left: Vec<String> = std::fs::read_dir(folder.path().join("attempts/s__a@6.12.1"))
        .expect("the cell's folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(left, ["2"], "what was called off leaves no folder");
}

#[test]
fn a_failed_attempt_leaves_the_script_of_its_guest() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config {
        run_dir: Some(folder.path().to_owned()),
        reproduce: Some(Reproduction::default()),
        ..config(1)
    };
    let events =
        run_with(&config, cells("", &[("a", ""), ("b", "")]), |request| match request.test.id().as_str() {
            "s::a" => Outcome::symptom(),
            _ => Outcome::Clean,
        });
    let scripts: Vec<Option<String>> = events
        .iter()
        .filter_map(|event| match event {
            Event::Attempt { record, .. } => Some(record.reproduce.clone()),
            _ => None,
        })
        .collect();
    assert_eq!(scripts.iter().flatten().collect::<Vec<_>>(), ["attempts/s__a@6.12.1/1/reproduce.sh"]);
    let text = std::fs::read_to_string(folder.path().join("attempts/s__a@6.12.1/1/reproduce.sh"))
        .expect("it is there");
    assert!(text.ends_with("exec kregress vm shell --test s::a -k 6.12.1 \"$@\"\n"), "{text}");
    assert!(!folder.path().join("attempts/s__b@6.12.1/1/reproduce.sh").exists());
}

#[test]
fn attempts_at_once_come_to_what_they_would_one_after_the_other() {
    use Outcome::*;
    // of each: the results of the attempts, and that of the cell
    let table: &[(&[Outcome], Verdict, u32)] = &[
        (&[Clean, Clean, Clean], Verdict::Good, 3),
        (&[Outcome::symptom(), Outcome::blind(), Clean], Verdict::Bad, 1),
        (&[Outcome::blind(), Clean, Clean], Verdict::Blind, 1),
        (&[Crash, Clean, Clean], Verdict::Other, 3),
        (&[Crash, Clean, Outcome::symptom()], Verdict::Bad, 3),
        (&[Lost, Clean, Clean, Clean], Verdict::Good, 4),
        (&[Lost, Lost, Clean, Clean, Clean], Verdict::Good, 5),
        (&[Lost, Lost, Lost], Verdict::Lost, 3),
    ];
    for cpus in [1, 4] {
        for (outcomes, verdict, attempts) in table {
            // later attempts end before earlier ones where they run at once
            let (ended, changed) = (Mutex::new(0), Condvar::new());
            let events = run_with(&config(cpus), cells("", &[("a", "dose: {attempts: 3}")]), |request| {
                if cpus > 1 && request.attempt <= 3 {
                    let mut ended = ended.lock();
                    while *ended < 3 - request.attempt && !request.cancel.is_set() {
                        let some_time = std::time::Duration::from_millis(50);
                        changed.wait_for(&mut ended, some_time);
                    }
                    *ended += 1;
                    changed.notify_all();
                }
                // one more may begin before an earlier one settles the verdict
                let outcome = outcomes.get(request.attempt as usize - 1).cloned();
                outcome.unwrap_or_else(|| wait_for_the_end(request))
            });
            let (found, made) = verdicts(&events)["s::a"];
            assert_eq!(found, *verdict, "{outcomes:?} on {cpus}");
            if cpus == 1 {
                assert_eq!(made, *attempts, "{outcomes:?}");
            }
            let numbers: Vec<u32> = events
                .iter()
                .filter_map(|e| match e {
                    Event::Attempt { record, .. } => Some(record.attempt),
                    _ => None,
                })
                .collect();
            assert_eq!(numbers.len(), made as usize, "every attempt that counts is reported");
            assert!(numbers.is_sorted(), "{numbers:?}");
        }
    }
}

#[test]
fn a_group_has_its_maximum() {
    let names: Vec<String> = (0..12).map(|n| format!("t{n}")).collect();
    let tests: Vec<(&str, &str)> =
        names.iter().map(|name| (name.as_str(), "group: few\n  dose: {attempts: 3}")).collect();
    let running = Mutex::new((0, 0));
    let events = run_with(&config(8), cells("groups: {few: {max: 2}}", &tests), |_| {
        {
            let mut running = running.lock();
            running.0 += 1;
            running.1 = running.0.max(running.1);
        }
        std::thread::yield_now();
        running.lock().0 -= 1;
        Outcome::Clean
    });
    assert_eq!(verdicts(&events).len(), 12);
    assert!(running.into_inner().1 <= 2);
}

/// The tests of these cells with further groups and retries of their own, as a configuration gives them.
fn limited(cells: Vec<Cell>, limits: &[Arc<crate::suite::Group>], retries: Option<u32>) -> Vec<Cell> {
    let limit = |mut cell: Cell| {
        let test = Arc::make_mut(&mut cell.test);
        (test.turn.limits, test.turn.retries) = (limits.to_vec(), retries);
        cell
    };
    cells.into_iter().map(limit).collect()
}

#[test]
fn every_group_of_a_test_has_its_maximum() {
    let group = |name: &str, max| Arc::new(crate::suite::Group { name: name.to_owned(), max });
    let few = limited(cells("groups: {few: {max: 2}}", &[("a", "group: few")]), &[group("one", 1)], None);
    let queue = Queue::new(config(8).capacity);
    let others = limited(cells("", &[("b", "")]), &[group("one", 1)], None);
    queue.push(few.into_iter().chain(others).chain(cells("", &[("c", "")])));
    let claim = || {
        let claim = queue.claim(&config(8), &Cancel::new()).expect("a cell that fits");
        let Work::Begin(cell) = &claim.work else { panic!("a cell that nobody has begun") };
        (cell.cell().test.name.clone(), claim)
    };
    let (first, held) = claim();
    let (second, _other) = claim();
    assert_eq!((first.as_str(), second.as_str()), ("a", "c"), "b waits for a, with which it shares a group");
    drop(held);
    assert_eq!(claim().0, "b");
}

#[test]
fn a_test_may_have_retries_of_its_own() {
    for (retries, attempts) in [(None, 3), (Some(0), 1), (Some(4), 5)] {
        let cells = limited(cells("", &[("a", "")]), &[], retries);
        let events = run_with(&config(1), cells, |_| Outcome::Lost);
        assert_eq!(verdicts(&events)["s::a"], (Verdict::Lost, attempts), "{retries:?} instead of 2");
    }
}

#[test]
fn cells_begin_in_the_order_of_priority_then_of_what_they_take() {
    let tests = [
        ("short", "dose: {seconds: 1}"),
        ("long", "dose: {seconds: 9, attempts: 2}"),
        ("first", "priority: 5"),
        ("learnt", "dose: {seconds: 1}"),
        ("last", "dose: {seconds: 60}\n  priority: -1"),
    ];
    let config = config(1);
    let mut durations = durations::Durations::default();
    durations.learn(&CellRecord::clean("s::learnt", "6.12.1", 100.0));
    let queue = Queue::new(config.capacity).with_durations(durations, None);
    queue.push(cells("", &tests));
    queue.close();
    let events = Mutex::new(Vec::new());
    let sink = |event| events.lock().push(event);
    run(&queue, &SimLab::new(|_: &Request<'_>| Outcome::Clean), &config, &sink, &Cancel::new());
    let events = events.into_inner();
    assert_eq!(started(&events), ["s::first", "s::learnt", "s::long", "s::long", "s::short", "s::last"]);
    assert!(queue.durations() != durations::Durations::default());
}

#[test]
fn a_machine_larger_than_the_host_runs_alone() {
    let config =
        Config { capacity: Capacity { guests: u32::MAX, jobs: None, cpus: 2, memory_mib: 100 }, ..config(2) };
    let events = run_with(&config, cells("", &[("a", "dose: {attempts: 2}"), ("b", "")]), |_| Outcome::Clean);
    assert_eq!(verdicts(&events).len(), 2);
}

#[test]
fn an_interrupt_leaves_cells_without_a_verdict() {
    let cancel = Cancel::new();
    let config = config(2);
    let queue = Queue::new(config.capacity);
    queue.push(cells("", &[("a", "dose: {attempts: 4}"), ("b", "")]));
    queue.close();
    let events = Mutex::new(Vec::new());
    let sink = |event| events.lock().push(event);
    let lab = SimLab::new(|request: &Request<'_>| {
        cancel.set();
        queue.wake();
        wait_for_the_end(request)
    });
    let counts = run(&queue, &lab, &config, &sink, &cancel);
    assert_eq!((counts.finished(), counts.not_run), (0, 2));
    let events = events.into_inner();
    assert_eq!(count(&events, |e| matches!(e, Event::Attempt { .. } | Event::Cell(_))), 0);
}

/// A simulated lab that records which tests were announced to it.
struct Prefetching<L>(L, Mutex<Vec<String>>);

impl<L: Lab> Lab for Prefetching<L> {
    fn prepare(&self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), Failure> {
        self.0.prepare(kernel, test, machine)
    }

    fn prefetch(&self, _: &Kernel, test: &Test, _: &Machine) {
        self.1.lock().push(test.id());
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        self.0.attempt(request, watch)
    }
}

#[test]
fn the_lab_hears_what_is_likely_to_be_next() {
    let queue = Queue::new(config(1).capacity);
    let tests = [("a", "dose: {attempts: 3}"), ("b", ""), ("c", "dose: {attempts: 2}")];
    queue.push(cells("", &tests));
    queue.close();
    let lab = Prefetching(SimLab::new(|_| Outcome::Clean), Mutex::default());
    run(&queue, &lab, &config(1), &|_| (), &Cancel::new());
    let prefetched = lab.1.into_inner();
    // by expected length a, c, b: the rest of a cell comes before the next one, and after the last attempt nothing
    assert_eq!(prefetched, ["s::a", "s::a", "s::c", "s::c", "s::b"]);
}

/// Runs cells again and again; answers the events.
fn stressed(
    config: &Config,
    stress: Stress,
    cells: Vec<Cell>,
    behave: impl Fn(&Request<'_>) -> Outcome + Sync,
) -> Vec<Event> {
    let queue = Queue::new(config.capacity).with_stress(stress);
    queue.push(cells);
    queue.close();
    let events = Mutex::new(Vec::new());
    let sink = |event| events.lock().push(event);
    run(&queue, &SimLab::new(behave), config, &sink, &Cancel::new());
    events.into_inner()
}

fn counted(events: &[Event]) -> Counts {
    match events.last() {
        Some(Event::RunFinished { counts, .. }) => *counts,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_cell_that_is_judged_again_is_bad_if_it_was_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config { run_dir: Some(folder.path().to_owned()), ..config(1) };
    let behave = |request: &Request<'_>| match (request.test.name.as_str(), request.attempt) {
        ("flaky", 3) => Outcome::symptom(),
        ("lost", 2..=4) => Outcome::Lost,
        _ => Outcome::Clean,
    };
    let tests = [
        ("flaky", "dose: {attempts: 2, chance: 0.5}"),
        ("clean", "dose: {attempts: 2, chance: 0.5}"),
        ("lost", ""),
    ];
    let events = stressed(&config, Stress::new(Some(3), None), cells("", &tests), behave);
    let records: Vec<String> = events
        .iter()
        .filter_map(|event| match event {
            Event::Cell(record) => Some(format!(
                "{} {} {} {:?}",
                record.test, record.verdict, record.attempts, record.miss_chance
            )),
            _ => None,
        })
        .collect();
    let of = |test: &str| {
        records.iter().filter(|record| record.starts_with(test)).cloned().collect::<Vec<_>>().join("\n")
    };
    insta::assert_snapshot!([of("s::flaky"), of("s::clean"), of("s::lost")].join("\n"), @r"
    s::flaky good 2 Some(0.25)
    s::flaky bad 3 None
    s::flaky bad 5 None
    s::clean good 2 Some(0.25)
    s::clean good 4 Some(0.0625)
    s::clean good 6 Some(0.015625)
    s::lost good 1 None
    s::lost good 4 None
    s::lost good 5 None
    ");
    assert_eq!(counted(&events), Counts { bad: 1, good: 2, ..Counts::default() }, "each cell once");
    // every attempt has a number and a folder of its own
    let mut numbers: Vec<u32> = events
        .iter()
        .filter_map(|event| match event {
            Event::Attempt { cell, record } if cell.test == "s::flaky" => Some(record.attempt),
            _ => None,
        })
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    // all cells are judged before any is judged again
    let first: Vec<&str> = started(&events)[..5].to_vec();
    assert!(
        first.contains(&"s::flaky") && first.contains(&"s::clean") && first.contains(&"s::lost"),
        "{first:?}"
    );
    let mut summary = crate::report::RunSummary::default();
    events.into_iter().for_each(|event| summary.apply(event));
    let cell = summary.find("s::flaky", "6.12.1").expect("it was judged");
    assert_eq!((cell.verdict(), cell.attempt_verdicts().len()), (Some(Verdict::Bad), 5));
    assert_eq!(summary.counts(), Counts { bad: 1, good: 2, ..Counts::default() });
}

#[test]
fn a_time_that_is_over_ends_rounds_but_the_first() {
    let tests = [("a", ""), ("b", "")];
    let stress = Stress::new(None, Some(std::time::Duration::ZERO));
    let events = stressed(&config(2), stress, cells("", &tests), |_| Outcome::Clean);
    assert_eq!(count(&events, |event| matches!(event, Event::Cell(_))), 2);
    // and one that never comes is ended by the first failure
    let config = Config { max_fail: Some(1), ..config(2) };
    let stress = Stress::new(None, Some(std::time::Duration::MAX / 4));
    let events = stressed(&config, stress, cells("", &tests), |request| match request.attempt {
        7 => Outcome::symptom(),
        _ => Outcome::Clean,
    });
    assert_eq!(counted(&events).bad, 1);
}

#[test]
fn what_is_skipped_is_not_tried_again() {
    let mut cells = cells("", &[("a", "")]);
    cells[0].unmet = Some("no module".into());
    let events = stressed(&config(2), Stress::new(Some(5), None), cells, |_| unreachable!("it is skipped"));
    assert_eq!(count(&events, |event| matches!(event, Event::Cell(_))), 1);
}

#[test]
fn cells_that_wait_to_be_judged_again_hold_no_descriptor() {
    let names: Vec<String> = (0..600).map(|n| format!("t{n}")).collect();
    let tests: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "")).collect();
    let config = config(1);
    let queue = Queue::new(config.capacity).with_stress(Stress::new(Some(2), None));
    queue.push(cells("", &tests));
    queue.close();
    let most = Mutex::new(0);
    let sink = |event| {
        if matches!(event, Event::Cell(_)) {
            let open = std::fs::read_dir("/proc/self/fd").expect("/proc").flatten();
            let is_event = |entry: &std::fs::DirEntry| {
                std::fs::read_link(entry.path()).is_ok_and(|to| to.to_string_lossy().contains("[eventfd]"))
            };
            let mut most = most.lock();
            *most = open.filter(is_event).count().max(*most);
        }
    };
    run(&queue, &SimLab::new(|_: &Request<'_>| Outcome::Clean), &config, &sink, &Cancel::new());
    // other tests of this process have some
    let most = most.into_inner();
    assert!(most < 300, "{most} of 600 cells");
}
