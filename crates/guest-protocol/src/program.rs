//! How the test's program ended, and what it reports.

use std::time::Duration;

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

/// The runs of a program that does not end by itself: it is started again where it ended before the dose's time was over. A
/// run lasts until nothing of it is left, and has died at once if it ended in another way than with 0 within
/// [`Runs::moment`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// How many were started.
    pub started: u64,
    /// How many of them died at once.
    pub died: u64,
    /// The time that they took, microseconds.
    pub died_us: u64,
    /// The time of all others, microseconds.
    pub worked_us: u64,
    /// How the last one that ended by itself did; absent: none did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<Exit>,
    /// Why it could not be started again; absent: it could.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_started: Option<String>,
}

impl Runs {
    /// A run that ends badly before it has lasted so long did not get to do anything. A guest that gets little time of its
    /// host takes longer for anything, and so did the start of the program.
    pub fn moment(start: Duration) -> Duration {
        Duration::from_millis(200) + 4 * start
    }

    /// Takes in a run: how long its start took, how it ended, if by itself, and how long it lasted.
    pub fn take(&mut self, start: Duration, exit: Option<Exit>, lasted: Duration) {
        let micros = lasted.as_micros() as u64;
        self.started += 1;
        self.last = exit.or(self.last);
        if exit.is_some_and(|exit| exit != Exit::Code(0)) && lasted < Runs::moment(start) {
            self.died += 1;
            self.died_us += micros;
        } else {
            self.worked_us += micros;
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
    fn runs_that_die_at_once_are_told_from_others() {
        let mut runs = Runs::default();
        for (start, exit, ms) in [
            (0, Some(Exit::Signal(11)), 5),
            (0, Some(Exit::Code(1)), 199),
            (0, Some(Exit::Code(1)), 200),
            // a guest that is slow in everything
            (900, Some(Exit::Signal(11)), 1200),
            (0, Some(Exit::Code(0)), 1),
            (900, None, 50),
        ] {
            runs.take(Duration::from_millis(start), exit, Duration::from_millis(ms));
        }
        let last = Some(Exit::Code(0));
        let expected =
            Runs { started: 6, died: 3, died_us: 1_404_000, worked_us: 251_000, last, not_started: None };
        assert_eq!(runs, expected);
    }

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
