//! What programs of the Linux Test Project print and end with. Pure.
//!
//! A result is a line `FILE.c:LINE: TFAIL: text`, of the old library and of scripts `TEST NUMBER TFAIL: text`, and the exit
//! code is a sum of bits (`include/tst_res_flags.h` of LTP): `TFAIL` 1, `TBROK` 2, `TWARN` 4, `TCONF` 32. Both say the same
//! unless a child's lines or its bits were lost, so what either of them says counts.

use std::sync::LazyLock;

use regex::bytes::Regex;

use super::lack::Lack;
use super::lines::Lines;
use super::{End, OutputReader, Stream, reports};
use crate::observation::{Exit, ProgramReport};

/// How a line ends that quotes `errno` (`TERRNO` of LTP).
const NO_MEMORY: &str = "ENOMEM (12)";

const TFAIL: i32 = 1;
const TBROK: i32 = 2;
const TWARN: i32 = 4;
const TCONF: i32 = 32;

/// The most failures that are reported one by one; more of them add nothing.
const MOST_SYMPTOMS: u64 = 100;

/// A result wherever it stands in a line: programs write without a newline, too. Colours are of a terminal.
static RESULT: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"(?-u)[A-Za-z0-9_./+-]+(?::\d+:|[ \t]+\d+[ \t])[ \t]*(?:\x1b\[[0-9;]*m)?(TPASS|TFAIL|TBROK|TWARN|TCONF|TINFO)[ \t]*:";
    Regex::new(pattern).expect("it is one")
});

/// Results of one kind.
#[derive(Debug, Default)]
struct Results {
    count: u64,
    /// The first of them, as it was printed.
    first: Option<String>,
}

/// Reads an output as it comes.
#[derive(Debug, Default)]
pub(super) struct Reader {
    lines: Lines,
    passed: Results,
    failed: Results,
    /// Failures by `ENOMEM`: small guests make as many of them as bugs do.
    starved: Results,
    broken: Results,
    warned: Results,
    skipped: Results,
}

impl OutputReader for Reader {
    /// A failure is certain when its line is there: the library counts it before it prints.
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport> {
        match stream {
            Stream::Reports => reports::line(piece),
            Stream::Output => {
                self.lines.push(piece).into_iter().flat_map(|line| self.end_line(&line)).collect()
            }
        }
    }

    fn finish(&mut self, end: End) -> Vec<ProgramReport> {
        let rest = self.lines.rest();
        let mut found = self.end_line(&rest);
        let missing = end.output_bytes.saturating_sub(self.lines.read);
        if missing > 0 {
            found.push(ProgramReport::Note(format!("{missing} bytes of the output were not read")));
        }
        if let Exit::Code(code) = end.exit {
            found.extend(self.conclude(code, missing > 0));
        }
        found
    }
}

impl Reader {
    fn end_line(&mut self, line: &[u8]) -> Vec<ProgramReport> {
        let mut starts: Vec<(usize, &[u8])> = Vec::new();
        for found in RESULT.captures_iter(line) {
            if let (Some(whole), Some(word)) = (found.get(0), found.get(1)) {
                starts.push((whole.start(), word.as_bytes()));
            }
        }
        let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([line.len()]);
        let results: Vec<(&[u8], String)> =
            starts.iter().zip(ends).map(|(&(start, word), end)| (word, shown(&line[start..end]))).collect();
        results.into_iter().filter_map(|(word, text)| self.result(word, text)).collect()
    }

    fn result(&mut self, word: &[u8], text: String) -> Option<ProgramReport> {
        let results = match word {
            b"TPASS" => &mut self.passed,
            b"TFAIL" if text.ends_with(NO_MEMORY) => &mut self.starved,
            b"TFAIL" => &mut self.failed,
            b"TBROK" => &mut self.broken,
            b"TWARN" => &mut self.warned,
            b"TCONF" => &mut self.skipped,
            _ => return None,
        };
        results.count += 1;
        results.first.get_or_insert_with(|| text.clone());
        (word == b"TFAIL" && !text.ends_with(NO_MEMORY) && self.failed.count <= MOST_SYMPTOMS)
            .then_some(ProgramReport::Symptom(text))
    }

