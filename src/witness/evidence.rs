//! Crash reports from all witnesses together.

use super::{Comparison, GapReason, Witness, compare};
use crate::observation::{Ending, Observation, Stopped};
use crate::oops::{self, Report};
use crate::suite::SortedReports;

/// What the other witnesses added to the console.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WitnessEvidence {
    /// Who has what the console lacks; absent: it lacks nothing that is known of.
    pub witness: Option<Witness>,
    /// How many messages it lacks, for each reason.
    pub lacking: Vec<(GapReason, u64)>,
    /// The last of them, for a guest whose console fell silent.
    pub last: Vec<String>,
    /// The kernel's last messages before a guest hung that the console lacks nothing of, from its memory.
    pub before_hang: Vec<String>,
    /// The title of a crash report that a program wrote.
    pub forged: Option<String>,
    /// Why it is not known whether the console lacks something.
    pub doubt: Option<String>,
    /// Where what was added begins in the console's text, bytes.
    pub added_at: Option<usize>,
}

/// So many messages of a silent guest are reported.
const LAST: usize = 24;
/// So many of one that hangs, and whose console has them.
const LAST_BEFORE_HANG: usize = 6;
/// How the kernel answers what the host asks a silent guest: the keys of SysRq, and an NMI that no device claims
/// (`arch/x86/kernel/nmi.c`).
const ASKED_BY_HOST: &[&str] =
    &["sysrq: Show ", "Uhhuh. NMI received for unknown reason", "Dazed and confused, but trying to continue"];
/// A message that is reported is cut to this, characters.
const LONGEST: usize = 200;

impl WitnessEvidence {
    /// Whether a report is not from the console.
    pub fn witness_of(&self, report: &Report) -> Option<Witness> {
        self.witness.filter(|_| self.added_at.is_some_and(|at| report.start >= at))
    }

    /// What is to be said of a report that decided and is not on the console.
    pub fn on_deciding(&self, report: &Report) -> Option<String> {
        let witness = self.witness_of(report)?;
        let why: Vec<&str> = self.lacking.iter().map(|(why, _)| why.words()).collect();
        Some(format!("it is in {}, and the console lacks it: {}", witness.words(), why.join("; ")))
    }

    /// What there is to tell, a line each.
    pub fn findings(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(witness) = self.witness {
            let count: u64 = self.lacking.iter().map(|(_, count)| count).sum();
            let why: Vec<String> = self
                .lacking
                .iter()
                .map(|(why, n)| match self.lacking.len() {
                    1 => why.words().to_owned(),
                    _ => format!("{n}: {}", why.words()),
                })
                .collect();
            let messages = if count == 1 { "message" } else { "messages" };
            lines.push(format!(
                "the console lacks {count} {messages} of the kernel ({}); {} has them",
                why.join("; "),
                witness.words()
            ));
            if !self.last.is_empty() {
                lines.push("the last messages, none of which is on the console:".to_owned());
                lines.extend(self.last.iter().map(|line| format!("  {line}")));
            }
        }
        if !self.before_hang.is_empty() {
            lines.push("the kernel's last messages, by its log in the guest's memory:".to_owned());
            lines.extend(self.before_hang.iter().map(|line| format!("  {line}")));
        }
        lines.extend(self.forged.iter().map(|title| format!("a program wrote a crash report: {title}")));
        lines
    }
}

