//! Whether the guest had memory enough for the dose.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::super::Judgement;
use super::{Evidence, blind};
use crate::oops::Report;
use crate::suite::OutputFormat;

/// Panics of a guest that is out of memory (`mm/oom_kill.c`). A kernel says the same whether it leaks or a program asked
/// for too much.
const PANICS: &[&str] = &["kernel panic: System is deadlocked on memory", "kernel panic: Out of memory"];

/// `oom_kill_process()` since 5.0, for the whole guest and for a group of it.
static KILLED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:Out of memory|Memory cgroup out of memory): Killed process (\d+) \(([^\n]{0,64}?)\)")
        .expect("a valid pattern")
});

/// Whether the report says no more than that the guest was out of memory.
pub(in super::super) fn is_exhaustion(report: &Report) -> bool {
    PANICS.iter().any(|panic| report.title.starts_with(panic))
}

pub(super) fn exhausted(evidence: &Evidence<'_>) -> Option<Judgement> {
    const ADVICE: &str = "so it was no whole dose; give the machine more memory";
    if let Some(report) = evidence.during.iter().find(|report| is_exhaustion(report)) {
        return blind(format!("the guest ran out of memory ({}), {ADVICE}", report.title));
    }
    let console = &evidence.seen.console;
    let dose = console.text.get(console.dose_start?..).unwrap_or_default();
    let Some(found) = KILLED.captures(dose) else {
        let killed = super::kernel::killed(evidence)?;
        return blind(format!("the kernel was out of memory and killed {killed} process(es), {ADVICE}"));
    };
    if of_tested_groups(evidence, dose) {
        return None;
    }
    let word = |nth| String::from_utf8_lossy(&found[nth]).into_owned();
    blind(format!("the kernel was out of memory and killed {} ({}), {ADVICE}", word(2), word(1)))
}

/// Whether all that was killed had exceeded limits of memory cgroups, in a program that has tests of its own and says of each
/// how it came out: nobody else in a guest sets such limits, so they are what it tests.
fn of_tested_groups(evidence: &Evidence<'_>, dose: &[u8]) -> bool {
    let tests_groups = match evidence.test.program.launch().output {
        OutputFormat::Kselftest | OutputFormat::Ltp => true,
        OutputFormat::Reports | OutputFormat::Ktap | OutputFormat::Xfstests | OutputFormat::Blktests => false,
    };
    let killed: Vec<_> = KILLED.find_iter(dose).map(|found| found.as_bytes()).collect();
    // the console may lack some, which the kernel has counted
    let all = super::kernel::killed(evidence).is_none_or(|count| count <= killed.len() as i64);
    tests_groups && all && killed.iter().all(|line| line.starts_with(b"Memory cgroup"))
}
