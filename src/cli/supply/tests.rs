//! Kernels that come, or do not, and what becomes of their cells.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use super::*;
use crate::cancel::Cancel;
use crate::kernel::fixtures::{bzimage, vmlinux, zstd};
use crate::kernel::{KernelSpec, NoProgress};
use crate::lab::sim::{Outcome, SimLab};
use crate::plan::sample;
use crate::runner::{Capacity, Config};

/// Local kernel images, which need no network, and two tests.
struct World {
    root: tempfile::TempDir,
    library: Library,
    queue: Queue,
    placed: Vec<PlacedTest>,
    events: Mutex<Vec<Event>>,
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().expect("a temporary folder");
        let library = Library::open(&root.path().join("cache"), &[]).expect("no catalogue");
        let queue = Queue::new(Capacity { guests: u32::MAX, jobs: None, cpus: 4, memory_mib: 4096 });
        let placed = ["one", "two"].map(|name| sample::placed(name, "")).to_vec();
        World { root, library, queue, placed, events: Mutex::default() }
    }

    fn image(&self, release: &str) -> PathBuf {
        let elf = vmlinux(true);
        let path = self.root.path().join(release);
        std::fs::write(&path, bzimage(release, &zstd(&elf), elf.len() as u32))
            .expect("the folder is writable");
        path
    }

    fn wanted(&self, releases: &[&str]) -> Vec<RequestedKernel> {
        let specs: Vec<KernelSpec> = releases
            .iter()
            .map(|release| self.image(release).display().to_string().parse().expect("a path"))
            .collect();
        self.library.resolve(&specs, &NoProgress).expect("images").wanted
    }

    fn run(&self, wanted: &[RequestedKernel], place: &(dyn Fn(&Kernel) -> Vec<PlacedTest> + Sync)) {
        let sink = |event| self.events.lock().push(event);
        let supply = Supply {
            library: &self.library,
            queue: &self.queue,
            sink: &sink,
            progress: &NoProgress,
            place,
            means: &|_, _| true,
            adjust: &|test, _| Arc::clone(test),
        };
        let tests: Vec<Arc<Test>> = self.placed.iter().map(|placed| Arc::clone(&placed.test)).collect();
        supply.run(wanted, &tests);
    }

    /// The cells that run. That ends only where the queue is closed.
    fn cells(&self) -> Vec<String> {
        let capacity = Capacity { guests: u32::MAX, jobs: None, cpus: 4, memory_mib: 4096 };
        let config = Config {
            capacity,
            attempts: None,
            retries: 0,
            max_fail: None,
            ignore_known: false,
            seed: 1,
            run_dir: None,
            reproduce: None,
        };
        let names = Mutex::new(Vec::new());
        let sink = |event| {
            if let Event::Cell(record) = event {
                names.lock().push(format!("{}@{}", record.test, record.kernel));
            }
        };
        let lab = SimLab::new(|_| Outcome::Clean);
        crate::runner::run(&self.queue, &lab, &config, &sink, &Cancel::new());
        let mut names = names.into_inner();
        names.sort();
        names
    }

    /// The cells that were reported as finished, with verdict and reason.
    fn told(&self) -> Vec<String> {
        let root = self.root.path().display().to_string();
        let line = |event: &Event| match event {
            Event::Cell(record) => {
                let reason = record.reason.clone().unwrap_or_default().replace(&root, "ROOT");
                format!("{}@{} {} {reason}", record.test, record.kernel, record.verdict)
            }
            other => format!("{other:?}"),
        };
        self.events.lock().iter().map(line).collect()
    }
}

#[test]
fn every_kernel_gets_the_cells_of_all_tests() {
    let world = World::new();
    world.run(&world.wanted(&["6.99.1-a", "6.99.2-b"]), &|_| world.placed.clone());
    assert_eq!(world.cells(), ["s::one@6.99.1-a", "s::one@6.99.2-b", "s::two@6.99.1-a", "s::two@6.99.2-b"]);
    assert_eq!((world.told(), world.queue.total(), world.queue.lost()), (Vec::new(), 4, 0));
}

#[test]
fn the_cells_of_a_kernel_that_does_not_come_are_lost_with_the_reason() {
    let world = World::new();
    let wanted = world.wanted(&["6.99.1-a", "6.99.2-b"]);
    std::fs::remove_file(world.root.path().join("6.99.1-a")).expect("the image goes");
    world.run(&wanted, &|_| world.placed.clone());
    assert_eq!(world.cells(), ["s::one@6.99.2-b", "s::two@6.99.2-b"]);
    assert_eq!((world.queue.total(), world.queue.lost()), (4, 2));
    insta::assert_snapshot!(world.told().join("\n"), @r"
    s::one@6.99.1-a lost cannot read ROOT/6.99.1-a: No such file or directory (os error 2)
    s::two@6.99.1-a lost cannot read ROOT/6.99.1-a: No such file or directory (os error 2)
    ");
}

#[test]
fn what_is_not_waited_for_any_more_is_not_run_and_not_lost() {
    let world = World::new();
    let wanted = world.wanted(&["6.99.1-a", "6.99.2-b"]);
    world.queue.stop();
    world.run(&wanted, &|_| world.placed.clone());
    assert_eq!((world.cells(), world.told()), (Vec::new(), Vec::new()));
    assert_eq!((world.queue.total(), world.queue.lost()), (4, 0));
}

#[test]
fn the_queue_is_closed_whatever_happens() {
    let world = World::new();
    world.run(&[], &|_| world.placed.clone());
    assert_eq!((world.cells(), world.queue.total()), (Vec::new(), 0));

    let world = World::new();
    let wanted = world.wanted(&["6.99.1-a"]);
    let panicked =
        catch_unwind(AssertUnwindSafe(|| world.run(&wanted, &|_| panic!("a fault of this program"))));
    assert!(panicked.is_err());
    assert_eq!(world.cells(), Vec::<String>::new(), "who waits for cells is not left waiting");
}
