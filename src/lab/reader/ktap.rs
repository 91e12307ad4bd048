//! KTAP, the kernel's test output (kernel documentation `dev-tools/ktap`), to what the program reported. Pure.
//!
//! A result that failed counts as a symptom; what was skipped, or is expected to fail, does not. An output from which
//! results may be missing cannot be judged: no plan, fewer results than planned, a test that did not end.

use super::lines::Lines;
use super::subtests::Subtests;
use super::{End, OutputReader, Stream, reports};
use crate::observation::{ProgramReport, Subtest, SubtestResult};

/// The most symptoms that are reported; more of them add nothing.
const MOST_SYMPTOMS: usize = 100;

/// Deeper subtests are taken for results of this level.
const DEEPEST: usize = 16;

/// Reads an output as it comes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    /// The tests of each nesting level that are being read, the outermost first.
    levels: Vec<Level>,
    /// How many results that failed were taken, and which of them are still to be reported.
    reported: usize,
    symptoms: Vec<String>,
    subtests: Subtests,
    /// Results of the outermost level that were skipped, with the reason of the first.
    skipped: u64,
    skip_reason: Option<String>,
    trouble: Option<String>,
}

/// A list of results with one indentation.
#[derive(Debug)]
struct Level {
    indent: usize,
    planned: Option<u64>,
    results: u64,
    /// Where its subtests begin among all of them.
    first: usize,
}

/// A result line, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Outcome<'l> {
    pub passed: bool,
    pub directive: Directive,
    /// What follows the directive.
    pub reason: &'l str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Directive {
    None,
    Skip,
    /// `TODO` and `XFAIL`: it is known to fail.
    Expected,
    /// `TIMEOUT` and `ERROR`: it did not end.
    Unfinished,
}

impl OutputReader for Reader {
    /// A result that failed is reported at once: it counts even if the program never ends.
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport> {
        match stream {
            Stream::Reports => reports::line(piece),
            Stream::Output => {
                self.push(piece);
                self.failed().collect()
            }
        }
    }

    fn finish(&mut self, end: End) -> Vec<ProgramReport> {
        self.results(end.output_bytes)
    }

    fn subtests(&mut self) -> Vec<Subtest> {
        self.subtests.take()
    }
}

impl Reader {
    fn failed(&mut self) -> impl Iterator<Item = ProgramReport> + use<> {
        std::mem::take(&mut self.symptoms).into_iter().map(ProgramReport::Symptom)
    }

    fn push(&mut self, piece: &[u8]) {
        self.lines.push(piece).iter().for_each(|line| self.end_line(line));
    }

    /// What the whole output says, when `printed` bytes of it were written.
    fn results(&mut self, printed: u64) -> Vec<ProgramReport> {
        let rest = self.lines.rest();
        self.end_line(&rest);
        if self.lines.read < printed {
            self.trouble(format!("{} bytes of the KTAP output are missing", printed - self.lines.read));
        }
        let results = self.levels.first().map_or(0, |outermost| outermost.results);
        if self.levels.is_empty() {
            self.trouble("the program printed no KTAP".to_owned());
        }
        while let Some(level) = self.levels.pop() {
            self.close(&level, self.levels.is_empty());
        }
        let mut reports: Vec<ProgramReport> = self.failed().collect();
        reports.extend(self.trouble.take().map(ProgramReport::Blind));
        reports.extend(self.skip_reason.take().map(|reason| match self.skipped {
            skipped if skipped == results => ProgramReport::Skip(reason),
            skipped => ProgramReport::Note(format!("{skipped} of {results} results were skipped: {reason}")),
        }));
        reports
    }

    fn end_line(&mut self, line: &[u8]) {
        let line = String::from_utf8_lossy(line);
        let text = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - text.len();
        let text = text.trim_end();
        if let Some(planned) = plan(text) {
            self.level(indent).planned = Some(planned);
            if planned == 0 && self.levels.len() == 1 {
                let reason =
                    text.split_once('#').map_or("nothing was planned", |(_, comment)| comment.trim());
                self.skip_reason = Some(reason.to_owned());
            }
        } else if text.starts_with("Bail out!") {
            self.trouble(format!("the tests gave up: {text}"));
        } else if let Some(outcome) = outcome(text) {
            self.result(indent, text, &outcome);
        }
    }

