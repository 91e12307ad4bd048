//! How what a program says becomes what it reports: a reader for each [`OutputFormat`].
//!
//! A reader is fed everything that a program writes, as it comes. What it says at once is evidence even if the program
//! never ends; what only the whole tells (results that are missing, a plan that was not kept) it says at the end.

mod blktests;
mod kselftest;
mod ktap;
mod lack;
mod lines;
mod ltp;
mod reports;
mod subtests;
mod xfstests;

use std::fmt::Debug;

use crate::observation::{Exit, ProgramReport, Subtest};
use crate::suite::OutputFormat;

/// Where a program writes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output and standard error, which are one pipe; pieces break anywhere.
    Output,
    /// The report descriptor; a piece is a line.
    Reports,
}

/// The program's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct End {
    /// How it ended.
    pub exit: Exit,
    /// Bytes of output in all. Those beyond a bound were counted in the guest and not sent.
    pub output_bytes: u64,
}

/// Reads what a program writes.
pub(super) trait OutputReader: Debug + Send {
    /// Takes in a piece, and says what is certain by now. Pieces may come after the program's end: what its children
    /// write while the kernel is still watched.
    fn read(&mut self, stream: Stream, piece: &[u8]) -> Vec<ProgramReport>;

    /// Says what the whole tells, once; not for a program that did not end.
    fn finish(&mut self, end: End) -> Vec<ProgramReport>;

    /// The results within the output that have names of their own, once, at the attempt's end however that came.
    fn subtests(&mut self) -> Vec<Subtest> {
        Vec::new()
    }
}

/// The reader of a format: the table of them.
pub(super) fn of(format: OutputFormat) -> Box<dyn OutputReader> {
    match format {
        OutputFormat::Reports => Box::new(reports::Reader),
        OutputFormat::Ktap => Box::<ktap::Reader>::default(),
        OutputFormat::Kselftest => Box::<kselftest::Reader>::default(),
        OutputFormat::Ltp => Box::<ltp::Reader>::default(),
        OutputFormat::Xfstests => Box::<xfstests::Reader>::default(),
        OutputFormat::Blktests => Box::<blktests::Reader>::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both streams as a program may write them, in pieces.
    fn said(format: OutputFormat) -> String {
        let mut reader = of(format);
        let pieces: [(Stream, &[u8]); 5] = [
            (Stream::Output, b"1..2\nok"),
            (Stream::Reports, b"iterations 5"),
            (Stream::Output, b" 1 a\nnot ok 2 b\n"),
            (Stream::Reports, b" "),
            (Stream::Reports, b"symptom boom"),
        ];
        let mut text = String::new();
        for (stream, piece) in pieces {
            reader.read(stream, piece).iter().for_each(|report| text += &format!("{report:?}\n"));
        }
        text += "at the end:\n";
        let end = End { exit: Exit::Code(0), output_bytes: 23 };
        reader.finish(end).iter().for_each(|report| text += &format!("{report:?}\n"));
        text += "its children:\n";
        for (stream, piece) in [(Stream::Output, &b"not ok 3 c\n"[..]), (Stream::Reports, b"note late")] {
            reader.read(stream, piece).iter().for_each(|report| text += &format!("{report:?}\n"));
        }
        text
    }

    #[test]
    fn every_format_takes_the_report_descriptor_at_once_and_its_own_results_at_the_end() {
        insta::assert_snapshot!(said(OutputFormat::Reports), @r#"
        Iterations(5)
        Symptom("boom")
        at the end:
        its children:
        Note("late")
        "#);
        insta::assert_snapshot!(said(OutputFormat::Ktap), @r#"
        Iterations(5)
        Symptom("not ok 2 b")
        Symptom("boom")
        at the end:
        its children:
        Symptom("not ok 3 c")
        Note("late")
        "#);
    }
}
