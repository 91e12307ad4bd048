//! Which cells of suites × kernels are meant: a filter expression, and the cells of an earlier run that have not passed.

use std::collections::HashMap;

use cell_filter::{Facts, Filter, Known};

use crate::event::CellId;
use crate::suite::Test;
use crate::verdict::Verdict;
use crate::version::KernelVersion;

/// What an earlier run says of a cell.
#[derive(Clone, Copy, Debug)]
pub struct EarlierCell {
    /// Its verdict; absent: it was not run to its end.
    pub verdict: Option<Verdict>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Whether it need not be run again.
    pub passed: bool,
}

/// The cells of an earlier run.
pub type EarlierCells = HashMap<CellId, EarlierCell>;

/// Which cells are meant. By default all of them are.
#[derive(Clone, Debug, Default)]
pub struct CellChoice {
    /// Any of these has to hold, if there are any.
    expressions: Vec<Filter>,
    /// What `verdict()` and `duration()` ask.
    earlier: Option<EarlierCells>,
    /// Only cells of this run that have not passed.
    rerun: Option<EarlierCells>,
}

impl CellChoice {
    /// The cells for which one of the expressions holds, all cells if there is none.
    pub fn new(expressions: Vec<Filter>) -> CellChoice {
        CellChoice { expressions, ..CellChoice::default() }
    }

    /// Whether an expression asks for an earlier run.
    pub fn needs_earlier_run(&self) -> bool {
        self.expressions.iter().any(Filter::needs_earlier_run)
    }

    /// With the run that `verdict()` and `duration()` ask.
    pub fn with_earlier(self, cells: EarlierCells) -> CellChoice {
        CellChoice { earlier: Some(cells), ..self }
    }

    /// With nothing but the cells of this run that have not passed.
    pub fn with_rerun(self, cells: EarlierCells) -> CellChoice {
        CellChoice { rerun: Some(cells), ..self }
    }

    /// Whether there is a run to run again, and nothing of it that has not passed.
    pub fn all_have_passed(&self) -> bool {
        self.rerun.as_ref().is_some_and(|cells| cells.values().all(|cell| cell.passed))
    }

    /// Whether a test may be meant on some kernel.
    pub fn may_mean(&self, test: &Test) -> bool {
        self.holds(test, None, None) != Known::No
    }

    /// Whether a test is meant on a kernel of this name, and this version where it is known.
    pub fn means(&self, test: &Test, kernel: &str, version: Option<&KernelVersion>) -> bool {
        let again = || {
            let cell = self.rerun.as_ref()?.get(&CellId { test: test.id(), kernel: kernel.to_owned() })?;
            Some(!cell.passed)
        };
        (self.rerun.is_none() || again() == Some(true))
            && self.holds(test, Some(kernel), version) == Known::Yes
    }

    fn holds(&self, test: &Test, kernel: Option<&str>, version: Option<&KernelVersion>) -> Known {
        if self.expressions.is_empty() {
            return Known::Yes;
        }
        let id = test.id();
        let needs = needs(test);
        let fixes: Vec<String> = test.history.fixes().map(|fix| fix.commit.clone()).collect();
        let cell = kernel.and_then(|kernel| {
            let id = CellId { test: id.clone(), kernel: kernel.to_owned() };
            Some(self.earlier.as_ref()?.get(&id).copied())
        });
        let word =
            cell.map(|cell| cell.and_then(|cell| cell.verdict).map(|v| v.to_string()).unwrap_or_default());
        let facts = Facts {
            suite: &test.suite,
            test: &id,
            needs: &needs,
            files: &test.history.files,
            fixes: &fixes,
            kernel,
            version,
            verdict: word.as_deref(),
            seconds: cell.map(|cell| cell.map_or(f64::INFINITY, |cell| cell.seconds)),
        };
        let known: Vec<Known> = self.expressions.iter().map(|filter| filter.evaluate(&facts)).collect();
        match known {
            known if known.contains(&Known::Yes) => Known::Yes,
            known if known.contains(&Known::Open) => Known::Open,
            _ => Known::No,
        }
    }
}

/// What `needs()` is asked of: modules, options, and the machine.
fn needs(test: &Test) -> Vec<String> {
    let options = test.needs.config_needs().map(|need| format!("CONFIG_{}", need.option));
    let machine = std::iter::once(test.machine.base.clone());
    test.needs.modules.iter().cloned().chain(options).chain(machine).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::sample;

    fn choice(text: &str) -> CellChoice {
        CellChoice::new(vec![Filter::parse(text).unwrap()])
    }

    #[test]
    fn tests_are_chosen_by_what_their_suite_says() {
        let test = sample::placed(
            "race",
            "needs: {modules: [null_blk], config: [KASAN=y]}\n  history: {fixed: {commit: 9b25f381de6b}, files: [block/elevator.c]}",
        )
        .test;
        let table = [
            ("needs(null_blk)", true),
            ("needs(KASAN)", true),
            ("needs(igb)", false),
            ("touches(block)", true),
            ("touches(fs)", false),
            ("fixes(9b25f381de6b8942)", true),
            ("fixes(0123456)", false),
            ("suite(s) & test(race)", true),
            ("kernel(7.2)", true),
            ("none() & kernel(7.2)", false),
        ];
        for (text, wanted) in table {
            assert_eq!(choice(text).may_mean(&test), wanted, "{text}");
        }
    }

    #[test]
    fn cells_are_chosen_by_kernel_and_earlier_run() {
        let test = sample::placed("race", "").test;
        let version: KernelVersion = "6.17.13".parse().unwrap();
        let means = |choice: &CellChoice, kernel| choice.means(&test, kernel, Some(&version));
        assert!(means(&choice("kernel(6.17)"), "6.17.13"));
        assert!(!means(&choice("kernel(6.12)"), "6.17.13"));
        let id = |kernel: &str| CellId { test: test.id(), kernel: kernel.to_owned() };
        let cell = |verdict, passed| EarlierCell { verdict, seconds: 2.0, passed };
        let earlier = EarlierCells::from([
            (id("a"), cell(Some(Verdict::Bad), false)),
            (id("b"), cell(Some(Verdict::Good), true)),
            (id("c"), cell(None, false)),
        ]);
        let table = [
            ("verdict(bad)", vec!["a"]),
            ("!verdict(bad)", vec!["b", "c", "d"]),
            ("duration(<3s)", vec!["a", "b", "c"]),
        ];
        for (text, wanted) in table {
            let choice = choice(text).with_earlier(earlier.clone());
            let meant: Vec<&str> =
                ["a", "b", "c", "d"].into_iter().filter(|kernel| means(&choice, kernel)).collect();
            assert_eq!(meant, wanted, "{text}");
        }
        let again = CellChoice::default().with_rerun(earlier.clone());
        let meant: Vec<&str> = ["a", "b", "c", "d"].into_iter().filter(|k| means(&again, k)).collect();
        assert_eq!(meant, ["a", "c"], "what failed, and what was not run to its end");
        assert!(!means(&choice("none()").with_rerun(earlier), "a"));
    }
}
