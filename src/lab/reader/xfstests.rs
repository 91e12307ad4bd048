//! What `./check` of xfstests prints and ends with, for one test. Pure.
//!
//! A test has one line, which begins with its name and grows while it runs: seconds, `[not run] REASON`, or what was wrong,
//! of which there may be several. A summary follows. The line says what the test found; the summary and the exit code say
//! that `check` came to its end. Commands that `check` itself calls between tests, umount and mount, write into that line, too: only
//! the summary says whether they came from a failure.

use std::sync::LazyLock;

use regex::Regex;

use super::lines::Lines;
use super::{End, OutputReader, Stream, reports};
use crate::observation::{Exit, ProgramReport};

/// Lines of a difference that are kept; `check` itself shows ten.
const MOST_DIFFERENCES: usize = 6;

/// A test's line: its name, how long it took last time, and what `check` adds.
static TEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^([a-z0-9_-]+/[0-9]{3}[A-Za-z0-9-]*)(?:\s+[0-9]+s \.\.\.)?\s+(\S.*)$").expect("it is one")
});

/// How long it took, where nothing was wrong.
static SECONDS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"^[0-9]+s$").expect("it is one"));

/// How `check` says what was wrong (`_dump_err` and the checks behind a test).
const WRONG: &[&str] = &["[failed", "- output mismatch", "[dumped core]", "no qualified output", "_check_"];

/// Reads an output as it comes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    last: String,
    test: Option<String>,
    passed: bool,
    failed: bool,
    not_run: Option<String>,
    differences: usize,
    /// The first words behind the name that are none of `check`'s.
    unclear: Option<String>,
    summary: Option<Summary>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Summary {
    Passed,
    Failed,
}

impl Summary {
    /// `Passed all 1 tests` or `Failed 1 of 1 tests`; commands may write lines that only begin alike.
    fn of(line: &str) -> Option<Summary> {
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["Passed", "all", count, "tests"] if is_number(count) => Some(Summary::Passed),
            ["Failed", failed, "of", all, "tests"] if is_number(failed) && is_number(all) => {
                Some(Summary::Failed)
            }
            _ => None,
        }
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl OutputReader for Reader {
    /// What is wrong is certain when it is printed: a test that hangs afterwards has failed, too.
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport> {
        if stream == Stream::Reports {
            return reports::line(piece);
        }
        self.lines.push(piece).into_iter().filter_map(|line| self.end_line(&line)).collect()
    }

    fn finish(&mut self, end: End) -> Vec<ProgramReport> {
        let mut said: Vec<ProgramReport> = self.end_of_output().into_iter().collect();
        let Exit::Code(code) = end.exit else { return said };
        let blind = |what: &str, last: &str| ProgramReport::Blind(format!("{what}: {last}"));
        if let Some(reason) = self.not_run.take() {
            said.push(ProgramReport::Skip(reason));
        } else if self.failed {
            // the suite says whether that is the symptom
        } else if self.summary == Some(Summary::Failed) {
            let test = self.test.as_deref().unwrap_or("check");
            said.push(ProgramReport::Symptom(format!(
                "{test}: {}",
                self.unclear.as_deref().unwrap_or("failed")
            )));
        } else if code != 0 {
            said.push(blind(&format!("check ended with {code}"), &self.last));
        } else if !self.passed {
            said.push(blind("check ended with 0 and said of no test that it passed", &self.last));
        } else if self.summary.is_none() {
            said.push(blind("check ended without its summary", &self.last));
        }
        said
    }
}

impl Reader {
    fn end_of_output(&mut self) -> Option<ProgramReport> {
        let rest = self.lines.rest();
        self.end_line(&rest)
    }

    fn end_line(&mut self, line: &[u8]) -> Option<ProgramReport> {
        let line = String::from_utf8_lossy(line).trim_end().to_owned();
        if line.is_empty() {
            return None;
        }
        self.last.clone_from(&line);
        if let Some(summary) = Summary::of(&line) {
            self.summary = Some(summary);
            return None;
        }
        if let Some(found) = TEST.captures(&line) {
            self.test = Some(found[1].to_owned());
            return self.result(&found[2]);
        }
        // further complaints about the same test have lines of their own, as has what follows others' words
        if WRONG.iter().any(|begin| line.starts_with(begin)) {
            return self.result(&line);
        }
        if self.unclear.is_some() && SECONDS.is_match(line.trim_start()) {
            self.passed = true;
            return None;
        }
        // the difference is indented
        let changed = line.strip_prefix("    ").filter(|line| line.starts_with(['+', '-']));
        let changed = changed.filter(|line| !line.starts_with("+++") && !line.starts_with("---"))?;
        self.differences += 1;
        (self.failed && self.differences <= MOST_DIFFERENCES).then(|| ProgramReport::Note(changed.to_owned()))
    }

