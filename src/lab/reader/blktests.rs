//! What `./check` of blktests prints and ends with, for one test. Pure.
//!
//! A test has one line for each device and condition that it runs with: once without a word, and once more with `[passed]`,
//! `[failed]` or `[not run]` behind it. Indented lines follow: times and rates, and then the reasons, or the difference.

use std::sync::LazyLock;

use regex::Regex;

use super::lack::Lack;
use super::lines::Lines;
use super::{End, OutputReader, Stream, reports};
use crate::observation::{Exit, ProgramReport};

/// What bash says of a command that the out-of-memory killer ended; nobody else sends this signal in these tests.
static KILLED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\+.*: line [0-9]+: +[0-9]+ Killed ").expect("it is one"));

/// Lines about a failure that are kept; `check` itself shows ten of a difference.
const MOST_NOTES: usize = 8;

/// A test's line with a result: its name, what it ran with and is about, the result.
static TEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([a-z0-9_-]+/(?:[0-9]{3}|\*{3}))( => \S+)?.* \[(passed|failed|not run)\]$")
        .expect("it is one")
});

/// A time or rate: the last one, dots, and the one of now.
static FIGURE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^    \S.*\s\.\.\.(\s|$)").expect("it is one"));

/// What the lines behind a test's line are about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Result {
    #[default]
    None,
    Passed,
    Failed,
    NotRun,
}

/// Reads an output as it comes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    last: String,
    result: Result,
    passed: bool,
    failed: bool,
    /// A failure whose reason was not read yet, with the name of the test, and the lines behind it.
    pending: Option<String>,
    held: Vec<ProgramReport>,
    not_run: Option<String>,
    notes: usize,
}

impl OutputReader for Reader {
    /// What is wrong is certain when its reason is printed: a kernel that hangs afterwards has failed, too.
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport> {
        if stream == Stream::Reports {
            return reports::line(piece);
        }
        self.lines.push(piece).into_iter().flat_map(|line| self.end_line(&line)).collect()
    }

    fn finish(&mut self, end: End) -> Vec<ProgramReport> {
        let rest = self.lines.rest();
        let mut said = self.end_line(&rest);
        said.extend(self.certain());
        let Exit::Code(code) = end.exit else { return said };
        let blind = |what: &str, last: &str| ProgramReport::Blind(format!("{what}: {last}"));
        if self.failed {
            // the suite says whether that is the symptom
        } else if code != 0 {
            said.push(blind(&format!("check ended with {code}"), &self.last));
        } else if self.passed {
            // on one device at least; others may be none that it is for
        } else if let Some(reason) = self.not_run.take() {
            said.push(ProgramReport::Skip(reason));
        } else {
            said.push(blind("check ended with 0 and said of no test that it passed", &self.last));
        }
        said
    }
}

impl Reader {
    fn end_line(&mut self, line: &[u8]) -> Vec<ProgramReport> {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        if line.is_empty() {
            return Vec::new();
        }
        self.last.clone_from(&line);
        let Some(text) = line.strip_prefix("    ").map(str::trim_end) else {
            let said = self.certain();
            self.result = Result::None;
            if let Some(found) = TEST.captures(&line) {
                let name = format!("{}{}", &found[1], found.get(2).map_or("", |device| device.as_str()));
                self.begin(name, &found[3]);
            }
            return said;
        };
        // one that was not run has figures of the last time, too
        if FIGURE.is_match(&line) {
            return Vec::new();
        }
        match self.result {
            Result::NotRun => {
                if let Some(reason) = &mut self.not_run {
                    reason.push_str(if reason.ends_with(" not run") { ": " } else { ", " });
                    reason.push_str(text.trim());
                }
                Vec::new()
            }
            Result::Failed if !is_frame(text) => self.detail(text),
            _ => Vec::new(),
        }
    }

    /// A test's line with a result.
    fn begin(&mut self, name: String, word: &str) {
        match word {
            "passed" => {
                self.result = Result::Passed;
                self.passed = true;
            }
            "failed" => {
                self.result = Result::Failed;
                self.failed = true;
                self.pending = Some(name);
            }
            _ => {
                self.result = Result::NotRun;
                self.not_run = Some(format!("{name} not run"));
            }
        }
    }

    /// A line about a failure. One that was added to the expected output, or is no difference, says why.
    fn detail(&mut self, text: &str) -> Vec<ProgramReport> {
        if KILLED.is_match(text) && self.pending.take().is_some() {
            self.held.clear();
            self.notes = MOST_NOTES;
            return vec![ProgramReport::Blind(Lack::Memory.blame(text.trim_start_matches('+')))];
        }
        if self.notes < MOST_NOTES {
            self.notes += 1;
            self.held.push(ProgramReport::Note(text.to_owned()));
        }
        if text.starts_with([' ', '-']) { Vec::new() } else { self.certain() }
    }

