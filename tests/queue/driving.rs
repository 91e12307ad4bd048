//! The driver with kernels that do not exist, on a simulated lab: who is named, what does not build, kills, limits.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use kregress::cancel::Cancel;
use kregress::event::Event;
use kregress::event::queue::{Each, QueueEvent, QueueMail, QueueRecord, QueueTest, QueueTree, QueuedPatch};
use kregress::failure::Failure;
use kregress::kernel::{Kernel, KernelOrigin, ModuleTree};
use kregress::lab::Request;
use kregress::lab::sim::{Outcome, SimLab};
use kregress::machine::Machine;
use kregress::plan::PlacedTest;
use kregress::queue::{BOOT, BuiltKernel, QueueDriver, QueueEnd, QueueKernels, QueueState, boot};
use kregress::runner::Capacity;
use kregress::suite::{self, Test};
use kregress::triage::{Aims, Budget, Class, Costs, Expect};
use parking_lot::Mutex;

/// Tests of a suite, `s::t0` and on.
pub fn tests(count: usize) -> Vec<Arc<Test>> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("s.yaml");
    let mut text = "suite: s\nsummary: s\ntests:\n".to_owned();
    for n in 0..count {
        text += &format!(
            "- {{name: t{n}, summary: test {n}, program: {{shell: 'true'}}, symptom: {{reported: {{matching: boom}}}}}}\n"
        );
    }
    std::fs::write(&path, text).expect("a file");
    suite::load_file(&path).expect("a suite").tests
}

fn machine() -> Arc<Machine> {
    Arc::new(Machine {
        name: "default".into(),
        summary: String::new(),
        cpus: 1,
        memory_mib: 512,
        accel: Default::default(),
        qemu: None,
        cmdline: Vec::new(),
        clock: Default::default(),
        devices: Vec::new(),
    })
}

/// A queue of patches 1 to `patches`, each with a file of its own, judged by the boot and `count` tests.
pub fn record(patches: usize, tests: usize) -> QueueRecord {
    let test = |test: String| QueueTest {
        summary: format!("what {test} is about"),
        test,
        digest: "d".into(),
        expect: Expect::Good,
        tie: String::new(),
        patches: Vec::new(),
        worth: None,
        reproducer: vec!["true".into()],
    };
    let patch = |number: usize| QueuedPatch {
        number,
        title: format!("net: pump: change {number}"),
        files: vec![format!("drivers/net/pump_{number}.c")],
        applies: "applies".into(),
        ..QueuedPatch::default()
    };
    QueueRecord {
        input: "queue.mbox".into(),
        kind: "mbox".into(),
        mail: QueueMail {
            title: format!("[PATCH 6.12 000/{patches}] 6.12.10-rc1 review"),
            ..QueueMail::default()
        },
        digest: "d".into(),
        tree: QueueTree { named: "linux@v6.12.9".into(), version: "6.12.9".into(), ..QueueTree::default() },
        patches: (1..=patches).map(patch).collect(),
        set_aside: Vec::new(),
        missing: Vec::new(),
        reading: Default::default(),
        notes: Vec::new(),
        tests: std::iter::once(BOOT.to_owned())
            .chain((0..tests).map(|n| format!("s::t{n}")))
            .map(test)
            .collect(),
        aims: Aims { worth: 4, ..Aims::default() },
        budget: Budget::default(),
        costs: Costs { kernel: 120.0, attempt: 10.0 },
        each: Each::Nothing,
    }
}

type Broken<'b> = dyn Fn(&BTreeSet<usize>) -> Option<Failure> + Sync + 'b;

/// Kernels whose release says which patches they have.
pub struct Kernels<'b> {
    tests: Vec<Arc<Test>>,
    broken: Box<Broken<'b>>,
    pub built: Mutex<Vec<String>>,
    /// Patches that change nothing of what boots.
    pub nothing: BTreeSet<usize>,
}

impl<'b> Kernels<'b> {
    pub fn new(
        count: usize,
        broken: impl Fn(&BTreeSet<usize>) -> Option<Failure> + Sync + 'b,
    ) -> Kernels<'b> {
        let tests = std::iter::once(boot().expect("the boot")).chain(tests(count)).collect();
        Kernels { tests, broken: Box::new(broken), built: Mutex::default(), nothing: BTreeSet::new() }
    }
}

