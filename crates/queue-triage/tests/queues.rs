//! Queues with one peculiarity each, where every attempt shows what is so.

mod common;

use std::collections::BTreeSet;

use common::drive;
use queue_triage::{
    Class, Config, Expect, KernelOf, Limit, Outcome, Patch, Possible, Proof, Regression, Report, Step, Triage,
};

fn bad_if(bad: bool) -> Option<Outcome> {
    Some(if bad { Outcome::Bad } else { Outcome::Good })
}

fn triage(patches: usize, tests: usize, change: impl FnOnce(&mut Config)) -> Triage {
    let mut config = Config::new(patches, tests);
    change(&mut config);
    Triage::new(config).unwrap()
}

fn regression(report: &Report, test: usize) -> &Regression {
    match &report.findings[test].class {
        Class::Regression(regression) => regression,
        other => panic!("{other:?}"),
    }
}

fn named(report: &Report, test: usize) -> Vec<usize> {
    regression(report, test).culprits.iter().map(|culprit| culprit.patch).collect()
}

#[test]
fn what_passes_never_runs_on_the_baseline() {
    let mut triage = triage(50, 30, |_| {});
    let report = drive(&mut triage, |kernel, _| {
        assert_eq!(*kernel, KernelOf::Tip);
        bad_if(false)
    });
    assert!(report.findings.iter().all(|finding| finding.class == Class::Fine));
    assert_eq!((report.attempts, report.kernels), (90, 1));
}

#[test]
fn three_regressions_share_their_kernels() {
    let culprits = [(2, 17), (5, 90), (7, 91)];
    let broken = |test: usize| culprits.iter().find(|(of, _)| *of == test).map(|(_, patch)| *patch);
    let alone: usize = culprits
        .iter()
        .map(|(test, patch)| {
            let report = drive(&mut triage(128, 10, |_| {}), |kernel, other| {
                bad_if(other == *test && kernel.holds(*patch))
            });
            report.kernels
        })
        .sum();
    let shows =
        |kernel: &KernelOf, test: usize| bad_if(broken(test).is_some_and(|patch| kernel.holds(patch)));
    let report = drive(&mut triage(128, 10, |_| {}), shows);
    for (test, patch) in culprits {
        assert_eq!(named(&report, test), [patch]);
        let Regression { open, error, culprits, .. } = regression(&report, test);
        assert!(open.is_none() && *error < 0.01 / 20.0 && culprits[0].confidence > 0.99, "{culprits:?}");
        assert!(matches!(&culprits[0].proof, Proof::GoodAgain { without, .. } if without.len() == 1));
        assert_eq!((culprits[0].before.bad, culprits[0].with.good), (0, 0));
    }
    assert_eq!(report.findings.iter().filter(|finding| finding.class == Class::Fine).count(), 7);
    assert!(report.kernels + 4 <= alone, "{} {alone}", report.kernels);
}

#[test]
fn a_test_that_was_broken_before_is_nobodys_fault() {
    let report = drive(&mut triage(40, 2, |_| {}), |_, test| bad_if(test == 1));
    assert_eq!(report.findings[1].class, Class::FailingBefore);
    assert_eq!((report.kernels, report.blamed().len()), (2, 0));
    let shows = |kernel: &KernelOf, test: usize| match (test, kernel) {
        (1, KernelOf::Baseline) => Some(Outcome::Unjudged),
        _ => bad_if(test == 1),
    };
    let report = drive(&mut triage(40, 2, |_| {}), shows);
    assert_eq!(report.findings[1].class, Class::Uncovered);
    let shows =
        |kernel: &KernelOf, test: usize| (*kernel != KernelOf::Baseline).then(|| bad_if(test == 1).unwrap());
    assert_eq!(drive(&mut triage(40, 2, |_| {}), shows).findings[1].class, Class::Uncovered);
    let report =
        drive(
            &mut triage(40, 2, |_| {}),
            |_, test| {
                if test == 1 { Some(Outcome::Unjudged) } else { bad_if(false) }
            },
        );
    assert_eq!(report.findings[1].class, Class::NotJudged);
}

#[test]
fn two_culprits_of_one_test_are_both_found() {
    for (first, second) in [(12, 30), (1, 40), (20, 21)] {
        let shows =
            |kernel: &KernelOf, test| bad_if(test == 0 && (kernel.holds(first) || kernel.holds(second)));
        let report = drive(&mut triage(40, 3, |_| {}), shows);
        assert_eq!(named(&report, 0), [first, second]);
        let culprits = &regression(&report, 0).culprits;
        assert!(
            matches!(&culprits[0].proof, Proof::StillBad { without, .. } if *without == BTreeSet::from([first]))
        );
        let both = BTreeSet::from([first, second]);
        assert!(matches!(&culprits[1].proof, Proof::GoodAgain { without, .. } if *without == both));
        assert_eq!(regression(&report, 0).open, None);
    }
}

