//! What programs of the kernel's selftests (`tools/testing/selftests`) print and end with. Pure.
//!
//! They print KTAP, more or less: without a version line, without a plan where they use no helper, with results behind
//! other output on a line. What counts as failed is what `tools/testing/kunit/kunit.py parse` counts: of the directives
//! only `SKIP` takes a `not ok` away. `suites/README.md` lists the differences.

use super::ktap::{Directive, Outcome, outcome, plan};
use super::lack::Lack;
use super::lines::Lines;
use super::subtests::Subtests;
use super::{End, OutputReader, Stream, reports};
use crate::observation::{Exit, ProgramReport, Subtest, SubtestResult};

/// `KSFT_XFAIL` of `kselftest.h`: it failed as it was expected to.
const XFAIL: i32 = 2;

/// `KSFT_SKIP`.
const SKIP: i32 = 4;

/// The most failures that are reported one by one; more of them add nothing.
const MOST_SYMPTOMS: usize = 100;

/// Deeper results are taken for some of this level.
const DEEPEST: usize = 16;

/// Reads an output as it comes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    /// The lists of results that are being read, the outermost first.
    levels: Vec<Level>,
    subtests: Subtests,
    failed: usize,
    /// Results that were neither skipped nor failed.
    passed: usize,
    skipped: Option<String>,
    /// The first result whose number was not the next one, in words.
    misnumbered: Option<String>,
    /// The first list that was not as long as planned, in words.
    short: Option<String>,
    bailed_out: Option<String>,
    /// How many results the program says that it has counted, where all passed (`ksft_print_cnts` of `kselftest.h`).
    counted: Option<u64>,
    /// A line since the last result that says what the guest lacks.
    lack: Option<(Lack, String)>,
    /// The first result that failed behind such a line, with it: guests make as many of them as bugs do.
    starved: Option<(Lack, String)>,
    /// Some result failed in another way.
    told: bool,
}

/// A list of results with one indentation.
#[derive(Debug)]
struct Level {
    indent: usize,
    planned: Option<u64>,
    results: u64,
    /// The number of the last result.
    number: u64,
    /// Where its subtests begin among all of them.
    first: usize,
}

impl OutputReader for Reader {
    /// A failure is certain when its line is there: a program that hangs afterwards has failed, too.
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport> {
        match stream {
            Stream::Reports => reports::line(piece),
            Stream::Output => {
                self.lines.push(piece).into_iter().filter_map(|line| self.end_line(&line)).collect()
            }
        }
    }

    fn finish(&mut self, end: End) -> Vec<ProgramReport> {
        let rest = self.lines.rest();
        let mut said: Vec<ProgramReport> = self.end_line(&rest).into_iter().collect();
        while let Some(level) = self.levels.pop() {
            self.close(&level);
        }
        let missing = end.output_bytes.saturating_sub(self.lines.read);
        let Exit::Code(code) = end.exit else { return said };
        said.extend(self.misnumbered.take().map(ProgramReport::Note));
        said.extend(self.trouble(code, missing).map(ProgramReport::Blind));
        said.extend(self.starved.take().map(|(lack, words)| ProgramReport::Blind(lack.blame(&words))));
        let judged = self.failed + self.passed > 0;
        match self.skipped.take() {
            Some(reason) if judged => {
                said.push(ProgramReport::Note(format!("some results were skipped: {reason}")));
            }
            Some(reason) => said.push(ProgramReport::Skip(reason)),
            None if code == SKIP && !judged => {
                said.push(ProgramReport::Skip(format!("exit code {SKIP} (KSFT_SKIP)")));
            }
            None => {}
        }
        said
    }

    fn subtests(&mut self) -> Vec<Subtest> {
        self.subtests.take()
    }
}

impl Reader {
    /// Why nothing can be concluded from what did not fail.
    fn trouble(&self, code: i32, missing: u64) -> Option<String> {
        if missing > 0 {
            return Some(format!("{missing} bytes of the output are missing"));
        }
        if let Some(line) = &self.bailed_out {
            return Some(format!("the tests gave up: {line}"));
        }
        match code {
            // what follows a skip of everything is not done, whatever was planned
            SKIP if self.passed == 0 => None,
            // and what was done before it is not the whole test
            SKIP => Some(format!("it ended with exit code {SKIP} (KSFT_SKIP) behind results that passed")),
            0 | XFAIL => self.short.clone(),
            1 if self.failed > 0 => self.short.clone(),
            _ if self.failed > 0 => Some(format!("it ended with exit code {code}")),
            _ => Some(format!("it ended with exit code {code}, and no result failed")),
        }
    }