impl QueueKernels for Kernels<'_> {
    fn kernel(&self, name: &str, patches: &[usize]) -> Result<BuiltKernel, Failure> {
        self.built.lock().push(name.to_owned());
        let held: BTreeSet<usize> = patches.iter().copied().collect();
        if let Some(failure) = (self.broken)(&held) {
            return Err(failure);
        }
        let release: Vec<String> = patches.iter().map(usize::to_string).collect();
        let content = patches.iter().filter(|place| !self.nothing.contains(place));
        let content: Vec<String> = content.map(usize::to_string).collect();
        let kernel = Kernel {
            arch: kregress::arch::GUEST,
            name: name.into(),
            release: release.join(","),
            version: "6.12.9".parse().expect("a version"),
            flavour: None,
            image: PathBuf::new(),
            vmlinux: None,
            config: None,
            system_map: None,
            modules: ModuleTree::unknown(name),
            origin: KernelOrigin::Local { image: PathBuf::new(), modules: None },
            digest: content.join(","),
        };
        Ok(BuiltKernel { kernel: Arc::new(kernel), compiled: 1, warnings: Vec::new() })
    }

    fn place(&self, _: &Kernel) -> Vec<PlacedTest> {
        let place =
            |test: &Arc<Test>| PlacedTest { test: Arc::clone(test), machine: machine(), lacking: None };
        self.tests.iter().map(place).collect()
    }
}

/// What an attempt of a test shows on a kernel with these patches.
pub type World<'w> = dyn Fn(&str, &BTreeSet<usize>, u32) -> Outcome + Sync + 'w;