#[test]
fn of_two_that_break_it_together_the_later_one_is_named() {
    let shows = |kernel: &KernelOf, test| bad_if(test == 0 && kernel.holds(9) && kernel.holds(33));
    let report = drive(&mut triage(40, 1, |_| {}), shows);
    assert_eq!(named(&report, 0), [33]);
    assert!(matches!(regression(&report, 0).culprits[0].proof, Proof::GoodAgain { .. }));
}

#[test]
fn what_needs_the_culprit_is_taken_out_with_it() {
    let mut triage = triage(40, 1, |config| {
        config.patches[21].needs = vec![20];
        config.patches[30].needs = vec![22];
    });
    let report = drive(&mut triage, |kernel, _| {
        if let KernelOf::Without(set) = kernel {
            assert!(!set.contains(&20) || (set.contains(&22) && set.contains(&31)), "{set:?}");
        }
        bad_if(kernel.holds(20))
    });
    assert_eq!(named(&report, 0), [20]);
    let Proof::GoodAgain { without, .. } = &regression(&report, 0).culprits[0].proof else { panic!() };
    assert_eq!(*without, BTreeSet::from([20, 22, 31]));
}

#[test]
fn what_cannot_be_taken_out_is_named_all_the_same() {
    let stays = |config: &mut Config| config.patches[19].stays = Some("conflicts with 25".into());
    let declared = drive(&mut triage(40, 1, stays), |kernel, _| bad_if(kernel.holds(20)));
    let found_out = drive(&mut triage(40, 1, |_| {}), |kernel, _| match kernel {
        KernelOf::Without(_) => None,
        kernel => bad_if(kernel.holds(20)),
    });
    let never_judged = drive(&mut triage(40, 1, |_| {}), |kernel, _| match kernel {
        KernelOf::Without(_) => Some(Outcome::Unjudged),
        kernel => bad_if(kernel.holds(20)),
    });
    let why = |report: &Report| {
        assert_eq!(named(report, 0), [20]);
        match &regression(report, 0).culprits[0].proof {
            Proof::CannotBeRemoved { why } => why.clone(),
            other => panic!("{other:?}"),
        }
    };
    insta::assert_snapshot!([why(&declared), why(&found_out), why(&never_judged)].join("\n"), @r"
    patch 20: conflicts with 25
    it does not build
    the test cannot be judged on the tip without 20
    ");
}

#[test]
fn where_prefixes_do_not_build_each_candidate_is_taken_out() {
    let hidden = 18..22;
    let all = |kernel: &KernelOf, _| match kernel {
        KernelOf::Prefix(cut) if hidden.contains(cut) => None,
        kernel => bad_if(kernel.holds(20)),
    };
    let report = drive(&mut triage(60, 1, |_| {}), all);
    assert_eq!(named(&report, 0), [20]);
    // the same where it is only this test that cannot be judged there
    let one = |kernel: &KernelOf, test| match kernel {
        KernelOf::Prefix(cut) if test == 1 && hidden.contains(cut) => Some(Outcome::Unjudged),
        kernel => bad_if(kernel.holds(20)),
    };
    let report = drive(&mut triage(60, 2, |_| {}), one);
    assert_eq!((named(&report, 0), named(&report, 1)), (vec![20], vec![20]));
    // and where nothing tells them apart they stay candidates
    let stays = |config: &mut Config| {
        config.patches[16..24].iter_mut().for_each(|patch| patch.stays = Some("conflicts".into()));
    };
    let report = drive(&mut triage(60, 1, stays), all);
    let regression = regression(&report, 0);
    assert!(regression.culprits.is_empty() && regression.open == Some(Limit::Kernels), "{regression:?}");
    assert_eq!(regression.candidates.iter().copied().collect::<BTreeSet<_>>(), (18..=22).collect());
}

#[test]
fn who_cannot_be_it_is_not_blamed() {
    let impossible = |config: &mut Config| {
        let documentation = Patch { impossible: Some("documentation only".into()), ..Patch::default() };
        config.patches[9..19].fill(documentation.clone());
        config.patches[20..30].fill(documentation);
    };
    let report = drive(&mut triage(40, 1, impossible), |kernel, _| bad_if(kernel.holds(20)));
    assert_eq!(named(&report, 0), [20]);
    assert!(report.kernels <= 8, "{}", report.kernels);
    let all = |config: &mut Config| {
        config.patches.fill(Patch { impossible: Some("documentation only".into()), ..Patch::default() });
    };
    let report = drive(&mut triage(4, 1, all), |kernel, _| bad_if(kernel.holds(2)));
    assert!(report.blamed().is_empty());
}

#[test]
fn a_culprit_that_is_taken_back_is_searched_on() {
    let mut triage = triage(40, 1, |_| {});
    let shows = |kernel: &KernelOf, _| bad_if(kernel.holds(20));
    assert_eq!(named(&drive(&mut triage, shows), 0), [20]);
    triage.withdraw(20, "only a comment").unwrap();
    let Step::Run { .. } = triage.next() else { panic!("it goes on") };
    let report = drive(&mut triage, shows);
    // nor is the one behind it, although what comes before both is good
    assert!(report.blamed().is_empty(), "{report:?}");
    assert_eq!(report.withdrawn[&20], "only a comment");
    assert!(report.attempts <= 300, "{}", report.attempts);
}

#[test]
fn fixes_are_judged_by_both_ends() {
    let fixes = |config: &mut Config| config.tests.iter_mut().for_each(|test| test.expect = Expect::Fixed);
    let shows = |kernel: &KernelOf, test| match test {
        0 => bad_if(!kernel.holds(7)),
        1 => bad_if(true),
        2 => bad_if(false),
        3 => bad_if(kernel.holds(7)),
        _ if *kernel == KernelOf::Baseline => Some(Outcome::Unjudged),
        _ => bad_if(false),
    };
    let report = drive(&mut triage(20, 5, fixes), shows);
    let classes: Vec<&Class> = report.findings.iter().map(|finding| &finding.class).collect();
    assert_eq!(classes[..3], [&Class::Fixed, &Class::NotFixed, &Class::NotReproducible]);
    assert_eq!(named(&report, 3), [7]);
    assert_eq!(*classes[4], Class::Uncovered);
}

#[test]
fn a_budget_ends_it_and_says_what_is_still_possible() {
    let shows = |kernel: &KernelOf, test| bad_if(test == 0 && kernel.holds(20));
    let attempts = |most: u32| {
        let mut triage = triage(40, 4, |config| config.budget.attempts = Some(most));
        drive(&mut triage, shows)
    };
    for most in [1, 5, 12, 18, 24, 30] {
        assert!(attempts(most).attempts <= most);
    }
    let Class::Undecided(early) = &attempts(14).findings[0].class else { panic!() };
    assert_eq!(early.why, Limit::Budget);
    assert!(matches!(early.possible[..], [Possible::Regression { .. }, Possible::Flaky]), "{early:?}");
    let last = attempts(60);
    let enough = last.attempts;
    let late = attempts(enough - 1);
    let late = regression(&late, 0);
    assert!(late.culprits.is_empty() && late.open == Some(Limit::Budget), "{late:?}");
    assert_eq!(late.candidates, [20]);
    for most in [15.0, 40.0, 75.0] {
        let mut triage = triage(40, 4, |config| config.budget.cost = Some(most));
        drive(&mut triage, shows);
        assert!(triage.spent() <= most, "{}", triage.spent());
    }
}

#[test]
fn what_is_not_of_the_queue_is_refused() {
    let mut triage = triage(40, 2, |_| {});
    let mut said = vec![
        triage.observe(KernelOf::Prefix(41), 0, Outcome::Bad).unwrap_err().to_string(),
        triage.observe(KernelOf::Without([0].into()), 0, Outcome::Bad).unwrap_err().to_string(),
        triage.observe(KernelOf::Tip, 2, Outcome::Bad).unwrap_err().to_string(),
        triage.withdraw(0, "").unwrap_err().to_string(),
    ];
    triage.observe(KernelOf::Prefix(40), 1, Outcome::Bad).unwrap();
    said.push(Triage::resume(Config::new(40, 1), triage.counts().clone()).unwrap_err().to_string());
    insta::assert_snapshot!(said.join("\n"), @r"
    there is no patch 41: the queue has the patches 1 to 40
    there is no patch 0: the queue has the patches 1 to 40
    there is no test 2: there are 2, counted from 0
    there is no patch 0: the queue has the patches 1 to 40
    what was seen before is of another queue: there is no test 1: there are 1, counted from 0
    ");
}

#[test]
fn the_steps_of_a_small_queue() {
    let mut triage = triage(8, 2, |_| {});
    let mut steps: Vec<String> = Vec::new();
    let mut last = None;
    let report = drive(&mut triage, |kernel, test| {
        let bad = test == 1 && kernel.holds(5);
        if last.as_ref() != Some(&(kernel.clone(), test)) {
            steps.push(format!("test {test} on {kernel}: "));
            last = Some((kernel.clone(), test));
        }
        steps.last_mut().unwrap().push(if bad { 'B' } else { 'g' });
        bad_if(bad)
    });
    assert_eq!(named(&report, 1), [5]);
    insta::assert_snapshot!(steps.join("\n"), @r"
    test 0 on the tip: ggg
    test 1 on the tip: BB
    test 1 on the baseline: g
    test 1 on the tip: B
    test 1 on the baseline: g
    test 1 on the first 4 patches: gggg
    test 1 on the first 6 patches: B
    test 1 on the first 5 patches: B
    test 1 on the first 4 patches: g
    test 1 on the first 5 patches: B
    test 1 on the first 4 patches: g
    test 1 on the tip without 5: gg
    ");
}
