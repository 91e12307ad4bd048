//! The evidence for a cell as text: the sentences that JUnit, HTML and Markdown share.

use std::fmt::Write as _;

use super::fold::{CellSummary, RunEnd};
use crate::event::AttemptRecord;
use crate::observation::SubtestResult;
use crate::plural::counted;
use crate::verdict::Verdict;

/// Attempts that are listed one by one; a long series of clean ones says nothing new.
const ATTEMPTS_SHOWN: usize = 50;

/// Subtests that are listed by name.
const SUBTESTS_SHOWN: usize = 50;

/// What came of a cell, in one sentence.
pub(super) fn said(cell: &CellSummary, ended: RunEnd) -> String {
    let Some(record) = &cell.record else { return ended.why_not_run().to_owned() };
    let said = record.title.as_ref().or(record.reason.as_ref()).cloned();
    said.unwrap_or_else(|| match record.verdict {
        Verdict::Good => "the whole dose ran and nothing was seen".into(),
        verdict => verdict.word().into(),
    })
}

/// One attempt in one line.
pub(super) fn attempt_line(attempt: &AttemptRecord) -> String {
    let mut line = format!("attempt {}: {} in {:.3} s", attempt.attempt, attempt.verdict, attempt.seconds);
    if let Some(boot) = attempt.boot_seconds {
        let _ = write!(line, ", agent after {boot:.3} s");
    }
    let _ = write!(line, ", reached {}, {}", attempt.phase.word(), attempt.ending);
    if let Some(text) = attempt.title.as_ref().or(attempt.reason.as_ref()) {
        let _ = write!(line, ": {text}");
    }
    line
}

/// What the program and the detectors of an attempt said, a line each.
pub(super) fn readings(attempt: &AttemptRecord) -> Vec<String> {
    let mut lines = attempt.findings.clone();
    if attempt.program.started {
        let end = attempt.program.exit.map_or_else(|| "did not end".to_owned(), |exit| exit.to_string());
        let done = attempt.program.iterations().map_or_else(String::new, |n| format!(", {n} iterations"));
        lines.push(format!("program: {end}{done}"));
    }
    lines.extend(subtests(attempt));
    for probe in &attempt.probes {
        let reading = |value: Option<i64>| value.map_or_else(|| "unread".to_owned(), |v| v.to_string());
        let error = probe.error.as_ref().map_or_else(String::new, |error| format!(" ({error})"));
        let (before, after) = (reading(probe.before), reading(probe.after));
        lines.push(format!(
            "{} {}: {before} before the dose, {after} after it{error}",
            probe.probe, probe.subject
        ));
    }
    for task in &attempt.blocked {
        let stack = if task.stack.is_empty() { "no stack".to_owned() } else { task.stack.join(" < ") };
        lines.push(format!("blocked task {} ({}): {stack}", task.comm, task.pid));
    }
    lines
}

/// What the subtests of an attempt gave: how many of each kind, and the names of those that failed.
fn subtests(attempt: &AttemptRecord) -> Vec<String> {
    use SubtestResult::{ExpectedFailure, Failed, Passed, Skipped};
    let subtests = &attempt.program.subtests;
    let count = |result| subtests.iter().filter(|subtest| subtest.result == result).count();
    let counts = [
        (Failed, "failed"),
        (Passed, "passed"),
        (Skipped, "skipped"),
        (ExpectedFailure, "failed as expected"),
    ];
    let counts: Vec<String> = counts
        .into_iter()
        .map(|(result, words)| (count(result), words))
        .filter(|(number, _)| *number > 0)
        .map(|(number, words)| format!("{number} {words}"))
        .collect();
    if counts.is_empty() {
        return Vec::new();
    }
    let failed = subtests.iter().filter(|subtest| subtest.result == Failed);
    let names = failed.take(SUBTESTS_SHOWN).map(|subtest| format!("failed subtest: {}", subtest.name));
    let more = count(Failed).saturating_sub(SUBTESTS_SHOWN);
    let more = (more > 0).then(|| format!("{more} more failed subtests"));
    [format!("subtests: {}", counts.join(", "))].into_iter().chain(names).chain(more).collect()
}