/// A number between 0 and 1 that looks random, the same for the same attempt.
pub fn draw(test: &str, patches: &BTreeSet<usize>, attempt: u32) -> f64 {
    let bytes = test.bytes().map(u64::from).chain(patches.iter().map(|n| *n as u64));
    let mut z = bytes.fold(u64::from(attempt) + 7, |sum, byte| {
        (sum ^ byte).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    ((z ^ (z >> 27)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Runs to the end; gives how it ended and every event that a journal would keep.
pub fn drive(
    state: &mut QueueState,
    kernels: &dyn QueueKernels,
    world: &World<'_>,
) -> (QueueEnd, Vec<Event>) {
    let lab = SimLab::new(|request: &Request<'_>| {
        let held = request.kernel.release.split(',').filter_map(|n| n.parse().ok()).collect();
        world(&request.test.id(), &held, request.attempt)
    });
    let kept = Mutex::new(Vec::new());
    let sink = |event: Event| {
        if event.is_kept() {
            kept.lock().push(event);
        }
    };
    let driver = QueueDriver {
        lab: &lab,
        kernels,
        capacity: Capacity { guests: u32::MAX, jobs: None, cpus: 2, memory_mib: 4096 },
        seed: 1,
        run_dir: None,
        sink: &sink,
        cancel: &Cancel::new(),
    };
    let end = driver.run(state);
    (end, kept.into_inner())
}

pub fn builds(_: &BTreeSet<usize>) -> Option<Failure> {
    None
}

pub fn symptom(shows: bool) -> Outcome {
    if shows { Outcome::Symptom("boom".into()) } else { Outcome::Clean }
}

/// What is said of each test, and of whom.
fn answer(state: &QueueState) -> Vec<String> {
    let report = state.report();
    let word = |class: &Class| match class {
        Class::Regression(regression) => {
            let named: Vec<String> = regression
                .culprits
                .iter()
                .map(|culprit| state.numbers().number(culprit.patch).to_string())
                .collect();
            format!("broken by {}", named.join(", "))
        }
        class => serde_json::to_value(class).unwrap()["class"].as_str().unwrap().to_owned(),
    };
    report
        .findings
        .iter()
        .map(|one| format!("{}: {}", state.record().tests[one.test].test, word(&one.class)))
        .collect()
}

#[test]
fn a_culprit_is_named_and_taken_out_to_prove_it_while_flakes_and_old_failures_are_nobodys() {
    let mut record = record(40, 6);
    record.tests[5].expect = Expect::Fixed;
    record.tests[6].expect = Expect::Fixed;
    // patch 18 cannot be without the culprit
    record.patches[17].needs = vec![17];
    let kernels = Kernels::new(6, builds);
    let world = |test: &str, held: &BTreeSet<usize>, attempt: u32| match test {
        "s::t1" => symptom(held.contains(&17)),
        "s::t2" => symptom(draw(test, held, attempt) < 0.2),
        "s::t3" => symptom(true),
        "s::t4" => symptom(!held.contains(&9)),
        "s::t5" => symptom(draw(test, held, attempt) < 0.7),
        _ => Outcome::Clean,
    };
    let mut state = QueueState::new(record).unwrap();
    let (end, events) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    insta::assert_snapshot!(answer(&state).join("\n"), @r"
    kernel::boot: fine
    s::t0: fine
    s::t1: broken by 17
    s::t2: fine
    s::t3: failing-before
    s::t4: fixed
    s::t5: not-fixed
    ");
    let built = kernels.built.lock().clone();
    assert_eq!(built[0], "tip", "the tip goes first: {built:?}");
    assert!(built.contains(&"without-17..18".to_owned()), "taken out with what needs it: {built:?}");
    // what passes never runs on the baseline
    let on = |test: &str, kernel: &str| {
        events
            .iter()
            .filter(|event| matches!(event, Event::Attempt { cell, .. } if cell.test == test && cell.kernel == kernel))
            .count()
    };
    assert_eq!((on("s::t0", "tip"), on("s::t0", "baseline")), (4, 0));
    let Some(Event::Queue(last)) = events.last() else { panic!("{:?}", events.last()) };
    assert!(matches!(last.as_ref(), QueueEvent::Ended { blamed, .. } if *blamed == [17]));
}

#[test]
fn killed_after_any_event_it_comes_to_the_same_answer() {
    let mut record = record(24, 4);
    record.tests[3].expect = Expect::Fixed;
    record.patches[4].needs = vec![4];
    let broken = |held: &BTreeSet<usize>| {
        held.contains(&20)
            .then(|| Failure::Kernel("it does not compile: drivers/net/pump_20.c:1: error: x".into()))
    };
    let kernels = Kernels::new(4, broken);
    let world = |test: &str, held: &BTreeSet<usize>, attempt: u32| match test {
        "s::t1" => symptom(held.contains(&4) && draw(test, held, attempt) < 0.9),
        "s::t2" => symptom(!held.contains(&11)),
        "s::t3" => symptom(draw(test, held, attempt) < 0.1),
        _ => Outcome::Clean,
    };
    let mut whole = QueueState::new(record.clone()).unwrap();
    let (end, events) = drive(&mut whole, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    let expected = answer(&whole);
    assert!(expected.contains(&"s::t1: broken by 4".to_owned()), "{expected:?}");
    assert_eq!(whole.not_tested().len(), 1);
    for event in &events {
        let line = serde_json::to_string(event).unwrap();
        assert_eq!(&serde_json::from_str::<Event>(&line).unwrap(), event, "{line}");
    }
    for killed_after in 0..=events.len() {
        let mut state = QueueState::new(record.clone()).unwrap();
        events[..killed_after].iter().for_each(|event| state.apply(event));
        let (end, _) = drive(&mut state, &kernels, &world);
        assert_eq!(
            (end, answer(&state)),
            (QueueEnd::Answered, expected.clone()),
            "after {killed_after} events"
        );
    }
}

#[test]
fn a_patch_that_does_not_build_is_named_and_the_rest_goes_on() {
    let mut record = record(12, 2);
    record.patches[6].needs = vec![5];
    let kernels = Kernels::new(2, |held| {
        // 5 does not build at all, and 9 not with 3
        let line = match (held.contains(&5), held.contains(&9) && held.contains(&3)) {
            (true, _) => "drivers/net/pump_5.c:7: error: implicit declaration of `fill`",
            (_, true) => "include/linux/pump.h:1: error: redefinition of `pump`",
            _ => return None,
        };
        Some(Failure::Kernel(format!("it does not compile: {line}")))
    });
    let world = |test: &str, held: &BTreeSet<usize>, _: u32| symptom(test == "s::t1" && held.contains(&11));
    let mut state = QueueState::new(record).unwrap();
    let (end, _) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    let said: Vec<String> = state.not_tested().iter().map(kregress::queue::set_aside).collect();
    insta::assert_snapshot!(said.concat(), @r"
    5: net: pump: change 5: does not build: it does not compile: drivers/net/pump_5.c:7: error: implicit declaration of `fill`
    7: net: pump: change 7: does not build: it cannot be without patch 5, which does not build
    9: net: pump: change 9: does not build: it does not compile: include/linux/pump.h:1: error: redefinition of `pump`
    ");
    assert_eq!(answer(&state)[2], "s::t1: broken by 11");
    assert_eq!(state.patches_of(&kregress::triage::KernelOf::Tip), [1, 2, 3, 4, 6, 8, 10, 11, 12]);
}

#[test]
fn a_tree_that_does_not_build_without_the_queue_is_no_patchs_fault() {
    let kernels =
        Kernels::new(1, |_| Some(Failure::Kernel("it does not compile: mm/slub.c:1: error: x".into())));
    let mut state = QueueState::new(record(5, 1)).unwrap();
    let (end, events) = drive(&mut state, &kernels, &|_, _, _| panic!("nothing runs"));
    assert_eq!(end, QueueEnd::Baseline("it does not compile: mm/slub.c:1: error: x".into()));
    assert_eq!(kernels.built.lock().len(), 2);
    assert!(!events.iter().any(|event| matches!(event, Event::Attempt { .. })));
    // nor is a host without room
    let kernels = Kernels::new(1, |_| Some(Failure::Host("its disk is full".into())));
    let mut state = QueueState::new(record(5, 1)).unwrap();
    let (end, _) = drive(&mut state, &kernels, &|_, _, _| panic!("nothing runs"));
    assert_eq!(end, QueueEnd::Host("its disk is full".into()));
}

#[test]
fn a_patch_with_which_nothing_boots_is_named_by_the_boot() {
    for outcome in [Outcome::Lost, Outcome::Crash] {
        let kernels = Kernels::new(3, builds);
        let world = |test: &str, held: &BTreeSet<usize>, _: u32| match held.contains(&6) {
            true => outcome.clone(),
            false => symptom(test == "s::t1" && held.contains(&9)),
        };
        let mut state = QueueState::new(record(10, 3)).unwrap();
        let (end, events) = drive(&mut state, &kernels, &world);
        assert_eq!(end, QueueEnd::Answered);
        let said: Vec<String> = state.not_tested().iter().map(kregress::queue::set_aside).collect();
        assert!(said[0].starts_with("  6: net: pump: change 6: does not boot: "), "{outcome:?}: {said:?}");
        // the others are judged without it
        assert_eq!(answer(&state)[0], "kernel::boot: fine");
        assert_eq!(answer(&state)[2], "s::t1: broken by 9");
        // no test is tried on a kernel that does not come up, and no attempt's folder is written twice
        let mut seen = BTreeSet::new();
        let mut is_out = false;
        for event in &events {
            match event {
                Event::Queue(queue) => is_out |= matches!(queue.as_ref(), QueueEvent::SetAside { .. }),
                Event::Attempt { cell, record } => {
                    assert!(is_out || cell.test == BOOT || cell.kernel != "tip", "{cell}");
                    assert!(seen.insert((cell.clone(), record.attempt)), "{cell} {}", record.attempt);
                }
                _ => {}
            }
        }
    }
}

#[test]
fn kernels_in_the_middle_that_do_not_build_are_passed_over() {
    // 7 breaks the build and 9 mends it
    let kernels = Kernels::new(1, |held| {
        (held.contains(&7) && !held.contains(&9)).then(|| Failure::Kernel("it does not compile: x".into()))
    });
    let world = |test: &str, held: &BTreeSet<usize>, _: u32| symptom(test == "s::t0" && held.contains(&8));
    let mut state = QueueState::new(record(16, 1)).unwrap();
    let (end, _) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    let report = state.report();
    let Class::Regression(regression) = &report.findings[1].class else { panic!("{report:?}") };
    // the kernels that would tell 7, 8 and 9 apart are not there; taking each out tells it
    let named: Vec<usize> = regression.culprits.iter().map(|culprit| culprit.patch).collect();
    assert!(named == [8] || named.is_empty() && regression.candidates.contains(&8), "{regression:?}");
}

#[test]
fn a_culprit_that_is_taken_back_is_blamed_no_more() {
    let kernels = Kernels::new(1, builds);
    let world = |test: &str, held: &BTreeSet<usize>, _: u32| symptom(test == "s::t0" && held.contains(&8));
    let mut state = QueueState::new(record(16, 1)).unwrap();
    drive(&mut state, &kernels, &world);
    assert_eq!(answer(&state)[1], "s::t0: broken by 8");
    let reason = "known, and mended elsewhere".to_owned();
    state.apply(&Event::Queue(Box::new(QueueEvent::Withdrawn { patch: 8, reason })));
    assert!(!state.is_ended());
    let (end, _) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    assert!(state.report().blamed().is_empty(), "{:?}", answer(&state));
}

#[test]
fn a_budget_ends_it_and_a_larger_one_goes_on() {
    let mut record = record(30, 2);
    record.budget.cost = Some(0.0);
    let kernels = Kernels::new(2, builds);
    let world = |test: &str, held: &BTreeSet<usize>, _: u32| symptom(test == "s::t0" && held.contains(&8));
    let mut state = QueueState::new(record).unwrap();
    let (end, _) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Budget);
    assert!(state.report().blamed().is_empty());
    let aims = state.record().aims;
    state.apply(&Event::Queue(Box::new(QueueEvent::Limits { aims, budget: Budget::default() })));
    let (end, _) = drive(&mut state, &kernels, &world);
    assert_eq!((end, answer(&state)[1].as_str()), (QueueEnd::Answered, "s::t0: broken by 8"));
}

#[test]
fn each_patch_can_be_built_and_booted_in_its_place() {
    for (each, attempts) in [(Each::Build, 0), (Each::Boot, 1), (Each::Tests, 3)] {
        let mut record = record(6, 2);
        record.each = each;
        let kernels = Kernels::new(2, |held| {
            (held.contains(&3) && !held.contains(&4))
                .then(|| Failure::Kernel("it does not compile: x".into()))
        });
        let mut state = QueueState::new(record).unwrap();
        let (end, events) = drive(&mut state, &kernels, &|_, _, _| Outcome::Clean);
        assert_eq!(end, QueueEnd::Answered);
        assert_eq!(
            *kernels.built.lock(),
            ["tip", "baseline", "upto-1", "upto-2", "upto-3", "upto-4", "upto-5"],
            "{each:?}"
        );
        let on = |kernel: &str| {
            let of = |event: &&Event| matches!(event, Event::Attempt { cell, .. } if cell.kernel == kernel);
            events.iter().filter(of).count()
        };
        assert_eq!((on("upto-2"), on("upto-3")), (attempts, 0), "{each:?}");
    }
}

#[test]
fn a_patch_that_changes_nothing_that_boots_is_never_blamed() {
    let mut kernels = Kernels::new(1, builds);
    kernels.nothing = BTreeSet::from([7, 8]);
    // a test that fails now and then from 8 on, by chance
    let world = |test: &str, held: &BTreeSet<usize>, _: u32| symptom(test == "s::t0" && held.contains(&8));
    let mut state = QueueState::new(record(12, 1)).unwrap();
    let (end, events) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    assert!(state.report().blamed().is_empty(), "{:?}", answer(&state));
    let flagged: Vec<usize> = events
        .iter()
        .filter_map(|event| match event {
            Event::Queue(queue) => match queue.as_ref() {
                QueueEvent::Impossible { patch, .. } => Some(*patch),
                _ => None,
            },
            _ => None,
        })
        .collect();
    assert!(flagged.contains(&8) && flagged.iter().all(|patch| [7, 8].contains(patch)), "{flagged:?}");
    assert_eq!(state.impossible(8), Some("the same vmlinux and modules with it and without it"));
}

#[test]
fn a_release_candidate_of_300_patches_is_judged_with_few_kernels() {
    let kernels = Kernels::new(150, builds);
    let world = |test: &str, held: &BTreeSet<usize>, attempt: u32| {
        let number: usize = test.trim_start_matches("s::t").parse().unwrap_or(999);
        let broken = match number {
            17 => held.contains(&211),
            99 => held.contains(&42) && draw(test, held, attempt) < 0.9,
            // ten that flake with 3 to 30 %
            n if n < 150 && n % 15 == 4 => draw(test, held, attempt) < 0.03 * (1 + n / 15) as f64,
            _ => false,
        };
        symptom(broken)
    };
    let mut state = QueueState::new(record(300, 150)).unwrap();
    let (end, _) = drive(&mut state, &kernels, &world);
    assert_eq!(end, QueueEnd::Answered);
    let blamed: Vec<usize> = state.report().blamed().into_keys().collect();
    assert_eq!(blamed, [42, 211]);
    let (attempts, built) = (state.attempt_count(), kernels.built.lock().len());
    assert!(attempts < 1100, "{attempts} attempts, everything on both ten times takes 3020");
    assert!(built <= 25, "{built} kernels");
}
