//! What the queue gives out, and when it ends.

use std::sync::Arc;

use super::*;
use crate::machine::Machine;
use crate::plan::{Cell, sample};
use crate::verdict::Verdict;

/// Name, processors, and memory in MiB of a cell.
type Small = (&'static str, u32, u32);

/// A queue on a host of 4 processors and 4 GiB with these cells: name, processors, memory in MiB.
fn queue(jobs: Option<u32>, cells: &[Small]) -> Queue {
    let queue = Queue::new(Capacity { guests: u32::MAX, jobs, cpus: 4, memory_mib: 4096 });
    queue.push(cells.iter().map(|(name, cpus, memory_mib)| cell(name, *cpus, *memory_mib)));
    queue
}

fn cell(name: &str, cpus: u32, memory_mib: u32) -> Cell {
    let mut placed = sample::placed(name, "");
    placed.machine = Arc::new(Machine { cpus, memory_mib, ..Machine::built_in() });
    Cell::new(&placed, sample::kernel(None, &[], None))
}

fn name(claim: &Claim<'_>) -> String {
    match &claim.work {
        Work::Begin(cell) | Work::Help(cell, _) => cell.cell().test.name.clone(),
    }
}

fn config() -> Config {
    Config {
        capacity: Capacity { guests: u32::MAX, jobs: None, cpus: 4, memory_mib: 4096 },
        attempts: None,
        retries: 0,
        max_fail: None,
        ignore_known: false,
        seed: 1,
        run_dir: None,
        reproduce: None,
    }
}

/// The names of what is given out without anything being given back.
fn together(queue: &Queue) -> Vec<String> {
    let mut state = queue.lock();
    let claims: Vec<Claim<'_>> =
        std::iter::from_fn(|| queue.begin(&mut state, &config(), &Cancel::new())).collect();
    drop(state);
    claims.iter().map(name).collect()
}

#[test]
fn what_fits_goes_ahead_of_what_does_not() {
    let table: &[(Option<u32>, &[Small], &[&str])] = &[
        (None, &[("a", 2, 512), ("b", 2, 512), ("c", 2, 512)], &["a", "b"]),
        (None, &[("a", 3, 512), ("b", 2, 512), ("c", 1, 512)], &["a", "c"]),
        (None, &[("a", 1, 3072), ("b", 1, 2048), ("c", 1, 1024)], &["a", "c"]),
        // a machine larger than the host runs alone
        (None, &[("a", 64, 512), ("b", 1, 512)], &["a"]),
        (None, &[("a", 1, 512), ("b", 64, 512), ("c", 1, 512)], &["a", "c"]),
        // a number of machines in place of processors
        (Some(1), &[("a", 1, 512), ("b", 1, 512)], &["a"]),
        (Some(3), &[("a", 4, 512), ("b", 4, 512), ("c", 4, 512), ("d", 4, 512)], &["a", "b", "c"]),
        (Some(3), &[("a", 4, 4096), ("b", 4, 512)], &["a"]),
    ];
    for (jobs, cells, expected) in table {
        assert_eq!(together(&queue(*jobs, cells)), *expected, "{jobs:?} {cells:?}");
    }
}

#[test]
fn machines_that_only_wait_run_beside_each_other() {
    let mut durations = Durations::default();
    // what came out of a hang says nothing of the test
    let hung = CellId { test: "s::hung".to_owned(), kernel: "6.12.1".to_owned() };
    durations.learn_load(&hung, 0.0);
    durations
        .learn(&CellRecord { verdict: Verdict::Blind, ..CellRecord::clean(&hung.test, &hung.kernel, 60.0) });
    for (name, kernel, load) in [("waits", "6.12.1", 0.1), ("waits", "6.1", 0.9), ("works", "6.12.1", 1.5)] {
        let id = CellId { test: format!("s::{name}"), kernel: kernel.to_owned() };
        durations.learn_load(&id, load);
        // an attempt that took less is no reason to expect less
        durations.learn_load(&id, 0.0);
        durations.learn(&CellRecord::clean(&id.test, &id.kernel, 10.0));
    }
    let on = |name: &str, kernel: &str| {
        let mut cell = cell(name, 2, 256);
        Arc::make_mut(&mut cell.kernel).name = kernel.to_owned();
        cell
    };
    let together_of = |jobs, cells: &[(&str, &str)]| {
        let capacity = Capacity { guests: u32::MAX, jobs, cpus: 2, memory_mib: 4096 };
        let queue = Queue::new(capacity).with_durations(durations.clone(), None);
        queue.push(cells.iter().map(|(name, kernel)| on(name, kernel)));
        together(&queue).len()
    };
    assert_eq!(together_of(None, &[("waits", "6.12.1"); 20]), 8);
    // of a kernel that nobody saw it on, the most that it took elsewhere
    assert_eq!(together_of(None, &[("waits", "7.2"); 20]), 1);
    assert_eq!(together_of(None, &[("works", "6.12.1"); 20]), 1);
    assert_eq!(together_of(None, &[("new", "6.12.1"); 20]), 1);
    assert_eq!(together_of(None, &[("hung", "6.12.1"); 20]), 1);
    assert_eq!(together_of(Some(3), &[("waits", "6.12.1"); 20]), 3);
    // in the same seconds it might do less beside others
    let mut timed = on("waits", "6.12.1");
    let dose = &mut Arc::make_mut(&mut timed.test).dose;
    (dose.seconds, dose.rounds) = (Some(10), None);
    assert_eq!(Share::of(&timed, Some(0.1)).millicores, 2000);
    // rounds are counted, however long they take
    Arc::make_mut(&mut timed.test).dose.rounds = Some(30);
    assert_eq!(Share::of(&timed, Some(0.1)).millicores, 250);
}

#[test]
fn what_a_run_learns_counts_for_the_cells_that_wait() {
    let on = |name: &str, kernel: &str| {
        let mut cell = cell(name, 2, 256);
        Arc::make_mut(&mut cell.kernel).name = kernel.to_owned();
        cell
    };
    let took = |queue: &Queue, name: &str, kernel: &str, load: f64| {
        let id = CellId { test: format!("s::{name}"), kernel: kernel.to_owned() };
        queue.order().durations.learn_load(&id, load);
        queue.learn(&CellRecord::clean(&id.test, kernel, 10.0));
    };
    let count = |judged: &[(&str, &str, f64)]| {
        let queue = queue(None, &[]);
        let names = ["waits"; 6].into_iter().chain(["works"; 3]);
        queue.push(names.enumerate().map(|(n, name)| on(name, &format!("6.{n}"))));
        judged.iter().for_each(|(name, kernel, load)| took(&queue, name, kernel, *load));
        together(&queue)
    };
    // on a host with four processors
    assert_eq!(count(&[]), ["waits"; 2]);
    assert_eq!(count(&[("waits", "5.10", 0.8)]), ["waits"; 4]);
    assert_eq!(count(&[("works", "5.10", 0.8)]), ["waits"; 2]);
    assert_eq!(count(&[("waits", "5.10", 0.1)]).len(), 7, "six that wait and one that works");
    // the most that it took anywhere
    assert_eq!(count(&[("waits", "5.10", 0.1), ("waits", "5.15", 0.8)]), ["waits"; 4]);
    assert_eq!(count(&[("waits", "5.10", 0.1), ("waits", "5.15", 1.6)]), ["waits"; 2]);
}

#[test]
fn who_would_only_wait_for_a_snapshot_lets_others_go_ahead() {
    let on = |name: &str, image: &str, priority: i32| {
        let mut cell = cell(name, 1, 512);
        let mut kernel = (*cell.kernel).clone();
        kernel.image = image.into();
        cell.kernel = Arc::new(kernel);
        Arc::make_mut(&mut cell.test).turn.priority = priority;
        cell
    };
    let queue = queue(Some(3), &[]);
    queue.push([on("a-test", "a", 0), on("a-control", "a", 0), on("b-test", "b", 0)]);
    // where there is nothing else it waits
    assert_eq!(together(&queue), ["a-test", "b-test", "a-control"]);

    // once there is a snapshot, or none can be had, all is as it came
    queue.push([on("a-later", "a", 0), on("b-later", "b", 0)]);
    assert_eq!(together(&queue), ["a-later", "b-later"]);

    // a priority is the user's word
    queue.push([on("c-test", "c", 1), on("c-control", "c", 1), on("d-test", "d", 0)]);
    assert_eq!(together(&queue), ["c-test", "c-control", "d-test"]);
}

#[test]
fn a_cell_that_is_skipped_takes_nothing() {
    let queue = queue(None, &[("a", 4, 4096)]);
    queue.push([Cell { unmet: Some("no module".into()), ..cell("b", 4, 4096) }]);
    assert_eq!(together(&queue), ["b", "a"]);
}

#[test]
fn what_is_given_back_is_there_for_the_next() {
    let queue = queue(None, &[("a", 4, 512), ("b", 4, 512)]);
    let cancel = Cancel::new();
    for expected in ["a", "b"] {
        let claim = queue.claim(&config(), &cancel).expect("the host is free");
        assert_eq!(name(&claim), expected);
    }
    let state = queue.lock();
    assert_eq!((state.running, state.millicores, state.memory_mib), (0, 0, 0));
}

#[test]
fn it_ends_when_it_is_closed_and_empty_and_not_before() {
    let queue = queue(None, &[]);
    let cancel = Cancel::new();
    std::thread::scope(|scope| {
        let worker = scope.spawn(|| {
            let mut names = Vec::new();
            while let Some(claim) = queue.claim(&config(), &cancel) {
                names.push(name(&claim));
            }
            names
        });
        let waiting = scope.spawn(|| queue.wait_closed());
        for cell_name in ["a", "b"] {
            queue.push([cell(cell_name, 1, 512)]);
        }
        queue.close();
        assert_eq!(worker.join().expect("no panic"), ["a", "b"]);
        waiting.join().expect("no panic");
    });
    assert_eq!((queue.total(), queue.was_stopped(), queue.enough().is_set()), (2, false, false));
}

#[test]
fn stopping_and_cancelling_end_who_waits() {
    for stop in [true, false] {
        let queue = queue(Some(1), &[("a", 1, 512), ("b", 1, 512)]);
        let cancel = Cancel::new();
        let held = queue.claim(&config(), &cancel).expect("the host is free");
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| queue.claim(&config(), &cancel).map(|claim| name(&claim)));
            if stop {
                queue.stop();
            } else {
                cancel.set();
                queue.wake();
            }
            assert_eq!(waiting.join().expect("no panic"), None);
        });
        drop(held);
        assert!(queue.enough().is_set(), "who brings kernels may stop");
        assert_eq!((queue.was_stopped(), queue.total()), (stop, 2));
    }
}

#[test]
fn what_never_waits_here_is_counted() {
    let queue = queue(None, &[("a", 1, 512)]);
    queue.lose(3);
    queue.forgo(2);
    assert_eq!((queue.total(), queue.lost()), (6, 3));
    queue.stop();
    assert!(queue.was_stopped());
}
