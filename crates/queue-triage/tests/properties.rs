//! What holds whatever the attempts show.

mod common;

use common::drive;
use proptest::prelude::*;
use queue_triage::{Class, Config, Counts, KernelOf, Outcome, Patch, Step, Triage};

/// A small queue with some peculiar patches and a budget.
fn configs() -> impl Strategy<Value = Config> {
    let patch = (0u8..12, any::<prop::sample::Index>());
    (prop::collection::vec(patch, 1..14), 1usize..5, 20u32..200, any::<bool>()).prop_map(
        |(kinds, tests, attempts, some_fixed)| {
            let mut config = Config::new(kinds.len(), tests);
            for (nth, (kind, other)) in kinds.into_iter().enumerate() {
                let patch = &mut config.patches[nth];
                match kind {
                    0 => *patch = Patch { impossible: Some("comments".into()), ..Patch::default() },
                    1 => patch.stays = Some("conflict".into()),
                    2 if nth > 0 => patch.needs = vec![1 + other.index(nth)],
                    _ => {}
                }
            }
            if some_fixed {
                config.tests[0].expect = queue_triage::Expect::Fixed;
            }
            config.tests[tests - 1].spurious = some_fixed.then_some(0.1);
            config.budget.attempts = Some(attempts);
            config
        },
    )
}

/// What an attempt shows: from numbers, with a bias for each kernel and test, so that all kinds of nonsense come up.
fn outcome(noise: &[u8], nth: usize, kernel: &KernelOf, test: usize) -> Option<Outcome> {
    let held = (1..=14)
        .filter(|patch| kernel.holds(*patch))
        .fold(1usize, |sum, patch| sum.wrapping_mul(31).wrapping_add(patch));
    let bias = noise[held.wrapping_add(test) % noise.len()];
    let drawn = noise[(nth * 7 + test) % noise.len()];
    match (bias % 8, drawn % 16) {
        (0, 0..6) => None,
        (1, 0..12) | (_, 0) => Some(Outcome::Unjudged),
        (2 | 3, _) | (4, 0..8) => Some(Outcome::Bad),
        _ => Some(Outcome::Good),
    }
}

fn written_and_read(counts: &Counts) -> Counts {
    serde_json::from_str(&serde_json::to_string(counts).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn it_ends_within_the_budget_and_blames_nobody_outside(
        config in configs(),
        noise in prop::collection::vec(any::<u8>(), 16..64),
    ) {
        let mut triage = Triage::new(config.clone()).unwrap();
        let mut nth = 0;
        let report = drive(&mut triage, |kernel, test| {
            nth += 1;
            outcome(&noise, nth, kernel, test)
        });
        prop_assert!(report.attempts <= config.budget.attempts.unwrap());
        for (patch, tests) in report.blamed() {
            prop_assert!((1..=config.patches.len()).contains(&patch), "{}", patch);
            prop_assert!(config.patches[patch - 1].impossible.is_none(), "{}", patch);
            prop_assert!(tests.iter().all(|test| report.findings[*test].tip.bad > 0));
        }
        for finding in &report.findings {
            if let Class::Regression(regression) = &finding.class {
                let candidates = &regression.candidates;
                prop_assert!(candidates.iter().all(|patch| (1..=config.patches.len()).contains(patch)));
                prop_assert!(regression.error <= config.aims.wrong / config.tests.len() as f64);
            }
        }
    }

    #[test]
    fn the_next_step_follows_from_the_counts_alone(
        config in configs(),
        noise in prop::collection::vec(any::<u8>(), 16..64),
        stop in 1usize..60,
        order in any::<prop::sample::Index>(),
    ) {
        let mut triage = Triage::new(config.clone()).unwrap();
        let mut seen: Vec<(KernelOf, usize, Outcome)> = Vec::new();
        let mut broken: Vec<KernelOf> = Vec::new();
        for nth in 0..stop {
            let Step::Run { kernel, tasks } = triage.next() else { break };
            // as after a kill: not all of a step was done
            for task in tasks.iter().take(2) {
                match outcome(&noise, nth, &kernel, task.test) {
                    None => {
                        triage.broken(kernel.clone(), "it does not build").unwrap();
                        broken.push(kernel.clone());
                        break;
                    }
                    Some(outcome) => {
                        triage.observe(kernel.clone(), task.test, outcome).unwrap();
                        seen.push((kernel.clone(), task.test, outcome));
                    }
                }
            }
        }
        let resumed = Triage::resume(config.clone(), written_and_read(triage.counts())).unwrap();
        prop_assert_eq!(resumed.counts(), triage.counts());
        prop_assert_eq!(resumed.next(), triage.next());
        // in any other order
        let mut again = Triage::new(config).unwrap();
        seen.reverse();
        let turn = order.index(seen.len().max(1)).min(seen.len());
        seen.rotate_left(turn);
        broken.iter().for_each(|kernel| again.broken(kernel.clone(), "it does not build").unwrap());
        for (kernel, test, outcome) in seen {
            again.observe(kernel, test, outcome).unwrap();
        }
        prop_assert_eq!(again.next(), triage.next());
        prop_assert_eq!(again.report(), triage.report());
    }
}
