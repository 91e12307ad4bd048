//! A driver without kernels: what an attempt shows is a function's answer.

use queue_triage::{KernelOf, Outcome, Report, Step, Triage};

/// Carries out steps until the end. `None` is a kernel that does not build.
///
/// # Panics
/// After more steps than any queue of these tests takes.
pub fn drive(triage: &mut Triage, mut shows: impl FnMut(&KernelOf, usize) -> Option<Outcome>) -> Report {
    for _ in 0..20_000 {
        let (kernel, tasks) = match triage.next() {
            Step::Done(report) => return report,
            Step::Run { kernel, tasks } => (kernel, tasks),
        };
        assert!(!tasks.is_empty() && tasks.iter().all(|task| task.attempts > 0), "{tasks:?}");
        'tasks: for task in tasks {
            for _ in 0..task.attempts {
                let Some(outcome) = shows(&kernel, task.test) else {
                    triage.broken(kernel.clone(), "it does not build").unwrap();
                    break 'tasks;
                };
                triage.observe(kernel.clone(), task.test, outcome).unwrap();
                if outcome == Outcome::Bad {
                    break;
                }
            }
        }
    }
    panic!("it does not end");
}