    /// What the exit code adds to the lines. `cut`: lines may be missing.
    fn conclude(&self, code: i32, cut: bool) -> Vec<ProgramReport> {
        let all = [&self.passed, &self.starved, &self.failed, &self.broken, &self.warned, &self.skipped];
        let printed = all.iter().any(|results| results.count > 0);
        if code & !(TFAIL | TBROK | TWARN | TCONF) != 0 || (code != 0 && !printed && !cut) {
            let what = if printed { "none of LTP's" } else { "and printed no result" };
            return vec![ProgramReport::Blind(format!("it ended with exit code {code}, {what}"))];
        }
        let mut said = Vec::new();
        if let Some(text) = &self.starved.first {
            said.push(ProgramReport::Blind(Lack::Memory.blame(text)));
        } else if code & TFAIL != 0 && self.failed.count == 0 {
            said.push(ProgramReport::Symptom(format!("TFAIL by exit code {code}, its line was not seen")));
        }
        let trouble = |results: &Results, bit: i32, word: &str| {
            let by_code = || (code & bit != 0).then(|| format!("{word} by exit code {code}"));
            results.first.clone().or_else(by_code).map(ProgramReport::Blind)
        };
        said.extend(trouble(&self.broken, TBROK, "TBROK"));
        said.extend(trouble(&self.warned, TWARN, "TWARN"));
        let passed = self.passed.count > 0;
        match &self.skipped.first {
            Some(text) if passed || self.failed.count + self.starved.count > 0 => {
                let (count, judged) = (self.skipped.count, self.passed.count + self.failed.count);
                said.push(ProgramReport::Note(format!("{count} skipped beside {judged} judged: {text}")));
            }
            Some(text) => said.push(ProgramReport::Skip(text.clone())),
            None if code & TCONF != 0 => {
                said.push(ProgramReport::Skip(format!("TCONF by exit code {code}, its line was not seen")));
            }
            None if code == 0 && !passed && said.is_empty() => {
                let part = if cut { " in what was read of its output" } else { "" };
                said.push(ProgramReport::Blind(format!("it ended with 0 and printed no TPASS{part}")));
            }
            None => {}
        }
        said
    }
}

