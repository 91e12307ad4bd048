//! TAP, the Test Anything Protocol, in its version 13: that is the newest which `prove` of Debian 12 and 13 reads
//! (Test::Harness 3.44 fails every document of version 14). Version 14, which has subtests, is a format of its own.

use std::io::Write;

use super::{Kind, Rendered, Renderer, Subject, say};
use crate::observation::SubtestResult;
use crate::progress::printable;
use crate::report::matrix::MatrixStyle;
use crate::report::{CellSummary, RunSummary};
use crate::verdict::Verdict;

/// The format.
pub(super) struct Tap;

impl Renderer for Tap {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("tap")
    }

    fn help(&self) -> &'static str {
        "TAP 13, which prove reads; a known failure is `# TODO`"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => write(run.summary, Version::V13, out),
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}

/// The format in its version 14.
pub(super) struct Tap14;

impl Renderer for Tap14 {
    fn name(&self, of: Kind) -> Option<&'static str> {
        matches!(of, Kind::Run | Kind::Bisection).then_some("tap14")
    }

    fn help(&self) -> &'static str {
        "TAP 14, with subtests; prove fails every such document"
    }

    fn render(&self, subject: &Subject<'_>, _style: MatrixStyle, out: &mut dyn Write) -> Rendered {
        match subject {
            Subject::Run(run) | Subject::Bisection(_, run) => write(run.summary, Version::V14, out),
            Subject::Backport(_) | Subject::Comparison(_) | Subject::Queue(_) => Ok(()),
        }
    }
}

/// The versions of the protocol.
#[derive(Clone, Copy, PartialEq)]
enum Version {
    V13,
    V14,
}

/// The document. Cells that were announced and never named are missing from it, so that its plan does not hold.
fn write(run: &RunSummary, version: Version, out: &mut dyn Write) -> Rendered {
    let planned = run.cells().len() as u64 + run.unnamed();
    let number = if version == Version::V14 { 14 } else { 13 };
    say(out, &format!("TAP version {number}\n1..{planned}\n"))?;
    let mut details = run.details();
    for (number, cell) in run.cells_to_tell().enumerate() {
        let cell = details.cell(cell.place())?;
        if version == Version::V14 {
            say(out, &subtests(&cell))?;
        }
        say(out, &test_line(number + 1, &cell, run.ended.why_not_run()))?;
    }
    Ok(())
}

/// The subtests of a cell, which stand before it. One that fails makes a reader fail the cell, so that those of a cell that
/// did not fail are expected to.
fn subtests(cell: &CellSummary) -> String {
    let subtests = cell.deciding_attempt().map_or(&[][..], |attempt| &attempt.program.subtests);
    if subtests.is_empty() {
        return String::new();
    }
    let failed =
        matches!(cell.verdict(), Some(Verdict::Bad | Verdict::Other)) && cell.known() != Some("known");
    let mut text = format!("# Subtest: {}\n    1..{}\n", description(&cell.id.to_string()), subtests.len());
    for (number, subtest) in subtests.iter().enumerate() {
        let (ok, directive) = match subtest.result {
            SubtestResult::Passed => ("ok", ""),
            SubtestResult::Skipped => ("ok", " # SKIP"),
            SubtestResult::ExpectedFailure => ("not ok", " # TODO it is known to fail"),
            SubtestResult::Failed if failed => ("not ok", ""),
            SubtestResult::Failed => ("not ok", " # TODO the test as a whole did not fail"),
        };
        let name = description(&subtest.name);
        text.push_str(&format!("    {ok} {} - {name}{directive}\n", number + 1));
    }
    text
}

/// The line of a cell, and what a failure is about as a block of YAML.
fn test_line(number: usize, cell: &CellSummary, why_not_run: &str) -> String {
    let name = description(&cell.id.to_string());
    let is_known = cell.known() == Some("known");
    let record = cell.record.as_ref();
    let said = record.and_then(|record| record.title.as_deref().or(record.reason.as_deref()));
    let said = said.unwrap_or(if record.is_some() { "" } else { why_not_run });
    match cell.verdict() {
        Some(Verdict::Good) => return format!("ok {number} - {name}\n"),
        Some(Verdict::Skip) => return format!("ok {number} - {name} # SKIP {}\n", description(said)),
        _ => {}
    }
    let todo = if is_known { " # TODO known to the suite" } else { "" };
    let verdict = cell.verdict().map_or("not run", Verdict::word);
    // a text in quotes of JSON is one of YAML
    let quoted = |text: &str| serde_json::to_string(&printable(text)).unwrap_or_default();
    let message = quoted(said);
    let expectation = cell.beside_expected();
    let expectation =
        expectation.map_or_else(String::new, |text| format!("  expectation: {}\n", quoted(&text)));
    format!(
        "not ok {number} - {name}{todo}\n  ---\n  verdict: {verdict}\n  message: {message}\n{expectation}  ...\n"
    )
}