    /// What a line says of the test.
    fn result(&mut self, text: &str) -> Option<ProgramReport> {
        let test = self.test.as_deref().unwrap_or("check");
        if let Some(reason) = text.strip_prefix("[not run]") {
            self.not_run = Some(format!("{test} not run: {}", reason.trim()));
            return None;
        }
        if text.starts_with("[expunged]") {
            self.not_run = Some(format!("{test} is excluded"));
            return None;
        }
        if SECONDS.is_match(text) {
            self.passed = true;
            return None;
        }
        // no word about the kernel
        if text.starts_with("- no such test") || text.starts_with("- unknown test") {
            return None;
        }
        if !WRONG.iter().any(|begin| text.starts_with(begin)) {
            self.unclear.get_or_insert_with(|| text.to_owned());
            return None;
        }
        self.failed = true;
        Some(ProgramReport::Symptom(format!("{test}: {}", without_places(text))))
    }
}

/// The words without the files that they point to, which say nothing where the guest is gone.
fn without_places(text: &str) -> String {
    static PLACE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r" ?\(see [^)]*\)").expect("it is one"));
    let text = PLACE.replace_all(text, "");
    text.trim_start_matches("- ").replace("]- ", "], ").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "FSTYP         -- ext4\nPLATFORM      -- Linux/x86_64 guest 6.12\n\n";

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
    fn a_test_passes_by_its_line_and_the_summary() {
        let pass = "generic/001        4s\nRan: generic/001\nPassed all 1 tests\n\n";
        assert_eq!(read(pass, 0), "");
        assert_eq!(
            read("generic/001  5s ...  4s\nRan: generic/001\nPassed all 1 tests\n", 0),
            "",
            "with the time that it took before"
        );
        assert_eq!(
            read("generic/001        4s\nRan: generic/001\n", 0),
            "Blind(\"check ended without its summary: Ran: generic/001\")\n"
        );
        assert_eq!(
            read("Passed all 0 tests\n", 0),
            "Blind(\"check ended with 0 and said of no test that it passed: Passed all 0 tests\")\n"
        );
        assert_eq!(
            read("check: failed to mkfs $TEST_DEV using specified options\n", 1),
            "Blind(\"check ended with 1: check: failed to mkfs $TEST_DEV using specified options\")\n"
        );
    }

    #[test]
    fn a_test_that_was_not_run_is_a_skip_with_its_reason() {
        insta::assert_snapshot!(
            read("generic/004       [not run] O_TMPFILE is not supported\nRan: generic/004\nNot run: generic/004\nPassed all 1 tests\n", 0),
            @r#"Skip("generic/004 not run: O_TMPFILE is not supported")"#
        );
    }

    #[test]
    fn a_failure_is_the_line_with_the_difference_as_notes() {
        insta::assert_snapshot!(
            read("\
generic/003       [failed, exit status 1]- output mismatch (see /opt/xfstests/results//generic/003.out.bad)
    --- tests/generic/003.out	2026-01-01 00:00:00
    +++ /opt/xfstests/results//generic/003.out.bad	2026-01-01 00:00:00
    @@ -1,2 +1,3 @@
     QA output created by 003
    +ERROR: access time has changed
    -Silence is golden
    ...
    (Run 'diff -u a b'  to see the entire diff)
Ran: generic/003
Failures: generic/003
Failed 1 of 1 tests
", 1),
            @r#"
        Symptom("generic/003: [failed, exit status 1], output mismatch")
        Note("+ERROR: access time has changed")
        Note("-Silence is golden")
        "#
        );
        insta::assert_snapshot!(
            read("generic/010        _check_dmesg: something found in dmesg (see /x/010.dmesg)\n_check_generic_filesystem: filesystem on /dev/vdb is inconsistent\n(see /x/010.full for details)\n", 1),
            @r#"
        Symptom("generic/010: _check_dmesg: something found in dmesg")
        Symptom("generic/010: _check_generic_filesystem: filesystem on /dev/vdb is inconsistent")
        "#
        );
    }

    #[test]
    fn words_of_other_commands_count_where_the_summary_says_so() {
        let words =
            "generic/708        umount: /mnt/test: target is busy.\nmount: /mnt/test: already mounted.\n";
        assert_eq!(read(&format!("{words} 7s\nRan: generic/708\nPassed all 1 tests\n\n"), 0), "");
        assert_eq!(
            read(&format!("{words}Ran: generic/708\nFailures: generic/708\nFailed 1 of 1 tests\n"), 1),
            "Symptom(\"generic/708: umount: /mnt/test: target is busy.\")\n"
        );
        assert_eq!(
            read(&format!("{words}- output mismatch (see /x/708.out.bad)\nRan: generic/708\n"), 1),
            "Symptom(\"generic/708: output mismatch\")\n"
        );
        assert_eq!(
            read(&format!("{words}Ran: generic/708\n"), 1),
            "Blind(\"check ended with 1: Ran: generic/708\")\n",
            "nobody said whether it passed"
        );
        assert_eq!(
            read(&format!("{words}Failed to restart a service\n"), 1),
            "Blind(\"check ended with 1: Failed to restart a service\")\n",
            "that is no summary"
        );
        assert_eq!(
            read("generic/708        4s\nPassed all checks\n", 0),
            "Blind(\"check ended without its summary: Passed all checks\")\n"
        );
    }

    proptest! {
        #[test]
        fn no_output_panics(text in "(generic/[0-9]{3}| +|[0-9]+s|\\[not run\\]|- output mismatch|    [+-]x|Passed all 1 tests|\n|é){0,30}", code in any::<u8>()) {
            read(&text, i32::from(code));
        }
    }
}