    fn result(&mut self, indent: usize, text: &str, outcome: &Outcome<'_>) {
        let first = self.levels.iter().find(|level| level.indent > indent).map(|level| level.first);
        self.level(indent).results += 1;
        let result = match (outcome.directive, outcome.passed) {
            (Directive::Skip, _) => SubtestResult::Skipped,
            (Directive::Expected, false) => SubtestResult::ExpectedFailure,
            (_, true) => SubtestResult::Passed,
            (_, false) => SubtestResult::Failed,
        };
        self.subtests.add(first, text, result);
        match outcome.directive {
            Directive::Unfinished => self.trouble(format!("a test did not end: {text}")),
            Directive::Skip if self.levels.len() == 1 => {
                self.skipped += 1;
                self.skip_reason.get_or_insert_with(|| outcome.reason.to_owned());
            }
            Directive::None if !outcome.passed && self.reported < MOST_SYMPTOMS => {
                self.reported += 1;
                self.symptoms.push(text.to_owned());
            }
            _ => {}
        }
    }

    /// The level with this indentation; deeper ones are over.
    fn level(&mut self, indent: usize) -> &mut Level {
        while let Some(level) = self.levels.pop_if(|level| level.indent > indent) {
            self.close(&level, false);
        }
        let new = self.levels.last().is_none_or(|level| level.indent < indent);
        if new && self.levels.len() < DEEPEST {
            let first = self.subtests.len();
            self.levels.push(Level { indent, planned: None, results: 0, first });
        }
        self.levels.last_mut().expect("there is a level now")
    }

    fn close(&mut self, level: &Level, outermost: bool) {
        match level.planned {
            Some(planned) if planned != level.results => {
                self.trouble(format!("{planned} results were planned, {} came", level.results));
            }
            None if outermost => self.trouble("the KTAP output has no plan (1..N)".to_owned()),
            _ => {}
        }
    }

    fn trouble(&mut self, text: String) {
        self.trouble.get_or_insert(text);
    }
}

/// Reads a plan, `1..N`, maybe with a comment.
pub(super) fn plan(line: &str) -> Option<u64> {
    let rest = line.strip_prefix("1..")?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let after = rest[digits.len()..].trim_start();
    (after.is_empty() || after.starts_with('#')).then(|| digits.parse().ok())?
}

/// Reads a result: `ok` or `not ok`, its number, a description, and maybe `# DIRECTIVE reason`.
pub(super) fn outcome(line: &str) -> Option<Outcome<'_>> {
    let (passed, rest) = match line.strip_prefix("not ok") {
        Some(rest) => (false, rest),
        None => (true, line.strip_prefix("ok")?),
    };
    if !rest.is_empty() && !rest.starts_with([' ', '\t']) {
        return None;
    }
    let (directive, reason) =
        rest.split_once('#').map_or((Directive::None, ""), |(_, comment)| directive(comment));
    Some(Outcome { passed, directive, reason })
}

