//! What a configuration changes of single cells: overrides by filter expressions, and groups.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::model::{Given, GroupLimit, Override};
use crate::plan::CellChoice;
use crate::suite::Test;
use crate::version::KernelVersion;

/// Settings that single tests may have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Clean attempts that make a `good`.
    pub attempts: Option<u32>,
    /// How often an attempt that says nothing is repeated.
    pub retries: Option<u32>,
    /// When a program is ended.
    pub timeout: Option<Duration>,
}

/// What is changed of the tests of a run, cell by cell.
#[derive(Debug, Default)]
pub struct Adjustments {
    overrides: Vec<(CellChoice, Tuning)>,
    groups: Vec<(CellChoice, GroupLimit)>,
    /// What the profile says of every test.
    otherwise: Tuning,
    /// Tests as they are under the overrides and groups of these numbers: cells that are alike share one.
    made: Mutex<HashMap<Fit, Arc<Test>>>,
}

/// Which test, and the overrides and groups that mean it.
type Fit = (String, Vec<usize>, Vec<usize>);

impl Adjustments {
    /// The overrides, the strongest first, and groups of a profile; `otherwise` is for tests that no override means.
    /// What is set in `fixed` was said with more strength, and is not changed.
    pub fn new(
        overrides: Vec<Given<Override>>,
        groups: Vec<Given<GroupLimit>>,
        otherwise: Tuning,
        fixed: Tuning,
    ) -> Adjustments {
        let free = |tuning: Tuning| Tuning {
            attempts: tuning.attempts.filter(|_| fixed.attempts.is_none()),
            retries: tuning.retries.filter(|_| fixed.retries.is_none()),
            timeout: tuning.timeout.filter(|_| fixed.timeout.is_none()),
        };
        let overrides = overrides.into_iter().map(|Given { value, .. }| {
            let tuning = Tuning {
                attempts: value.attempts.map(|given| given.value),
                retries: value.retries.map(|given| given.value),
                timeout: value.timeout.map(|given| given.value),
            };
            (CellChoice::new(vec![value.filter]), free(tuning))
        });
        let groups = groups
            .into_iter()
            .map(|Given { value, .. }| (CellChoice::new(vec![value.filter.clone()]), value));
        Adjustments {
            overrides: overrides.collect(),
            groups: groups.collect(),
            otherwise: free(otherwise),
            made: Mutex::default(),
        }
    }

    /// Whether nothing is ever changed.
    pub fn is_empty(&self) -> bool {
        self.overrides.is_empty() && self.groups.is_empty() && self.otherwise == Tuning::default()
    }

    /// The test as it is to be run on a kernel of this name, and this version where it is known.
    pub fn of(&self, test: &Arc<Test>, kernel: &str, version: Option<&KernelVersion>) -> Arc<Test> {
        if self.is_empty() {
            return Arc::clone(test);
        }
        let fitting = |choices: &mut dyn Iterator<Item = &CellChoice>| -> Vec<usize> {
            choices.enumerate().filter(|(_, c)| c.means(test, kernel, version)).map(|(nth, _)| nth).collect()
        };
        let overrides = fitting(&mut self.overrides.iter().map(|(choice, _)| choice));
        let groups = fitting(&mut self.groups.iter().map(|(choice, _)| choice));
        let tunings = overrides.iter().map(|nth| self.overrides[*nth].1).chain([self.otherwise]);
        let tuning = tunings.fold(Tuning::default(), |nearer, tuning| Tuning {
            attempts: nearer.attempts.or(tuning.attempts),
            retries: nearer.retries.or(tuning.retries),
            timeout: nearer.timeout.or(tuning.timeout),
        });
        let limits: Vec<_> = groups.iter().map(|nth| Arc::clone(&self.groups[*nth].1.group)).collect();
        let mut made = self.made.lock();
        let made = made.entry((test.id(), overrides, groups)).or_insert_with(|| {
            let mut test = Test::clone(test);
            test.dose.attempts = tuning.attempts.unwrap_or(test.dose.attempts);
            if let Some(terminate) = tuning.timeout {
                test.timeout.terminate = terminate;
                test.timeout.slow = test.timeout.slow.min(terminate);
            }
            test.turn.retries = tuning.retries.or(test.turn.retries);
            test.turn.limits = limits;
            Arc::new(test)
        });
        Arc::clone(made)
    }
}