    fn end_line(&mut self, line: &[u8]) -> Option<ProgramReport> {
        let line = String::from_utf8_lossy(line);
        let text = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - text.len();
        let text = text.trim_end();
        if let Some(planned) = plan(text) {
            self.level(indent).planned = Some(planned);
            if planned == 0 && self.levels.len() == 1 {
                let reason =
                    text.split_once('#').map_or("nothing was planned", |(_, comment)| comment.trim());
                self.skipped.get_or_insert_with(|| reason.to_owned());
            }
            return None;
        }
        if text.starts_with("Bail out!") {
            self.bailed_out.get_or_insert_with(|| text.to_owned());
            return None;
        }
        if let Some((number, outcome)) = numbered(text) {
            return self.result(indent, text, number, &outcome);
        }
        self.counted = totals(text).or(self.counted);
        let Some(glued) = self.glued(text) else {
            if let Some(lack) = Lack::of(text) {
                self.lack = Some((lack, text.to_owned()));
            }
            return None;
        };
        let (number, outcome) = numbered(glued)?;
        let indent = self.levels.last().map_or(0, |level| level.indent);
        self.result(indent, glued, number, &outcome)
    }

    /// A result behind other output on the same line. It must have the number that comes next, as else it may be prose.
    fn glued<'l>(&self, text: &'l str) -> Option<&'l str> {
        if text.starts_with('#') {
            return None;
        }
        let next = self.levels.last().map_or(1, |level| level.number + 1);
        let is_next = |place: usize| numbered(&text[place..]).is_some_and(|(number, _)| number == next);
        let found =
            |word: &str| text.match_indices(word).map(|(place, _)| place).find(|&place| is_next(place));
        found("not ok ").or_else(|| found("ok ")).map(|place| &text[place..])
    }

    fn result(
        &mut self,
        indent: usize,
        text: &str,
        number: u64,
        outcome: &Outcome<'_>,
    ) -> Option<ProgramReport> {
        let first = self.levels.iter().find(|level| level.indent > indent).map(|level| level.first);
        let level = self.level(indent);
        level.results += 1;
        let expected = level.number + 1;
        level.number = number;
        let nested = self.levels.len() > 1;
        if number != expected {
            let words = || format!("a result has the number {number} instead of {expected}: {text}");
            self.misnumbered.get_or_insert_with(words);
        }
        let result = match (outcome.directive, outcome.passed) {
            (Directive::Skip, _) => SubtestResult::Skipped,
            (Directive::Expected, true) => SubtestResult::ExpectedFailure,
            (_, true) => SubtestResult::Passed,
            (_, false) => SubtestResult::Failed,
        };
        self.subtests.add(first, text, result);
        // what a result is made of may have failed for the same reason
        let lack = self.lack.take();
        let lack = lack.or_else(|| self.starved.clone().filter(|_| first.is_some() && !self.told));
        match result {
            SubtestResult::Skipped => {
                if !nested {
                    let reason = if outcome.reason.is_empty() { text } else { outcome.reason };
                    self.skipped.get_or_insert_with(|| reason.to_owned());
                }
                None
            }
            SubtestResult::Passed | SubtestResult::ExpectedFailure => {
                self.passed += 1;
                None
            }
            SubtestResult::Failed => {
                self.failed += 1;
                if let Some((lack, line)) = lack {
                    self.starved.get_or_insert_with(|| (lack, format!("{line}: {text}")));
                    return None;
                }
                self.told = true;
                (self.failed <= MOST_SYMPTOMS).then(|| ProgramReport::Symptom(text.to_owned()))
            }
        }
    }

    /// The level with this indentation; deeper ones are over.
    fn level(&mut self, indent: usize) -> &mut Level {
        while let Some(level) = self.levels.pop_if(|level| level.indent > indent) {
            self.close(&level);
        }
        let new = self.levels.last().is_none_or(|level| level.indent < indent);
        if new && self.levels.len() < DEEPEST {
            let first = self.subtests.len();
            self.levels.push(Level { indent, planned: None, results: 0, number: 0, first });
        }
        self.levels.last_mut().expect("there is a level now")
    }

    fn close(&mut self, level: &Level) {
        // some count results, and print them in words of their own
        let printed_none =
            self.passed + self.failed == 0 && self.skipped.is_none() && self.subtests.len() == 0;
        let came = if printed_none { self.counted.unwrap_or_default() } else { level.results };
        if let Some(planned) = level.planned.filter(|&planned| planned != came) {
            let words = || format!("{planned} results were planned, {came} came");
            self.short.get_or_insert_with(words);
        }
    }
}

/// How many results a line counts, if all passed: `# Totals: pass:3 fail:0 xfail:0 xpass:0 skip:0 error:0`. What else
/// became of one is not to be guessed from a sum.
fn totals(text: &str) -> Option<u64> {
    let counts: Vec<&str> = text.strip_prefix("# Totals: ")?.split(' ').collect();
    let (passed, others) = counts.split_first()?;
    let none = ["fail:0", "xfail:0", "xpass:0", "skip:0", "error:0"];
    passed.strip_prefix("pass:")?.parse().ok().filter(|_| others == none)
}

