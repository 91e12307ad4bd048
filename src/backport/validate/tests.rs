//! Validations on a lab of made-up observations.

use std::collections::HashMap;
use std::path::PathBuf;

use super::*;
use crate::backport::Tie;
use crate::kernel::{KernelConfig, KernelOrigin, ModuleTree};
use crate::lab::{Request, Watch};
use crate::machine::Machine;
use crate::observation::{Console, Ending, Exit, GuestFacts, Observation, Phase, ProgramReport, ProgramRun};
use crate::runner::{Capacity, Config};

const SUITE: &str = "\
suite: s
summary: s
tests:
- name: bug
  summary: the bug
  program: {shell: 'true'}
  symptom: {reported: {matching: seen}}
- name: rare
  summary: a bug that shows sometimes
  program: {shell: 'true'}
  dose: {attempts: 3}
  symptom: {reported: {matching: seen}}
- name: other
  summary: another one
  program: {shell: 'true'}
  symptom: {reported: {matching: seen}}
- name: driver
  summary: needs what is not there
  needs: {modules: [igb]}
  program: {shell: 'true'}
  symptom: {reported: {matching: seen}}
";

/// A test, a kernel, and in which attempts the one shows its symptom on the other.
type Shows = (&'static str, &'static str, fn(u32) -> bool);

/// A lab that knows which attempts (from 1, on that kernel in all) of which test show its symptom.
#[derive(Default)]
struct Simulated {
    bad: Vec<Shows>,
    dead: Vec<&'static str>,
    attempts: Mutex<HashMap<(String, String), u32>>,
}

impl Simulated {
    fn of(bad: &[Shows]) -> Simulated {
        Simulated { bad: bad.to_vec(), ..Simulated::default() }
    }

    fn made(&self, test: &str, kernel: &str) -> u32 {
        let key = (test.to_owned(), kernel.to_owned());
        self.attempts.lock().get(&key).copied().unwrap_or(0)
    }
}

impl Lab for Simulated {
    fn prepare(&self, _: &Kernel, _: &Test, _: &Machine) -> Result<(), Failure> {
        Ok(())
    }

    fn attempt(&self, request: &Request<'_>, _: &dyn Watch) -> Observation {
        // a second column of a kernel is the same kernel
        let kernel = request.kernel.name.split(" (").next().unwrap_or_default().to_owned();
        let test = request.test.name.clone();
        if self.dead.contains(&kernel.as_str()) {
            return Observation::not_started("it does not boot");
        }
        let made =
            *self.attempts.lock().entry((test.clone(), kernel.clone())).and_modify(|n| *n += 1).or_insert(1);
        let shows = self.bad.iter().any(|(t, k, when)| *t == test && *k == kernel && when(made));
        let reports = if shows { vec![ProgramReport::Symptom("seen".into())] } else { Vec::new() };
        Observation {
            phase: Phase::Stop,
            ending: Ending::Complete,
            console: Console {
                text: b"[    1.0] first line\n[    9.0] last line\n".to_vec(),
                printed: 10_000,
                left_out: 0,
                dose_start: Some(1000),
                dose_end: Some(9000),
            },
            guest: Some(GuestFacts { hung_task_timeout: Some(20), ..GuestFacts::default() }),
            program: ProgramRun {
                started: true,
                exit: Some(Exit::Code(0)),
                reports,
                ..ProgramRun::default()
            },
            ..Observation::not_started("")
        }
    }
}

/// A builder that has nothing to compile.
#[derive(Default)]
struct Fake {
    fails: Option<(BuildVariant, Failure)>,
}

impl Kernels for Fake {
    fn name(&self, half: BuildVariant) -> String {
        if half == BuildVariant::Baseline { "tree".into() } else { "tree+patch".into() }
    }

    fn kernel(&self, half: BuildVariant) -> Result<Built, Failure> {
        if let Some((_, error)) = self.fails.as_ref().filter(|(which, _)| *which == half) {
            return Err(error.clone());
        }
        let kernel = Kernel {
            arch: crate::arch::GUEST,
            name: self.name(half),
            release: "6.12.117".into(),
            version: "6.12.117".parse().unwrap(),
            flavour: None,
            image: PathBuf::new(),
            vmlinux: None,
            config: Some(KernelConfig::parse("")),
            system_map: None,
            modules: ModuleTree::of_builtin("6.12.117", &[]),
            origin: KernelOrigin::Local { image: PathBuf::new(), modules: None },
            digest: String::new(),
        };
        Ok(Built { kernel: Arc::new(kernel), compiled: 2 })
    }
}

fn validated(lab: &Simulated, kernels: &Fake, about: &[&str]) -> (TreeOutcome, RunSummary) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.yaml");
    std::fs::write(&path, SUITE).unwrap();
    let suite = crate::suite::load_file(&path).unwrap_or_else(|error| panic!("{error:?}"));
    let machine = Arc::new(Machine::built_in());
    let placed = |test: &Arc<Test>| PlacedTest {
        test: Arc::clone(test),
        machine: Arc::clone(&machine),
        lacking: None,
    };
    let about: Vec<Related> =
        about.iter().map(|name| Related { test: format!("s::{name}"), tie: Tie::Named }).collect();
    let cancel = Cancel::new();
    let validation = Validation {
        tests: &suite.tests,
        about: &about,
        place: &|_| suite.tests.iter().map(placed).collect(),
        lab,
        config: Config {
            capacity: Capacity { guests: u32::MAX, jobs: Some(1), cpus: 1, memory_mib: 4096 },
            attempts: None,
            retries: 1,
            max_fail: None,
            ignore_known: true,
            seed: 7,
            run_dir: None,
            reproduce: None,
        },
        sink: &|_| {},
        cancel: &cancel,
        seen: Mutex::default(),
    };
    let subject = Subject {
        name: "linux-6.12.y".into(),
        version: "6.12".into(),
        applied: "applies with offset".into(),
    };
    let outcome = validation.tree(&subject, kernels);
    (outcome, validation.seen.into_inner())
}