    /// A failure that is one whatever follows, with what was said of it.
    fn certain(&mut self) -> Vec<ProgramReport> {
        let failure = self.pending.take().map(|name| ProgramReport::Symptom(format!("{name}: failed")));
        failure.into_iter().chain(self.held.drain(..)).collect()
    }
}

/// The lines of a difference that only say where it is, and what points to files that are gone with the guest.
fn is_frame(text: &str) -> bool {
    ["--- ", "+++ ", "@@ ", "...", "(Run '", "(See '"].iter().any(|start| text.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "block/901 (write while read)                                \n";

    fn read(text: &str, code: i32) -> String {
        let mut reader = Reader::default();
        let text = format!("{HEAD}{text}");
        let mut said: Vec<ProgramReport> =
            text.as_bytes().chunks(5).flat_map(|piece| reader.read(Stream::Output, piece)).collect();
        let end = End { exit: Exit::Code(code), output_bytes: text.len() as u64 };
        said.extend(reader.finish(end));
        said.iter().map(|report| format!("{report:?}\n")).collect()
    }

    #[test]
    fn a_test_passes_by_its_word_and_the_exit_code() {
        let pass =
            "block/901 (write while read)                                 [passed]\n    runtime  ...  1.5s\n";
        assert_eq!(read(pass, 0), "");
        assert_eq!(read("block/901 => vdb (x [failed] y)                   [passed]\n", 0), "");
        assert_eq!(
            read("", 0),
            "Blind(\"check ended with 0 and said of no test that it passed: block/901 (write while read)\")\n"
        );
        assert_eq!(
            read("./check: /dev/vdz does not exist\n", 1),
            "Blind(\"check ended with 1: ./check: /dev/vdz does not exist\")\n"
        );
    }

    #[test]
    fn a_test_that_was_not_run_is_a_skip_with_its_reasons() {
        insta::assert_snapshot!(
            read("block/901 (write while read)   [not run]\n    runtime  1.5s  ...\n    driver x is not available\n    kernel option Y has not been enabled\n", 0),
            @r#"Skip("block/901 not run: driver x is not available, kernel option Y has not been enabled")"#
        );
        insta::assert_snapshot!(
            read("nvme/***                    [not run]\n    driver nvme is not available\n", 0),
            @r#"Skip("nvme/*** not run: driver nvme is not available")"#
        );
        assert_eq!(
            read("block/901 => vdb (x)  [not run]\n    no\nblock/901 => vdc (x)   [passed]\n", 0),
            "",
            "it passed on another device"
        );
    }

    #[test]
    fn a_failure_is_the_line_with_the_reason_as_notes() {
        insta::assert_snapshot!(
            read("\
block/901 => vdb (write while read)                          [failed]
    read iops  100  ...  120
    runtime    ...  0.4s
    --- tests/block/901.out	2030-01-01 00:00:00
    +++ /opt/blktests/results/vdb/block/901.out.bad	2030-01-01 00:00:00
    @@ -1,2 +1,2 @@
     Running block/901
    -Test complete
    +cannot write
    ...
    (Run 'diff -u a b' to see the entire diff)
", 1),
            @r#"
        Symptom("block/901 => vdb: failed")
        Note(" Running block/901")
        Note("-Test complete")
        Note("+cannot write")
        "#
        );
        assert_eq!(
            read("block/901 (x)    [failed]\n    runtime  ...  2s\n", 1),
            "Symptom(\"block/901: failed\")\n",
            "whatever the reason is"
        );
        insta::assert_snapshot!(
            read("block/901 (x)    [failed]\n    runtime  ...  2s\n    something found in dmesg:\n    [    1.0] BUG: no\n", 1),
            @r#"
        Symptom("block/901: failed")
        Note("something found in dmesg:")
        Note("[    1.0] BUG: no")
        "#
        );
    }

    #[test]
    fn what_the_guest_had_no_memory_for_is_no_failure() {
        insta::assert_snapshot!(
            read("block/901 (x)    [failed]\n     Running block/901\n    +tests/block/901: line 38:   187 Killed                  \"${cmd[@]}\"\n    +it failed\n     Test complete\n", 1),
            @r#"Blind("for want of memory (`machine: {memory: …}` gives the guest more): tests/block/901: line 38:   187 Killed                  \"${cmd[@]}\"")"#
        );
    }

    proptest! {
        #[test]
        fn no_output_panics(text in "(block/[0-9]{3}| +|\\.\\.\\.|\\[(passed|failed|not run)\\]|    [+-]x|\n|é){0,30}", code in any::<u8>()) {
            read(&text, i32::from(code));
        }
    }
}
