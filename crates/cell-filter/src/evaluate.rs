//! Expressions on what is known of a cell, in a logic of three values: a test is chosen before its kernels are known.

use kernel_version::KernelVersion;

use super::{Node, Predicate};

/// What is known of a cell. What is `None` is not known yet, and leaves open what depends on it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// Name of the suite.
    pub suite: &'a str,
    /// Full name of the test, `suite::name`.
    pub test: &'a str,
    /// What the test needs: modules, options (`CONFIG_NAME` or `NAME`), devices.
    pub needs: &'a [String],
    /// Source files that the test's bug is in.
    pub files: &'a [String],
    /// Commits that the test says fix its bug, hexadecimal.
    pub fixes: &'a [String],
    /// The kernel's name, as its column has it.
    pub kernel: Option<&'a str>,
    /// The kernel's version; a kernel may be known by name only.
    pub version: Option<&'a KernelVersion>,
    /// The verdict of an earlier run; the empty text where it had none.
    pub verdict: Option<&'a str>,
    /// How long the cell took in an earlier run, in seconds; infinite where it was not in it.
    pub seconds: Option<f64>,
}

/// Whether an expression holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It holds, whatever else becomes known.
    Yes,
    /// It does not.
    No,
    /// That depends on what is not known yet.
    Open,
}

impl From<bool> for Known {
    fn from(value: bool) -> Known {
        if value { Known::Yes } else { Known::No }
    }
}

impl Known {
    fn not(self) -> Known {
        match self {
            Known::Yes => Known::No,
            Known::No => Known::Yes,
            Known::Open => Known::Open,
        }
    }
}

pub(crate) fn evaluate(node: &Node, facts: &Facts<'_>) -> Known {
    match node {
        Node::All => Known::Yes,
        Node::None => Known::No,
        Node::Not(node) => evaluate(node, facts).not(),
        Node::And(a, b) => match (evaluate(a, facts), evaluate(b, facts)) {
            (Known::No, _) | (_, Known::No) => Known::No,
            (Known::Yes, Known::Yes) => Known::Yes,
            _ => Known::Open,
        },
        Node::Or(a, b) => match (evaluate(a, facts), evaluate(b, facts)) {
            (Known::Yes, _) | (_, Known::Yes) => Known::Yes,
            (Known::No, Known::No) => Known::No,
            _ => Known::Open,
        },
        Node::Predicate(predicate) => holds(predicate, facts),
    }
}

fn holds(predicate: &Predicate, facts: &Facts<'_>) -> Known {
    let any = |list: &[String], fits: &dyn Fn(&str) -> bool| list.iter().any(|one| fits(one)).into();
    match predicate {
        Predicate::Suite(matcher) => matcher.is_match(facts.suite).into(),
        Predicate::Test(matcher) => matcher.is_match(facts.test).into(),
        Predicate::Kernel(pattern) => match (facts.kernel, facts.version) {
            (None, None) => Known::Open,
            (name, version) => pattern.is_match(name.unwrap_or_default(), version).into(),
        },
        Predicate::Needs(matcher) => any(facts.needs, &|need| {
            matcher.is_match(need) || need.strip_prefix("CONFIG_").is_some_and(|name| matcher.is_match(name))
        }),
        Predicate::Touches(path) => any(facts.files, &|file| below(file, path) || below(path, file)),
        Predicate::Fixes(commit) => {
            any(facts.fixes, &|fix| fix.starts_with(commit.as_str()) || commit.starts_with(fix))
        }
        Predicate::Verdict(matcher) => match facts.verdict {
            Some(verdict) => matcher.is_match(verdict).into(),
            None => Known::Open,
        },
        Predicate::Duration(comparison) => match facts.seconds {
            Some(seconds) => (seconds.is_finite() && comparison.holds(seconds)).into(),
            None => Known::Open,
        },
    }
}

/// Whether a file is this path, or lies below it.
fn below(file: &str, path: &str) -> bool {
    let path = path.trim_end_matches('/');
    file.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