const ALWAYS: fn(u32) -> bool = |_| true;

#[test]
fn a_fix_is_told_by_enough_clean_attempts() {
    let lab = Simulated::of(&[("bug", "tree", ALWAYS)]);
    let (outcome, run) = validated(&lab, &Fake::default(), &["bug"]);
    let TreeVerdict::Fixed { tests } = &outcome.result.verdict else { panic!("{:?}", outcome.result) };
    assert_eq!((tests[0].bad, tests[0].of, tests[0].clean), (1, 1, 5));
    assert_eq!((outcome.result.unchanged, outcome.result.version.as_str()), (2, "6.12.117"));
    // a test that is no test of the bug has the dose that its suite says
    assert_eq!((lab.made("rare", "tree+patch"), lab.made("other", "tree+patch")), (3, 1));
    assert_eq!(run.cells().len(), 8);
    assert!(run.cells().all(|cell| cell.verdict().is_some()));
}

#[test]
fn tests_that_fail_anyway_and_tests_without_a_judgement_are_told() {
    let lab =
        Simulated::of(&[("bug", "tree", ALWAYS), ("other", "tree", ALWAYS), ("other", "tree+patch", ALWAYS)]);
    let result = validated(&lab, &Fake::default(), &["bug"]).0.result;
    assert_eq!((result.verdict.words(), result.unchanged, result.failing), ("fixed", 1, 1));
    assert_eq!(result.unjudged, ["s::driver"]);
}

#[test]
fn a_bug_that_shows_seldom_takes_more_attempts() {
    let lab = Simulated::of(&[("rare", "tree", |n| n == 3)]);
    let (outcome, _) = validated(&lab, &Fake::default(), &["rare"]);
    let TreeVerdict::Fixed { tests } = &outcome.result.verdict else { panic!("{:?}", outcome.result) };
    assert_eq!((tests[0].bad, tests[0].of, tests[0].clean), (1, 3, 13));
}

#[test]
fn the_bug_may_stay_or_never_have_been() {
    let lab = Simulated::of(&[("bug", "tree", ALWAYS), ("bug", "tree+patch", ALWAYS)]);
    let verdict = validated(&lab, &Fake::default(), &["bug"]).0.result.verdict;
    assert_eq!(verdict, TreeVerdict::NotFixed { tests: vec!["s::bug".into()] });
    let verdict = validated(&Simulated::default(), &Fake::default(), &["bug"]).0.result.verdict;
    assert_eq!(verdict, TreeVerdict::NotReproducible { tests: vec!["s::bug".into()] });
    // found, but its need is not met
    let verdict = validated(&Simulated::default(), &Fake::default(), &["driver"]).0.result.verdict;
    insta::assert_debug_snapshot!(verdict, @r#"
    Inconclusive {
        why: "s::driver has no judgement on either kernel: skip (module igb is not in 6.12.117)",
    }
    "#);
}

#[test]
fn a_regression_is_run_again_until_it_is_one() {
    let lab = Simulated::of(&[("bug", "tree", ALWAYS), ("other", "tree+patch", ALWAYS)]);
    let (outcome, run) = validated(&lab, &Fake::default(), &["bug"]);
    assert_eq!(outcome.result.verdict, TreeVerdict::Breaks { tests: vec!["s::other: seen".into()] });
    assert_eq!((lab.made("other", "tree"), lab.made("other", "tree+patch")), (4, 4));
    assert!(run.find("s::other", "tree+patch (4)").is_some() && run.find("s::other", "tree (5)").is_none());

    // once of six, and on the unpatched kernel as well when it is looked at longer
    let lab = Simulated::of(&[
        ("bug", "tree", ALWAYS),
        ("other", "tree", |n| n == 3),
        ("other", "tree+patch", |n| n == 1),
    ]);
    let verdict = validated(&lab, &Fake::default(), &["bug"]).0.result.verdict;
    assert_eq!(verdict.words(), "fixed", "{verdict:?}");
}

#[test]
fn a_kernel_that_is_not_there_says_whose_fault_it_is() {
    let error = || "inode.c:7: implicit declaration of f".to_owned();
    let table = [
        (BuildVariant::Patched, Failure::Kernel(error()), "does not build"),
        (BuildVariant::Baseline, Failure::Kernel(error()), "inconclusive"),
        (BuildVariant::Patched, Failure::Host("the disk is full".into()), "inconclusive"),
    ];
    for (half, why, expected) in table {
        let lab = Simulated::default();
        let (outcome, run) = validated(&lab, &Fake { fails: Some((half, why)) }, &["bug"]);
        assert_eq!(outcome.result.verdict.words(), expected);
        assert_eq!(run.counts().lost, 8, "every planned cell has a verdict");
        assert_eq!(lab.made("bug", "tree"), 0);
    }
}

#[test]
fn a_patched_kernel_that_does_not_boot_fixes_nothing() {
    let lab = Simulated { dead: vec!["tree+patch"], ..Simulated::of(&[("bug", "tree", ALWAYS)]) };
    let verdict = validated(&lab, &Fake::default(), &["bug"]).0.result.verdict;
    assert_eq!(verdict.words(), "inconclusive", "{verdict:?}");
}
