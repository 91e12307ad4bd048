//! A bisection in memory.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kregress::bisect::{Aims, Costs, Find};
use kregress::bisection::{BisectionEnd, BisectionState, CandidateKernels, Driver};
use kregress::cancel::Cancel;
use kregress::event::{BisectionRecord, BisectionSource, CandidateRecord, Event};
use kregress::failure::Failure;
use kregress::kernel::{Kernel, KernelOrigin, ModuleTree};
use kregress::lab::sim::{Outcome, SimLab};
use kregress::lab::{Lab, Request};
use kregress::machine::Machine;
use kregress::plan::Cell;
use kregress::runner::Capacity;
use kregress::suite::{self, Test};

pub const TEST: &str = "s::boom";

pub fn test() -> Arc<Test> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.yaml");
    let text = "suite: s\nsummary: s\ntests:\n- name: boom\n  summary: it explodes\n  program: {shell: 'true'}\n  symptom: {reported: {matching: boom}}\n";
    std::fs::write(&path, text).expect("a file");
    Arc::clone(&suite::load_file(&path).expect("a suite").tests[0])
}

pub fn machine() -> Machine {
    Machine {
        name: "default".into(),
        summary: String::new(),
        cpus: 2,
        memory_mib: 512,
        accel: Default::default(),
        qemu: None,
        cmdline: Vec::new(),
        clock: Default::default(),
        devices: Vec::new(),
    }
}

pub fn kernel(name: &str, digest: &str) -> Kernel {
    Kernel {
        arch: kregress::arch::GUEST,
        name: name.into(),
        release: name.into(),
        version: "6.1".parse().expect("a version"),
        flavour: None,
        image: PathBuf::new(),
        vmlinux: None,
        config: None,
        system_map: None,
        modules: ModuleTree::unknown(name),
        origin: KernelOrigin::Local { image: PathBuf::new(), modules: None },
        digest: digest.into(),
    }
}

/// A line of `count` candidates behind `k0`.
pub fn line(count: usize, find: Find) -> BisectionRecord {
    let candidate = |at: usize| CandidateRecord {
        name: format!("k{at}"),
        id: format!("k{at}"),
        parents: at.checked_sub(1).into_iter().collect(),
        ..CandidateRecord::default()
    };
    BisectionRecord {
        test: TEST.into(),
        summary: "it explodes".into(),
        test_digest: "d".into(),
        find,
        aims: Aims::default(),
        costs: Costs { kernel: 10.0, attempt: 10.0 },
        source: BisectionSource::Series { left_out: Vec::new(), several_lines: false },
        candidates: (0..=count).map(candidate).collect(),
    }
}

/// Kernels that are there at once, but for those that are not.
pub struct Kernels {
    pub test: Arc<Test>,
    pub names: Vec<String>,
    pub failing: BTreeMap<usize, Failure>,
    pub digests: BTreeMap<usize, String>,
}

impl Kernels {
    pub fn of(record: &BisectionRecord) -> Kernels {
        let names = record.candidates.iter().map(|candidate| candidate.name.clone()).collect();
        Kernels { test: test(), names, failing: BTreeMap::new(), digests: BTreeMap::new() }
    }
}

impl CandidateKernels for Kernels {
    fn cell(&self, node: usize) -> Result<Cell, Failure> {
        if let Some(error) = self.failing.get(&node) {
            return Err(error.clone());
        }
        let name = &self.names[node];
        let digest = self.digests.get(&node).unwrap_or(name);
        Ok(Cell {
            test: Arc::clone(&self.test),
            machine: Arc::new(machine()),
            kernel: Arc::new(kernel(name, digest)),
            unmet: None,
        })
    }

    fn is_here(&self, _: usize) -> bool {
        false
    }
}

/// Runs to the end; gives how it ended and every event that a journal would keep.
pub fn drive(
    state: &mut BisectionState,
    kernels: &dyn CandidateKernels,
    outcome: impl Fn(&str, u32) -> Outcome + Sync,
) -> (BisectionEnd, Vec<Event>) {
    drive_until(state, kernels, outcome, &Cancel::new(), |_| {})
}

/// The same, with a callback for every event.
pub fn drive_until(
    state: &mut BisectionState,
    kernels: &dyn CandidateKernels,
    outcome: impl Fn(&str, u32) -> Outcome + Sync,
    cancel: &Cancel,
    hears: impl Fn(&Event) + Sync,
) -> (BisectionEnd, Vec<Event>) {
    let lab = SimLab::new(|request: &Request<'_>| outcome(&request.kernel.name, request.attempt));
    drive_on(&lab, state, kernels, cancel, hears)
}

/// The same on a lab of one's own.
pub fn drive_on(
    lab: &dyn Lab,
    state: &mut BisectionState,
    kernels: &dyn CandidateKernels,
    cancel: &Cancel,
    hears: impl Fn(&Event) + Sync,
) -> (BisectionEnd, Vec<Event>) {
    let kept = Mutex::new(Vec::new());
    let sink = |event: Event| {
        hears(&event);
        if event.is_kept() {
            kept.lock().push(event);
        }
    };
    let driver = Driver {
        lab,
        kernels,
        capacity: Capacity { guests: u32::MAX, jobs: None, cpus: 4, memory_mib: 4096 },
        retries: 2,
        seed: 1,
        run_dir: None,
        sink: &sink,
        cancel,
    };
    let ended = driver.run(state);
    (ended, kept.into_inner())
}

/// A number that looks random, the same for the same attempt.
pub fn draw(kernel: &str, attempt: u32) -> f64 {
    let mut z = kernel.bytes().fold(u64::from(attempt) + 7, |sum, byte| {
        (sum ^ u64::from(byte)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as f64 / (1u64 << 53) as f64
}

/// The number in a kernel's name.
pub fn number(kernel: &str) -> usize {
    kernel[1..].parse().expect("a name of this file")
}

/// A bug from `first` on that shows with this chance.
pub fn from(first: usize, chance: f64) -> impl Fn(&str, u32) -> Outcome + Sync {
    move |kernel, attempt| match number(kernel) >= first && draw(kernel, attempt) < chance {
        true => Outcome::Symptom("boom".into()),
        false => Outcome::Clean,
    }
}