/// A result for people: one line without the colours of a terminal.
fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    console::strip_ansi_codes(&text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str, exit: Exit) -> String {
        let mut reader = Reader::default();
        // in pieces, as it comes from a guest
        let mut said: Vec<ProgramReport> =
            text.as_bytes().chunks(7).flat_map(|piece| reader.read(Stream::Output, piece)).collect();
        said.extend(reader.finish(End { exit, output_bytes: text.len() as u64 }));
        said.iter().map(|report| format!("{report:?}\n")).collect()
    }

    #[test]
    fn lines_and_exit_codes_are_read_together() {
        const PASS: &str = "a.c:12: TPASS: fine\n";
        const FAIL: &str = "a.c:13: TFAIL: it leaks\n";
        const CONF: &str = "a.c:14: TCONF: no such call\n";
        const BROK: &str = "a.c:15: TBROK: open(x) failed: ENOENT (2)\n";
        const WARN: &str = "a.c:16: TWARN: close(3) failed\n";
        let table: [(&[&str], i32, &str); 17] = [
            (&[PASS], 0, ""),
            (&[PASS, FAIL], 1, "Symptom(\"a.c:13: TFAIL: it leaks\")\n"),
            (
                &[FAIL, BROK],
                3,
                "Symptom(\"a.c:13: TFAIL: it leaks\")\nBlind(\"a.c:15: TBROK: open(x) failed: ENOENT (2)\")\n",
            ),
            (&[BROK], 2, "Blind(\"a.c:15: TBROK: open(x) failed: ENOENT (2)\")\n"),
            (&[PASS, WARN], 4, "Blind(\"a.c:16: TWARN: close(3) failed\")\n"),
            (&[CONF], 32, "Skip(\"a.c:14: TCONF: no such call\")\n"),
            (&[CONF], 0, "Skip(\"a.c:14: TCONF: no such call\")\n"),
            (&[CONF, PASS], 0, "Note(\"1 skipped beside 1 judged: a.c:14: TCONF: no such call\")\n"),
            // a child's bit, whose line went elsewhere
            (&[PASS], 1, "Symptom(\"TFAIL by exit code 1, its line was not seen\")\n"),
            (&[PASS], 6, "Blind(\"TBROK by exit code 6\")\nBlind(\"TWARN by exit code 6\")\n"),
            (&["a.c:1: TINFO: x\n"], 32, "Blind(\"it ended with exit code 32, and printed no result\")\n"),
            // a child's line, whose bit was lost
            (&[PASS, BROK], 0, "Blind(\"a.c:15: TBROK: open(x) failed: ENOENT (2)\")\n"),
            // no results at all
            (&["hello\n"], 0, "Blind(\"it ended with 0 and printed no TPASS\")\n"),
            (&["sh: a: not found\n"], 127, "Blind(\"it ended with exit code 127, and printed no result\")\n"),
            (&["usage\n"], 1, "Blind(\"it ended with exit code 1, and printed no result\")\n"),
            (&[PASS], 64, "Blind(\"it ended with exit code 64, none of LTP's\")\n"),
            (&["no newline", FAIL], 1, "Symptom(\"newlinea.c:13: TFAIL: it leaks\")\n"),
        ];
        for (lines, code, expected) in table {
            assert_eq!(read(&lines.concat(), Exit::Code(code)), expected, "{lines:?} {code}");
        }
    }

    #[test]
    fn what_fails_for_want_of_memory_says_nothing_of_the_kernel() {
        let blind = "Blind(\"for want of memory (`machine: {memory: …}` gives the guest more): a.c:1: TFAIL: mremap(x): ENOMEM (12)\")\n";
        let starved = "a.c:1: TFAIL: mremap(x): ENOMEM (12)\n";
        assert_eq!(read(starved, Exit::Code(1)), blind);
        assert_eq!(
            read(&format!("{starved}a.c:2: TFAIL: it leaks\n"), Exit::Code(1)),
            format!("Symptom(\"a.c:2: TFAIL: it leaks\")\n{blind}")
        );
        assert_eq!(
            read("a.c:2: TFAIL: expected ENOMEM: EINVAL (22)\n", Exit::Code(1)),
            "Symptom(\"a.c:2: TFAIL: expected ENOMEM: EINVAL (22)\")\n"
        );
    }

    #[test]
    fn every_form_of_a_line_is_known_and_quotations_are_none() {
        let table = [
            ("mmap01    3  TFAIL  :  mmap01.c:90: wrong value\n", true),
            ("cgroup_fj 1 TFAIL: no group\n", true),
            ("dir/x-y.c:7: \u{1b}[1;31mTFAIL: \u{1b}[0mred\n", true),
            ("tick ..a.c:7: TFAIL: glued behind output", true),
            ("a.c:7: TINFO: the text TFAIL: is no result\n", false),
            ("TFAIL: of nobody\n", false),
            ("a.c:7: TFAILURE: x\n", false),
        ];
        for (line, fails) in table {
            assert_eq!(
                read(line, Exit::Code(1)).starts_with("Symptom(")
                    && !read(line, Exit::Code(1)).contains("by exit"),
                fails,
                "{line}"
            );
        }
        insta::assert_snapshot!(read("a.c:7: \u{1b}[1;31mTFAIL: \u{1b}[0mred\na.c:8: TPASS: xa.c:9: TFAIL: y\n", Exit::Code(1)), @r#"
        Symptom("a.c:7: TFAIL: red")
        Symptom("xa.c:9: TFAIL: y")
        "#);
    }

    #[test]
    fn a_failure_counts_though_the_program_never_ends() {
        let mut reader = Reader::default();
        let said = reader.read(Stream::Output, b"a.c:1: TFAIL: first\nhangs now");
        assert_eq!(said, [ProgramReport::Symptom("a.c:1: TFAIL: first".into())]);
        assert_eq!(reader.finish(End { exit: Exit::Signal(9), output_bytes: 29 }), []);
    }

    #[test]
    fn where_lines_are_missing_no_pass_is_made_up() {
        let said = Reader::default().finish(End { exit: Exit::Code(0), output_bytes: 1_000_000 });
        let blind = "it ended with 0 and printed no TPASS in what was read of its output";
        assert_eq!(said[1..], [ProgramReport::Blind(blind.into())]);
    }

    #[test]
    fn where_lines_are_missing_the_exit_code_is_believed() {
        let mut reader = Reader::default();
        reader.read(Stream::Output, b"a.c:1: TINFO: much\n");
        let said = reader.finish(End { exit: Exit::Code(1), output_bytes: 1_000_000 });
        assert_eq!(said[1], ProgramReport::Symptom("TFAIL by exit code 1, its line was not seen".into()));
    }

    proptest! {
        #[test]
        fn no_output_panics(text in "(a\\.c:[0-9]{0,20}: |x +[0-9]* +|T(PASS|FAIL|BROK|CONF|WARN|INFO)|:|\u{1b}\\[[0-9;]*m?|\n|é| ){0,60}", code in any::<u8>()) {
            read(&text, Exit::Code(i32::from(code)));
        }

        #[test]
        fn pieces_make_no_difference(lines in prop::collection::vec("(a\\.c:[0-9]: T(PASS|FAIL|CONF): x|noise)", 0..20), cut in 1usize..40) {
            let text = lines.join("\n");
            let said = |size| {
                let mut reader = Reader::default();
                let mut said: Vec<_> = text.as_bytes().chunks(size).flat_map(|piece| reader.read(Stream::Output, piece)).collect();
                said.extend(reader.finish(End { exit: Exit::Code(0), output_bytes: text.len() as u64 }));
                said
            };
            prop_assert_eq!(said(cut), said(4096));
        }
    }
}
