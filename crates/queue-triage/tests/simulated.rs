//! Queues where tests flake and regressions show only sometimes. The whole, with 500 queues of 300 patches and 150 tests,
//! is the example `simulate`.

use flaky_bisect::simulate::Random;
use queue_triage::simulate::{Cause, Harm, Storms, Trial, World, run};
use queue_triage::{Class, Config};

const PATCHES: usize = 64;
const TESTS: usize = 24;

/// Three flaky tests, the last ones, so that no harm of these tests is on one of them.
fn flaky(change: impl FnOnce(&mut World)) -> World {
    let flaky = vec![(21, 0.05), (22, 0.15), (23, 0.3)];
    let mut world = World { patches: PATCHES, tests: TESTS, flaky, ..World::default() };
    change(&mut world);
    world
}

fn harm(test: usize, patch: usize, chance: f64) -> Harm {
    Harm { test, cause: Cause::Either(vec![patch]), chance }
}

fn trials(queues: u64, worth: u32, world: impl Fn(u64) -> World) -> Vec<Trial> {
    let trial = |seed: u64| {
        let mut config = Config::new(PATCHES, TESTS);
        config.aims.worth = worth;
        run(&world(seed), config, &mut Random::new(seed))
    };
    (1..=queues).map(trial).collect()
}

fn wrong(trials: &[Trial]) -> usize {
    trials.iter().filter(|trial| !trial.wrong.is_empty()).count()
}

#[test]
fn regressions_that_show_every_other_time_are_named() {
    let world = |seed: u64| {
        let at = |times: u64| 1 + (seed * times % PATCHES as u64) as usize;
        flaky(|world| world.harms = vec![harm(3, at(17), 1.0), harm(4, at(29), 0.5)])
    };
    let trials = trials(20, 6, world);
    assert_eq!(wrong(&trials), 0);
    assert!(trials.iter().all(|trial| trial.named[0]));
    let half = trials.iter().filter(|trial| trial.named[1]).count();
    assert!(half >= 18, "{half} of 20");
    let everything = 2 * 10 * TESTS as u32;
    assert!(trials.iter().all(|trial| trial.report.attempts < everything), "fewer than ten times on both");
}

#[test]
fn flaky_tests_are_nobodys_fault() {
    let many = |world: &mut World| world.flaky = (0..TESTS).map(|test| (test, 0.04 * test as f64)).collect();
    let trials = trials(12, 3, |_| flaky(many));
    assert_eq!(wrong(&trials), 0);
    let regressions = trials.iter().flat_map(|trial| &trial.report.findings);
    let regressions = regressions.filter(|finding| matches!(finding.class, Class::Regression(_))).count();
    assert_eq!(regressions, 0);
}

#[test]
fn nor_are_those_that_flake_together() {
    let storms = |world: &mut World| {
        world.flaky = (0..TESTS).map(|test| (test, 0.02 + 0.01 * test as f64)).collect();
        world.storms = Some(Storms { chance: 0.1, factor: 4.0 });
    };
    assert_eq!(wrong(&trials(12, 3, |_| flaky(storms))), 0);
}

#[test]
fn a_regression_of_a_flaky_test_is_told_from_its_flakes() {
    let trials = trials(10, 3, |_| flaky(|world| world.harms = vec![harm(22, 40, 1.0)]));
    assert_eq!(wrong(&trials), 0);
    let named = trials.iter().filter(|trial| trial.named[0]).count();
    assert!(named >= 8, "{named} of 10");
}

#[test]
fn two_culprits_and_two_together_where_nothing_is_sure() {
    let world = |_| {
        flaky(|world| {
            world.harms = vec![
                Harm { test: 5, cause: Cause::Either(vec![9, 50]), chance: 0.9 },
                Harm { test: 6, cause: Cause::Together(vec![20, 33]), chance: 0.9 },
            ];
            world.unjudged = vec![(None, 30..=32), (Some(5), 46..=48)];
        })
    };
    let trials = trials(10, 4, world);
    assert_eq!(wrong(&trials), 0);
    for nth in 0..2 {
        let named = trials.iter().filter(|trial| trial.named[nth]).count();
        assert!(named >= 9, "{nth}: {named} of 10");
    }
}
