//! What is asked: the patches, the tests, and how sure the answers must be.

use std::collections::BTreeSet;

use flaky_bisect::Costs;

/// What the caller knows of a patch.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Patch {
    /// Why it cannot be the culprit of anything: documentation only, another architecture, nothing in the built
    /// objects changed.
    pub impossible: Option<String>,
    /// The patches before it that it cannot be without.
    pub needs: Vec<usize>,
    /// Why it cannot be taken out of the tip, for example a conflict.
    pub stays: Option<String>,
}

/// What a test is to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// It is good on the baseline and must be on the tip.
    #[default]
    Good,
    /// It is about a bug that the queue fixes: bad on the baseline, good on the tip.
    Fixed,
}

/// What the caller knows of a test.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Test {
    /// What it is to show.
    pub expect: Expect,
    /// The chance per attempt that it fails on a kernel without a bug, where earlier runs measured it.
    pub spurious: Option<f64>,
    /// How many good attempts on the tip make it fine; [`Aims::worth`] where nothing is said.
    pub worth: Option<u32>,
}

/// How sure the answers must be, and what is worth looking for.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Aims {
    /// The chance that any test at all is called a regression although the queue changes nothing for it: proved, and
    /// shared by all tests ([`crate::Regression::error`]).
    pub wrong: f64,
    /// How probable a culprit must be to be named.
    pub confidence: f64,
    /// The smallest rise of the chance per attempt that is looked for. Tests that surely rose by less are left alone.
    pub least: f64,
    /// How many good attempts on the tip make a test fine. A regression that shows with chance c in an attempt is
    /// missed with (1-c)^worth.
    pub worth: u32,
    /// How many good attempts on the baseline show that a bug which the queue fixes does not reproduce here.
    pub reproduce: u32,
    /// The most attempts for one test, on all kernels.
    pub per_test: u32,
}

impl Default for Aims {
    fn default() -> Aims {
        Aims { wrong: 0.01, confidence: 0.99, least: 0.3, worth: 3, reproduce: 10, per_test: 300 }
    }
}

/// What may be spent. Nothing said: what it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub struct Budget {
    /// Attempts, those that could not judge included.
    pub attempts: Option<u32>,
    /// Cost of kernels and attempts together, in the unit of [`Costs`].
    pub cost: Option<f64>,
}

/// A queue, its tests, and what is asked about them.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// The patches in the order of the queue: the first one is patch 1.
    pub patches: Vec<Patch>,
    /// The tests, in the order in which they are to run.
    pub tests: Vec<Test>,
    /// How sure the answers must be.
    #[serde(default)]
    pub aims: Aims,
    /// What kernels and attempts cost.
    pub costs: Costs,
    /// What may be spent.
    #[serde(default)]
    pub budget: Budget,
}

/// A configuration that makes no sense.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ConfigError {
    /// No patch.
    #[error("the queue has no patch: there is nothing to blame")]
    NoPatch,
    /// No test.
    #[error("there is no test to judge the queue by")]
    NoTest,
    /// A patch needs one that does not come before it.
    #[error("patch {patch} needs patch {needed}, which does not come before it")]
    Needs {
        /// The patch.
        patch: usize,
        /// What it is said to need.
        needed: usize,
    },
    /// A number that is out of its range.
    #[error("{what} is {found}, expected {expected}")]
    Range {
        /// Which number.
        what: String,
        /// Its value.
        found: f64,
        /// What it may be.
        expected: &'static str,
    },
}