/// A text in which nothing begins a directive or another line.
fn description(text: &str) -> String {
    printable(text).replace('\\', r"\\").replace('#', r"\#")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{CellRecord, Event};
    use crate::report::sample;

    fn document(run: &RunSummary) -> String {
        let mut out = Vec::new();
        write(run, Version::V13, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn subtests_stand_before_their_cell() {
        use crate::observation::Subtest;
        let like =
            sample::cell(&sample::finished(), "block::elevator-switch-race", "6.12.57").attempts.remove(0);
        let shown = |verdict| {
            let record = sample::record("a::b", "6.1", verdict);
            let mut attempt = like.clone();
            attempt.verdict = verdict;
            let named = |(name, result): (&str, SubtestResult)| Subtest { name: name.into(), result };
            attempt.program.subtests =
                [("x", SubtestResult::Passed), ("y # z", SubtestResult::Failed)].map(named).into();
            let attempt = Event::Attempt { cell: record.id(), record: Box::new(attempt) };
            let run = sample::fold([attempt, Event::Cell(Box::new(record))]);
            let mut out = Vec::new();
            write(&run, Version::V14, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        insta::assert_snapshot!(shown(Verdict::Bad), @r#"
        TAP version 14
        1..1
        # Subtest: a::b@6.1
            1..2
            ok 1 - x
            not ok 2 - y \# z
        not ok 1 - a::b@6.1
          ---
          verdict: bad
          message: ""
          ...
        "#);
        assert!(shown(Verdict::Good).contains("not ok 2 - y \\# z # TODO the test as a whole did not fail"));
    }

    #[test]
    fn every_verdict_has_its_line() {
        let records = Verdict::ALL.map(|verdict| CellRecord {
            reason: Some(format!("why it is {verdict}")),
            ..sample::record("block::race", verdict.word(), verdict)
        });
        let known =
            CellRecord { known: Some("known".into()), ..sample::record("block::race", "old", Verdict::Bad) };
        let hostile = CellRecord {
            reason: Some("a # TODO\nok 9 - x \\".into()),
            ..sample::record("block::race", "hostile", Verdict::Skip)
        };
        let cells = records.into_iter().chain([known, hostile]);
        let events = cells.map(|record| Event::Cell(Box::new(record)));
        let run =
            sample::fold(std::iter::once(sample::started(9)).chain(events).chain([sample::ended(false)]));
        // the ninth was announced and never named: the plan does not hold
        insta::assert_snapshot!(document(&run), @r#"
        TAP version 13
        1..9
        not ok 1 - block::race@bad
          ---
          verdict: bad
          message: "why it is bad"
          ...
        ok 2 - block::race@good
        not ok 3 - block::race@other
          ---
          verdict: other
          message: "why it is other"
          ...
        ok 4 - block::race@skip # SKIP why it is skip
        not ok 5 - block::race@blind
          ---
          verdict: blind
          message: "why it is blind"
          ...
        not ok 6 - block::race@lost
          ---
          verdict: lost
          message: "why it is lost"
          ...
        not ok 7 - block::race@old # TODO known to the suite
          ---
          verdict: bad
          message: ""
          ...
        ok 8 - block::race@hostile # SKIP a \# TODO ok 9 - x \\
        "#);
    }

    #[test]
    fn prove_reads_it() {
        let Ok(prove) = which::which("prove") else {
            loud_skip::skip("prove is not installed (Debian: apt-get install perl)");
            return;
        };
        let folder = tempfile::tempdir().unwrap();
        let proved = |verdicts: &[(Verdict, Option<&str>)]| {
            let cells = verdicts.iter().enumerate().map(|(at, (verdict, known))| {
                let record = sample::record("block::race", &format!("6.{at}"), *verdict);
                Event::Cell(Box::new(CellRecord { known: known.map(str::to_owned), ..record }))
            });
            let start = std::iter::once(sample::started(verdicts.len() as u64));
            let run = sample::fold(start.chain(cells).chain([sample::ended(false)]));
            let file = folder.path().join("run.tap");
            std::fs::write(&file, document(&run)).unwrap();
            let output =
                std::process::Command::new(&prove).args(["--exec", "cat"]).arg(&file).output().unwrap();
            output.status.success()
        };
        let known = Some("known");
        assert!(proved(&[(Verdict::Good, None), (Verdict::Skip, None), (Verdict::Bad, known)]));
        for verdict in [Verdict::Bad, Verdict::Other, Verdict::Blind, Verdict::Lost] {
            assert!(!proved(&[(Verdict::Good, None), (verdict, None)]), "{verdict}");
        }
    }
}
