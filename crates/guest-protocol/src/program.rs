//! How the test's program ended, and what it reports.

use serde::{Deserialize, Serialize};

/// How the test's program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// A signal ended it.
    Signal(i32),
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// A line that the program wrote to its report descriptor (see `suites/README.md`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ProgramReport {
    /// Rounds of the dose that were really done.
    Iterations(u64),
    /// The program itself saw the symptom.
    Symptom(String),
    /// The program could not judge, for this reason.
    Blind(String),
    /// The kernel lacks something that the program needs.
    Skip(String),
    /// Anything worth keeping with the evidence.
    Note(String),
    /// A line of no known form, kept as it came.
    Unknown(String),
}

/// The words that a line of the report descriptor may begin with, requests of the host (`vm/README.md`) included.
pub const REPORT_WORDS: [&str; 7] = ["iterations", "symptom", "blind", "skip", "note", "plug", "unplug"];

impl ProgramReport {
    /// Reads one line of the report descriptor, without its newline.
    pub fn parse(line: &str) -> ProgramReport {
        let line = line.trim();
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let rest = rest.trim().to_owned();
        match word {
            "iterations" => match rest.parse() {
                Ok(n) => ProgramReport::Iterations(n),
                Err(_) => ProgramReport::Unknown(line.to_owned()),
            },
            "symptom" => ProgramReport::Symptom(rest),
            "blind" => ProgramReport::Blind(rest),
            "skip" => ProgramReport::Skip(rest),
            "note" => ProgramReport::Note(rest),
            _ => ProgramReport::Unknown(line.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn report_lines_are_read() {
        let table = [
            ("iterations 20000", ProgramReport::Iterations(20000)),
            ("symptom page 3 is mapped", ProgramReport::Symptom("page 3 is mapped".into())),
            ("blind", ProgramReport::Blind(String::new())),
            ("skip  no fsopen", ProgramReport::Skip("no fsopen".into())),
            ("iterations many", ProgramReport::Unknown("iterations many".into())),
            ("iterations", ProgramReport::Unknown("iterations".into())),
            ("iterations -5", ProgramReport::Unknown("iterations -5".into())),
            ("iterations 5 of 6", ProgramReport::Unknown("iterations 5 of 6".into())),
            (
                "iterations 99999999999999999999",
                ProgramReport::Unknown("iterations 99999999999999999999".into()),
            ),
            ("symptom: boom", ProgramReport::Unknown("symptom: boom".into())),
            ("hello", ProgramReport::Unknown("hello".into())),
        ];
        for (line, expected) in table {
            assert_eq!(ProgramReport::parse(line), expected, "{line}");
        }
    }
}