impl Config {
    /// So many patches and tests of which nothing is known. A kernel costs as much as ten attempts.
    pub fn new(patches: usize, tests: usize) -> Config {
        Config {
            patches: vec![Patch::default(); patches],
            tests: vec![Test::default(); tests],
            aims: Aims::default(),
            costs: Costs { kernel: 10.0, attempt: 1.0 },
            budget: Budget::default(),
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// It does not, and why.
    pub fn check(&self) -> Result<(), ConfigError> {
        if self.patches.is_empty() {
            return Err(ConfigError::NoPatch);
        }
        if self.tests.is_empty() {
            return Err(ConfigError::NoTest);
        }
        for (nth, patch) in self.patches.iter().enumerate() {
            if let Some(&needed) = patch.needs.iter().find(|needed| !(1..=nth).contains(*needed)) {
                return Err(ConfigError::Needs { patch: nth + 1, needed });
            }
        }
        let aims = &self.aims;
        let within =
            |what: &str, found: f64, least: f64, most: f64, expected| match found > least && found < most {
                true => Ok(()),
                false => Err(ConfigError::Range { what: what.to_owned(), found, expected }),
            };
        within("wrong", aims.wrong, 0.0, 1.0, "a chance above 0 and below 1")?;
        within("confidence", aims.confidence, 0.5, 1.0, "a probability above 0.5 and below 1")?;
        within("least", aims.least, 0.0, 1.0, "a chance above 0 and below 1")?;
        within("worth", f64::from(aims.worth), 0.0, f64::INFINITY, "at least one attempt")?;
        within("reproduce", f64::from(aims.reproduce), 0.0, f64::INFINITY, "at least one attempt")?;
        within("the cost of a kernel", self.costs.kernel, -f64::MIN_POSITIVE, f64::INFINITY, "0 or more")?;
        within("the cost of an attempt", self.costs.attempt, 0.0, f64::INFINITY, "more than 0")?;
        for (nth, test) in self.tests.iter().enumerate() {
            if let Some(spurious) = test.spurious {
                let what = format!("the spurious chance of test {nth}");
                within(&what, spurious, -f64::MIN_POSITIVE, 1.0, "a chance of at least 0 and below 1")?;
            }
        }
        Ok(())
    }

    /// How many patches there are.
    pub(crate) fn queue(&self) -> usize {
        self.patches.len()
    }

    /// A patch by its number.
    pub(crate) fn patch(&self, number: usize) -> &Patch {
        &self.patches[number - 1]
    }

    /// A patch and all that cannot be without it.
    pub(crate) fn with_dependents(&self, patch: usize) -> BTreeSet<usize> {
        let mut out = BTreeSet::from([patch]);
        for later in patch + 1..=self.queue() {
            if self.patch(later).needs.iter().any(|needed| out.contains(needed)) {
                out.insert(later);
            }
        }
        out
    }

    /// How many good attempts on the tip make a test fine.
    pub(crate) fn worth(&self, test: usize) -> u32 {
        self.tests[test].worth.unwrap_or(self.aims.worth).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_a_patch_goes_with_it() {
        let mut config = Config::new(6, 1);
        config.patches[2].needs = vec![2];
        config.patches[4].needs = vec![1, 3];
        assert_eq!(config.with_dependents(2), BTreeSet::from([2, 3, 5]));
        assert_eq!(config.with_dependents(6), BTreeSet::from([6]));
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let error = |change: &dyn Fn(&mut Config)| {
            let mut config = Config::new(3, 2);
            change(&mut config);
            config.check().unwrap_err().to_string()
        };
        let said = [
            error(&|c| c.patches.clear()),
            error(&|c| c.tests.clear()),
            error(&|c| c.patches[1].needs = vec![2]),
            error(&|c| c.patches[1].needs = vec![0]),
            error(&|c| c.aims.wrong = 0.0),
            error(&|c| c.aims.worth = 0),
            error(&|c| c.tests[1].spurious = Some(f64::NAN)),
            error(&|c| c.costs.attempt = 0.0),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        the queue has no patch: there is nothing to blame
        there is no test to judge the queue by
        patch 2 needs patch 2, which does not come before it
        patch 2 needs patch 0, which does not come before it
        wrong is 0, expected a chance above 0 and below 1
        worth is 0, expected at least one attempt
        the spurious chance of test 1 is NaN, expected a chance of at least 0 and below 1
        the cost of an attempt is 0, expected more than 0
        ");
        assert_eq!(Config::new(3, 2).check(), Ok(()));
    }
}