fn directive(comment: &str) -> (Directive, &str) {
    let comment = comment.trim_start();
    let word_end = comment.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(comment.len());
    let (word, reason) = comment.split_at(word_end);
    let directive = match word.to_ascii_uppercase().as_str() {
        "SKIP" => Directive::Skip,
        "TODO" | "XFAIL" => Directive::Expected,
        "TIMEOUT" | "ERROR" => Directive::Unfinished,
        _ => return (Directive::None, ""),
    };
    (directive, reason.trim_start_matches([':', ' ', '-']).trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> String {
        let mut reader = Reader::default();
        // in pieces, as it comes from a guest
        text.as_bytes().chunks(7).for_each(|piece| reader.push(piece));
        let reports = reader.results(text.len() as u64);
        reports.iter().map(|r| format!("{r:?}\n")).collect()
    }

    #[test]
    fn outputs_are_read_as_documented() {
        let table = [
            ("KTAP version 1\n1..2\nok 1 a\nok 2 b\n", ""),
            ("TAP version 13\n1..2\nok 1 a\nnot ok 2 - b\n", "Symptom(\"not ok 2 - b\")\n"),
            ("1..1\r\nnot ok 1 a\r\n", "Symptom(\"not ok 1 a\")\n"),
            (
                "1..3\nok 1 a # SKIP no such device\nok 2\nnot ok 3 c # TODO later\n",
                "Note(\"1 of 3 results were skipped: no such device\")\n",
            ),
            ("1..1\nok 1 a # skip: no root\n", "Skip(\"no root\")\n"),
            ("1..1\nnot ok 1 a # XFAIL\n", ""),
            ("1..0 # SKIP no module\n", "Skip(\"SKIP no module\")\n"),
            ("1..2\nok 1 a\n", "Blind(\"2 results were planned, 1 came\")\n"),
            ("ok 1 a\n", "Blind(\"the KTAP output has no plan (1..N)\")\n"),
            ("ok 1 a\n1..1\n", ""),
            ("", "Blind(\"the program printed no KTAP\")\n"),
            ("hello\nokay\nnot okay\n1..x\n", "Blind(\"the program printed no KTAP\")\n"),
            (
                "1..1\nnot ok 1 a # TIMEOUT 45 seconds\n",
                "Blind(\"a test did not end: not ok 1 a # TIMEOUT 45 seconds\")\n",
            ),
            (
                "1..2\nok 1\nBail out! no memory\nok 2\n",
                "Blind(\"the tests gave up: Bail out! no memory\")\n",
            ),
            ("1..1\n# not ok 7 of another test\nok 1 a#1\n", ""),
        ];
        for (text, expected) in table {
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn subtests_are_results_too_and_have_plans_of_their_own() {
        let text = "KTAP version 1\n1..2\n  KTAP version 1\n  # Subtest: suite\n  1..2\n    KTAP version 1\n    1..1\n    not ok 1 deep\n  not ok 1 middle\n  ok 2 x # SKIP\nnot ok 1 suite\nok 2 other\n";
        insta::assert_snapshot!(read(text), @r#"
        Symptom("not ok 1 deep")
        Symptom("not ok 1 middle")
        Symptom("not ok 1 suite")
        "#);
        let short = "1..1\n  1..3\n  ok 1 a\nok 1 suite\n";
        insta::assert_snapshot!(read(short), @r#"Blind("3 results were planned, 1 came")"#);
    }

    #[test]
    fn results_are_kept_with_their_names() {
        let mut reader = Reader::default();
        reader.push(b"1..2\n  1..2\n  ok 1 inner\n  not ok 2 known # XFAIL\nok 1 outer\nnot ok 2 last");
        reader.results(0);
        let kept = OutputReader::subtests(&mut reader);
        let kept: String = kept.iter().map(|s| format!("{}: {}\n", s.name, s.result.word())).collect();
        insta::assert_snapshot!(kept, @r"
        outer > inner: passed
        outer > known: expected-failure
        outer: passed
        last: failed
        ");
    }

    #[test]
    fn an_output_that_was_cut_is_not_judged() {
        let mut reader = Reader::default();
        reader.push(b"1..1\nok 1\n");
        assert_eq!(
            reader.results(20),
            [ProgramReport::Blind("10 bytes of the KTAP output are missing".into())]
        );
    }

    proptest! {
        #[test]
        fn no_output_panics(text in "((not )?ok [0-9]* ?(# )?(SKIP|TODO|x)?|1\\.\\.[0-9]{0,25}|#|Bail out!|[ \t]{1,9}|\n|é){0,60}") {
            read(&text);
        }

        #[test]
        fn a_failure_is_never_overlooked(passed in prop::collection::vec(any::<bool>(), 1..50)) {
            let mut text = format!("KTAP version 1\n1..{}\n", passed.len());
            for (n, ok) in passed.iter().enumerate() {
                text += &format!("{} {} t\n", if *ok { "ok" } else { "not ok" }, n + 1);
            }
            let symptoms = read(&text).matches("Symptom").count();
            prop_assert_eq!(symptoms, passed.iter().filter(|ok| !**ok).count());
        }
    }
}
