//! What is to be said of a console beyond its reports: known messages, and what was not read. An allowed report is none
//! for [`judge`](super::judge).

use super::{Judgement, Verdict};
use crate::observation::{Ending, Observation, Stopped};
use crate::oops::PassedOver;
use crate::suite::SortedReports;

/// The judgement with the suite's and the run's lists taken into account, and the reports that were not read.
///
/// A denied line during the dose makes an attempt `other` that would have been `good` or `blind`. It never makes one
/// `bad`: that is the symptom's alone. An allowed report never makes one `good` by itself: where it ended the attempt
/// that is `blind`. And so is one during whose dose reports begin that were passed over, because the console has too many.
pub fn with_messages(mut judgement: Judgement, seen: &Observation, sorted: &SortedReports) -> Judgement {
    if let Some((line, entry)) = sorted.denied.first()
        && judgement.dosed
        && matches!(judgement.verdict, Verdict::Good | Verdict::Blind)
    {
        judgement.verdict = Verdict::Other;
        judgement.title = Some(line.title.clone());
        judgement.reason = Some(format!("a line that counts: {}", entry.why()));
        return judgement;
    }
    let PassedOver { lines, last } = sorted.passed_over;
    if judgement.verdict == Verdict::Good
        && lines > 0
        && seen.console.dose_start.is_none_or(|start| last >= start)
    {
        judgement.verdict = Verdict::Blind;
        judgement.reason = Some(format!(
            "the console has so many reports that {lines} lines that begin one were passed over, some of them in the dose"
        ));
        return judgement;
    }
    let Some((report, _)) = sorted.allowed.last() else { return judgement };
    if judgement.verdict == Verdict::Blind
        && seen.ending == Ending::Stopped(Stopped::CrashSeen)
        && sorted.reports.is_empty()
    {
        judgement.reason = Some(format!(
            "an allowed report ended the attempt before the dose was done ({}); allow only what the kernel survives",
            report.title
        ));
    }
    judgement
}

/// One sentence for each known message that an attempt has, those of the same entry and title taken together.
pub fn message_findings(sorted: &SortedReports) -> Vec<String> {
    let mut lines: Vec<(String, usize, &str, String)> = Vec::new();
    let allowed = sorted.allowed.iter().map(|entry| ("allowed", entry));
    for (word, (report, entry)) in allowed.chain(sorted.denied.iter().map(|entry| ("denied", entry))) {
        let text = format!("{word}: {}", report.title);
        let place = if word == "allowed" { "console line" } else { "first on console line" };
        match lines.iter_mut().find(|(other, ..)| *other == text) {
            Some((_, times, ..)) => *times += 1,
            None => lines.push((text, 1, place, format!("{}: {}", report.start_line, entry.why()))),
        }
    }
    let line = |(text, times, place, rest): (String, usize, &str, String)| match times {
        1 => format!("{text}, {place} {rest}"),
        _ => format!("{text}, {times} times, first on console line {rest}"),
    };
    lines.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests;