/// Reads the reports of an attempt: those of its console, without what programs wrote there, and those that only another
/// witness has. What the console lacks is added behind its text. `diagnose` reads a text, in which known messages are
/// lines that count from a place on.
pub fn read(
    seen: &mut Observation,
    diagnose: &dyn Fn(&[u8], usize) -> SortedReports,
) -> (SortedReports, WitnessEvidence) {
    let Comparison { console, written_by_programs, lacking, doubt } = compare(seen);
    let mut sorted = diagnose(&console, seen.console.dose_start.unwrap_or(usize::MAX));
    let forged = oops::diagnose(&written_by_programs).into_iter().next().map(|report| report.title);
    let mut testimony =
        WitnessEvidence { forged, doubt, before_hang: before_hang(seen), ..WitnessEvidence::default() };
    let Some((witness, lacking)) = lacking else { return (sorted, testimony) };

    let heading =
        format!("\n[kregress: from here on {}, where the console lacks some of it]\n", witness.words());
    seen.console.text.extend_from_slice(heading.as_bytes());
    let at = seen.console.text.len();
    seen.console.text.extend_from_slice(&lacking.text);
    let lines = memchr::memchr_iter(b'\n', &seen.console.text[..at]).count();
    let mut added = diagnose(&lacking.text, 0);
    let is_new = |report: &Report| lacking.touches(report.start, report.end);
    added.reports.retain(is_new);
    added.allowed.retain(|(report, _)| is_new(report));
    added.denied.retain(|(report, _)| is_new(report));
    // where the console has a part of a report, the whole of it counts
    let first_line = |text: &[u8], report: &Report| -> Vec<u8> {
        let line = text.get(report.start..).and_then(|rest| rest.split(|byte| *byte == b'\n').next());
        line.unwrap_or_default().trim_ascii_end().to_vec()
    };
    let whole: Vec<Vec<u8>> = added.reports.iter().map(|report| first_line(&lacking.text, report)).collect();
    sorted.reports.retain(|report| !whole.contains(&first_line(&console, report)));
    let moved = |mut report: Report| {
        report.start += at;
        report.end += at;
        report.start_line += lines;
        report
    };
    sorted.reports.extend(added.reports.into_iter().map(moved));
    sorted.allowed.extend(added.allowed.into_iter().map(|(report, entry)| (moved(report), entry)));
    for (report, entry) in added.denied {
        if !sorted.denied.iter().any(|(_, other)| *other == entry) {
            sorted.denied.push((moved(report), entry));
        }
    }
    if added.passed_over.lines > 0 {
        sorted.passed_over.lines += added.passed_over.lines;
        sorted.passed_over.last = added.passed_over.last + at;
    }
    if lacking.why.iter().any(|(why, _)| *why == GapReason::Silent) {
        let line = |(start, end): &(usize, usize)| -> String {
            let line = String::from_utf8_lossy(&lacking.text[*start..*end]);
            line.trim_end().chars().take(LONGEST).collect()
        };
        let own = lacking.lines.iter().rev().map(line).filter(|line| !is_asked_for(line));
        testimony.last = own.take(LAST).collect();
        testimony.last.reverse();
        if !testimony.last.is_empty() {
            testimony.before_hang.clear();
        }
    }
    testimony.witness = Some(witness);
    testimony.lacking = lacking.why;
    testimony.added_at = Some(at);
    (sorted, testimony)
}

/// The last messages of a guest that did not go on, without what the host asked its kernel for.
fn before_hang(seen: &Observation) -> Vec<String> {
    let hung = matches!(seen.ending, Ending::Stopped(Stopped::Silent { .. } | Stopped::Terminate { .. }));
    let Some(memory) = seen.kernel_log.memory.as_ref().filter(|_| hung) else { return Vec::new() };
    let own = memory.records.iter().filter(|record| record.is_kernels());
    let before: Vec<_> =
        own.take_while(|record| !is_asked_for(&String::from_utf8_lossy(&record.text))).collect();
    let mut text = Vec::new();
    before.iter().rev().take(LAST_BEFORE_HANG).rev().for_each(|record| record.print(&mut text, |_| {}));
    String::from_utf8_lossy(&text)
        .lines()
        .map(|line| line.trim_end().chars().take(LONGEST).collect())
        .collect()
}

fn is_asked_for(line: &str) -> bool {
    ASKED_BY_HOST.iter().any(|answer| line.contains(answer))
}