/// A result with its number; real programs always print one.
fn numbered(text: &str) -> Option<(u64, Outcome<'_>)> {
    let outcome = outcome(text)?;
    let rest = text.strip_prefix("not ok ").or_else(|| text.strip_prefix("ok "))?;
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
    let ends = rest[digits.len()..].is_empty() || rest[digits.len()..].starts_with([' ', '\t']);
    Some((digits.parse().ok().filter(|_| ends)?, outcome))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all(text: &str, exit: Exit) -> (String, String) {
        let mut reader = Reader::default();
        // in pieces, as it comes from a guest
        let mut said: Vec<ProgramReport> =
            text.as_bytes().chunks(7).flat_map(|piece| reader.read(Stream::Output, piece)).collect();
        said.extend(reader.finish(End { exit, output_bytes: text.len() as u64 }));
        let subtests = reader.subtests();
        (
            said.iter().map(|report| format!("{report:?}\n")).collect(),
            subtests.iter().map(|subtest| format!("{}: {:?}\n", subtest.name, subtest.result)).collect(),
        )
    }

    fn read(text: &str, code: i32) -> String {
        all(text, Exit::Code(code)).0
    }

    #[test]
    fn outputs_and_exit_codes_are_read_as_documented() {
        let table = [
            ("TAP version 13\n1..2\nok 1 a\nok 2 b\n", 0, ""),
            ("1..2\nok 1 a\nnot ok 2 b\n", 1, "Symptom(\"not ok 2 b\")\n"),
            // no helper of the kernel's: the exit code is all there is
            ("hello\n", 0, ""),
            ("", 4, "Skip(\"exit code 4 (KSFT_SKIP)\")\n"),
            ("oops\n", 1, "Blind(\"it ended with exit code 1, and no result failed\")\n"),
            ("1..0 # SKIP not root\n", 4, "Skip(\"SKIP not root\")\n"),
            (
                "1..2\nok 1 a # SKIP no device\nok 2 b\n",
                0,
                "Note(\"some results were skipped: no device\")\n",
            ),
            ("1..2\nok 1 a # SKIP no device\n", 4, "Skip(\"no device\")\n"),
            (
                "1..9\nok 1 a\nok 2 b # SKIP no device\n",
                4,
                "Blind(\"it ended with exit code 4 (KSFT_SKIP) behind results that passed\")\nNote(\"some results were skipped: no device\")\n",
            ),
            (
                "1..9\nok 1 a\n",
                4,
                "Blind(\"it ended with exit code 4 (KSFT_SKIP) behind results that passed\")\n",
            ),
            // as kunit.py counts them
            ("1..1\nnot ok 1 a # TODO later\n", 1, "Symptom(\"not ok 1 a # TODO later\")\n"),
            ("1..1\nnot ok 1 a # XFAIL\n", 1, "Symptom(\"not ok 1 a # XFAIL\")\n"),
            ("1..1\nok 1 a # XFAIL\n", 0, ""),
            ("1..1\nnot ok 1 a # SKIP\n", 0, "Skip(\"not ok 1 a # SKIP\")\n"),
            ("1..2\nok 1 a\n", 0, "Blind(\"2 results were planned, 1 came\")\n"),
            // counted, and not printed as results
            ("1..2\nPASS: a\nPASS: b\n# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0\n", 0, ""),
            (
                "1..2\nPASS: a\n# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:0 error:0\n",
                0,
                "Blind(\"2 results were planned, 1 came\")\n",
            ),
            (
                "1..2\nPASS: a\n# Totals: pass:1 fail:0 xfail:0 xpass:0 skip:1 error:0\n",
                0,
                "Blind(\"2 results were planned, 0 came\")\n",
            ),
            // a line that was cut off, and a nested list that is empty
            ("1..2\nPASS: a\n# Totals: pass:2\n", 0, "Blind(\"2 results were planned, 0 came\")\n"),
            (
                "1..1\n    1..2\nok 1 a\n# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0\n",
                0,
                "Blind(\"2 results were planned, 0 came\")\n",
            ),
            ("1..2\nPASS: a\n# Totals: pass:2 fail:x\n", 0, "Blind(\"2 results were planned, 0 came\")\n"),
            (
                "1..2\nok 1 a\n# Totals: pass:2 fail:0 xfail:0 xpass:0 skip:0 error:0\n",
                0,
                "Blind(\"2 results were planned, 1 came\")\n",
            ),
            (
                "1..2\nFAIL: a\nPASS: b\n# Totals: pass:1 fail:1 xfail:0 xpass:0 skip:0 error:0\n",
                1,
                "Blind(\"it ended with exit code 1, and no result failed\")\n",
            ),
            ("1..2\nok 1 a\nBail out! x\n", 1, "Blind(\"the tests gave up: Bail out! x\")\n"),
            ("1..2\nok 1 a\nok 1 b\n", 0, "Note(\"a result has the number 1 instead of 2: ok 1 b\")\n"),
            ("1..2\nok 1 a\nok 3 b\n", 0, "Note(\"a result has the number 3 instead of 2: ok 3 b\")\n"),
            ("Diff too high: 2780343..not ok 1 TIMER\n1..1\n", 1, "Symptom(\"not ok 1 TIMER\")\n"),
            ("1..1\nthis is not ok 3 times\nok 1 a\n", 0, ""),
            ("# not ok 1 b\n1..1\nok 1 a\n", 0, ""),
            ("not ok without a number\n", 0, ""),
        ];
        for (text, code, expected) in table {
            assert_eq!(read(text, code), expected, "{text} {code}");
        }
    }

    #[test]
    fn what_fails_for_want_of_memory_says_nothing_of_the_kernel() {
        let blind = "Blind(\"for want of memory (`machine: {memory: …}` gives the guest more): # Failed to map: Cannot allocate memory: not ok 1 a\")\n";
        let starved = "# Failed to map: Cannot allocate memory\nnot ok 1 a\n";
        assert_eq!(read(&format!("1..1\n{starved}"), 1), blind);
        assert_eq!(
            read(&format!("1..2\n{starved}not ok 2 b\n"), 1),
            format!("Symptom(\"not ok 2 b\")\n{blind}"),
            "another failure is one"
        );
        assert_eq!(read("1..1\n# mmap: Cannot allocate memory, as it should\nok 1 a\n", 0), "");
        let nested = "1..1\n  1..1\n  # x: ENOMEM\n  not ok 1 inner\nnot ok 1 outer\n";
        assert!(read(nested, 1).starts_with("Blind("), "{}", read(nested, 1));
    }

    #[test]
    fn what_fails_for_want_of_a_command_or_a_device_says_nothing_of_the_kernel() {
        let command = "1..2\nsh: mkfs.ext4: not found\n# a: Test terminated by assertion\n#  FAIL a\nnot ok 1 a\nok 2 b\n";
        assert_eq!(
            read(command, 1),
            "Blind(\"for want of a command (`userland: {packages: […]}` brings Debian's): sh: mkfs.ext4: not found: not ok 1 a\")\n"
        );
        let device = "1..2\n# t.c:1:a:Expected self->fd (-1) >= 0 (0)\nnot ok 1 a\nnot ok 2 b\n";
        assert!(
            read(device, 1).starts_with("Symptom(\"not ok 2 b\")\nBlind(\"what it needs could not be opened")
        );
    }

    #[test]
    fn what_failed_before_a_hang_has_failed() {
        let mut reader = Reader::default();
        let said = reader.read(Stream::Output, b"1..3\nnot ok 1 a\n");
        assert_eq!(said, [ProgramReport::Symptom("not ok 1 a".into())]);
        assert_eq!(reader.subtests().len(), 1);
        assert_eq!(all("1..3\nnot ok 1 a\n", Exit::Signal(9)).0, "Symptom(\"not ok 1 a\")\n");
    }

    #[test]
    fn subtests_have_the_names_of_what_they_are_part_of() {
        let text =
            "1..2\n  1..2\n  ok 1 - inner\n  not ok 2 other # later\nnot ok 1 outer\nok 2 last # SKIP x\n";
        insta::assert_snapshot!(all(text, Exit::Code(1)).1, @r"
        outer > inner: Passed
        outer > other: Failed
        outer: Failed
        last: Skipped
        ");
        assert_eq!(all("ok 1\n", Exit::Code(0)).1, "result without a name: Passed\n");
    }

    proptest! {
        #[test]
        fn no_output_panics(text in "((not )?ok [0-9]* ?(- |# )?(SKIP|XFAIL|x)?|1\\.\\.[0-9]{0,25}|#|Bail out!|[ \t]{1,9}|\n|é){0,60}", code in 0i32..6) {
            read(&text, code);
        }

        #[test]
        fn a_failure_is_never_overlooked(passed in prop::collection::vec(any::<bool>(), 1..50), glued in any::<bool>()) {
            let mut text = String::new();
            for (n, ok) in passed.iter().enumerate() {
                if glued {
                    text += "some text without an end: ";
                }
                text += &format!("{} {} t\n", if *ok { "ok" } else { "not ok" }, n + 1);
            }
            let symptoms = read(&text, 1).matches("Symptom").count();
            prop_assert_eq!(symptoms, passed.iter().filter(|ok| !**ok).count());
        }
    }
}
