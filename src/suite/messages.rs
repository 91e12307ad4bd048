//! Known messages: reports of the kernel that do no harm, and lines that count although they are no reports.

mod stream;

use jiff::civil::Date;
use serde::Serialize;

use super::pattern::Pattern;
use super::range::Versions;
use crate::oops::{self, Engine, Findings, PassedOver, Report};
use crate::version::KernelVersion;
use crate::yaml::Location;

/// The lists of a suite or of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct KnownMessages {
    /// Crash reports that do no harm.
    pub allow: Vec<KnownMessage>,
    /// Lines that count as a defect.
    pub deny: Vec<KnownMessage>,
}

/// An entry of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KnownMessage {
    /// `allow`: matches the title of a report or the message of its first line. `deny`: matches the message of a line.
    #[serde(rename = "match")]
    pub matching: Pattern,
    /// `allow`: each matches some function of the report's call traces.
    pub trace: Vec<Pattern>,
    /// The kernels on which it holds; all of them where none are given.
    pub versions: Option<Versions>,
    /// Why the report does no harm, or why the line counts.
    pub reason: String,
    /// Where more is said about it.
    pub link: Option<String>,
    /// The last day on which it holds.
    pub expires: Option<Date>,
    /// Where it is written.
    pub span: Location,
}

/// What decides which entries hold.
#[derive(Debug, Clone, Copy)]
pub struct MatchContext<'a> {
    /// The day.
    pub today: Date,
    /// The kernel; where it is not known, an entry with `versions` does not hold.
    pub version: Option<&'a KernelVersion>,
    /// Lines are denied from here on, in bytes from the start of the console.
    pub lines_from: usize,
}

/// A console read with the lists.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SortedReports {
    /// Crash reports that count, in order of appearance.
    pub reports: Vec<Report>,
    /// Crash reports that do no harm, each with the entry that says so.
    pub allowed: Vec<(Report, KnownMessage)>,
    /// For each entry that denies lines: the first such line that it fits, in the form of a report.
    pub denied: Vec<(Report, KnownMessage)>,
    /// Reports that were not read.
    pub passed_over: PassedOver,
}

impl SortedReports {
    /// Every report, those that count and the others, in order of appearance.
    pub fn all(&self) -> Vec<Report> {
        let aside = self.allowed.iter().chain(&self.denied).map(|(report, _)| report);
        let mut all: Vec<Report> = self.reports.iter().chain(aside).cloned().collect();
        all.sort_by_key(|report| report.start);
        all
    }
}

impl KnownMessage {
    /// Whether it holds no more.
    pub fn is_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }

    /// The reason, with the link where there is one.
    pub fn why(&self) -> String {
        match &self.link {
            Some(link) => format!("{}, see {link}", self.reason),
            None => self.reason.clone(),
        }
    }

    /// The notice for an entry that has expired.
    pub fn expiry_notice(&self) -> String {
        let day = self.expires.map(|day| day.to_string()).unwrap_or_default();
        let (span, pattern, reason) = (&self.span, &self.matching, &self.reason);
        format!(
            "{span}: the known message `{pattern}` ({reason}) expired on {day} and has no effect; remove it, or renew it where it is still true"
        )
    }

    fn holds(&self, now: MatchContext<'_>) -> bool {
        let versions = self.versions.as_ref();
        !self.is_expired(now.today)
            && versions.is_none_or(|range| now.version.is_some_and(|version| range.contains(version)))
    }

    fn allows(&self, report: &Report, first_line: &str) -> bool {
        // the title of a damaged report may be another's
        let believed = !report.corrupted || !self.trace.is_empty();
        let titled = self.matching.is_match(&report.title) || self.matching.is_match(first_line);
        let function = |pattern: &Pattern| report.frames.iter().any(|name| pattern.is_match(name));
        believed && titled && self.trace.iter().all(function)
    }
}

impl KnownMessages {
    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.allow.is_empty() && self.deny.is_empty()
    }

    /// Adds another list, such as a run's to a suite's.
    pub fn extend(&mut self, other: &KnownMessages) {
        self.allow.extend(other.allow.iter().cloned());
        self.deny.extend(other.deny.iter().cloned());
    }

    /// Entries that hold no more: they have no effect, and somebody should look at them.
    pub fn expired(&self, today: Date) -> impl Iterator<Item = &KnownMessage> {
        self.allow.iter().chain(&self.deny).filter(move |entry| entry.is_expired(today))
    }

    /// Reads a console. A report that `counts_anyway`, such as a test's own symptom, is never set aside.
    pub fn read(
        &self,
        engine: &Engine,
        console: &[u8],
        now: MatchContext<'_>,
        counts_anyway: impl Fn(&Report) -> bool,
    ) -> SortedReports {
        let allow: Vec<&KnownMessage> = self.allow.iter().filter(|entry| entry.holds(now)).collect();
        let entry = |report: &Report, first_line: &[u8]| {
            let first_line = String::from_utf8_lossy(first_line);
            allow.iter().find(|entry| entry.allows(report, &first_line))
        };
        let found = engine.diagnose_allowing(console, &|report, first_line| {
            entry(report, first_line).is_some() && !counts_anyway(report)
        });
        let first_line = |report: &Report| {
            let text = console.get(report.start..).unwrap_or_default();
            oops::messages(text).next().map_or(&b""[..], |(_, message)| message)
        };
        let Findings { reports, allowed, passed_over } = found;
        let named = allowed.into_iter().filter_map(|report| {
            let entry = (*entry(&report, first_line(&report))?).clone();
            Some((report, entry))
        });
        SortedReports { reports, allowed: named.collect(), denied: self.denied(console, now), passed_over }
    }

    fn denied(&self, console: &[u8], now: MatchContext<'_>) -> Vec<(Report, KnownMessage)> {
        let mut waiting: Vec<&KnownMessage> = self.deny.iter().filter(|entry| entry.holds(now)).collect();
        let mut found = Vec::new();
        if waiting.is_empty() {
            return found;
        }
        for (place, message) in oops::messages(console) {
            if place.start < now.lines_from {
                continue;
            }
            let message = String::from_utf8_lossy(message);
            waiting.retain(|entry| {
                let fits = entry.matching.is_match(&message);
                if fits {
                    found.push((oops::line_as_report(console, place.clone()), (*entry).clone()));
                }
                !fits
            });
            if waiting.is_empty() {
                break;
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