/// Everything worth reading about a cell, as plain text.
pub(super) fn text(cell: &CellSummary) -> String {
    let mut out = String::new();
    let release = cell.release.as_ref().map_or_else(String::new, |release| format!(" ({release})"));
    let _ = writeln!(out, "{} on kernel {}{release}", cell.id.test, cell.id.kernel);
    if !cell.summary.is_empty() {
        let _ = writeln!(out, "{}", cell.summary);
    }
    if let Some(known) = cell.record.as_ref().and_then(|record| record.known.as_deref()) {
        let said = match known {
            "known" => "the suite lists this kernel as one that has the bug",
            "fixed" => "the suite lists this kernel as one that has the bug, but it came out good",
            other => other,
        };
        let _ = writeln!(out, "{known}: {said}");
    }
    if let Some(text) = cell.beside_expected() {
        let words = cell.expectation.as_ref().map_or("", |expectation| expectation.words.as_str());
        let _ = writeln!(out, "{text}");
        if !words.is_empty() {
            let _ = writeln!(out, "  {words}");
        }
    }
    if let Some(chance) = cell.record.as_ref().and_then(|record| record.miss_chance) {
        let _ = writeln!(
            out,
            "chance that the bug is there and was missed: {}",
            crate::progress::percent(chance)
        );
    }
    for attempt in cell.attempts.iter().take(ATTEMPTS_SHOWN) {
        let _ = writeln!(out, "{}", attempt_line(attempt));
        for path in [&attempt.console, &attempt.reproduce].into_iter().flatten() {
            let _ = writeln!(out, "  {path}");
        }
    }
    if let Some(more) = cell.attempts.len().checked_sub(ATTEMPTS_SHOWN).filter(|more| *more > 0) {
        let _ = writeln!(out, "{}", counted(more, "more attempt"));
    }
    if let Some(attempt) = cell.deciding_attempt() {
        for line in readings(attempt) {
            let _ = writeln!(out, "{line}");
        }
        let output = attempt.program.output.trim_end();
        if !output.is_empty() {
            let end = if attempt.program.output_bytes > attempt.program.output.len() as u64 {
                "end of the "
            } else {
                ""
            };
            let _ = writeln!(out, "{end}program's output:\n{output}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observation::BlockedTask;
    use crate::report::sample;

    #[test]
    fn a_crash() {
        let run = sample::finished();
        insta::assert_snapshot!(text(&sample::cell(&run, "block::elevator-switch-race", "6.17.13")), @r#"
        block::elevator-switch-race on kernel 6.17.13 (6.17.13+deb13-cloud-amd64)
        two writers switch the I/O scheduler of one queue at once
        known: the suite lists this kernel as one that has the bug
        attempt 1: bad in 3.212 s, agent after 1.104 s, reached dose, stopped after a crash on the console: BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
          attempts/block__elevator-switch-race@6.17.13/1/console.log
          attempts/block__elevator-switch-race@6.17.13/1/reproduce.sh
        program: exit code 0, 20000 iterations
        end of the program's output:
        round 19999
        round 20000
        "#);
    }

    #[test]
    fn a_leak_and_a_blocked_task() {
        let run = sample::finished();
        let mut cell = sample::cell(&run, "cifs::fsconfig-source-leak", "6.12.57");
        cell.attempts[0].blocked.push(BlockedTask {
            pid: 77,
            comm: "umount".into(),
            stack: ["io_schedule", "folio_wait_bit"].map(str::to_owned).into(),
        });
        insta::assert_snapshot!(text(&cell), @r#"
        cifs::fsconfig-source-leak on kernel 6.12.57 (6.12.57+deb13-cloud-amd64)
        fsconfig leaks the source string
        attempt 1: bad in 3.212 s, agent after 1.104 s, reached settle, ended by itself: leak of 20000 objects in kmalloc-192
          attempts/cifs__fsconfig-source-leak@6.12.57/1/console.log
          attempts/cifs__fsconfig-source-leak@6.12.57/1/reproduce.sh
        program: exit code 0, 20000 iterations
        slab kmalloc-192: 1024 before the dose, 21031 after it
        blocked task umount (77): io_schedule < folio_wait_bit
        end of the program's output:
        round 19999
        round 20000
        "#);
    }

    #[test]
    fn many_attempts_are_not_told_one_by_one() {
        let run = sample::finished();
        let mut cell = sample::cell(&run, "block::elevator-switch-race", "6.12.57");
        cell.attempts = vec![cell.attempts[0].clone(); 5000];
        let text = text(&cell);
        assert!(text.lines().count() < 200 && text.contains("4950 more attempts"));
    }
}
