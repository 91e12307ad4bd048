//! Known messages: reports that are known to be harmless, and lines that count as defects though they are no reports.

use jiff::civil::Date;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use super::engine::Engine;
use super::kind::ReportKind;
use super::report::Report;

/// Why a list of known messages cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KnownError {
    /// The text is no YAML, or has unknown or missing keys or values of the wrong type.
    #[error("the list of known messages cannot be read: {0}")]
    Syntax(#[from] serde_yaml::Error),
    /// A pattern is no regular expression.
    #[error("`{pattern}` is no regular expression: {source}")]
    Pattern {
        /// The pattern as it stands in the list.
        pattern: String,
        /// What is wrong with it.
        source: regex::Error,
    },
    /// An entry does not say why it is there.
    #[error(
        "the entry `{pattern}` has an empty reason; say why the message is known, and give a link if there is one"
    )]
    NoReason {
        /// The pattern of the entry.
        pattern: String,
    },
}

/// An entry as it is written: `{match, reason, link, expires}`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// A regular expression: for `allow` on titles and first lines of reports, for `deny` on lines of the console.
    #[serde(rename = "match")]
    pub pattern: String,
    /// Why the message is known to be harmless, or counts as a defect.
    pub reason: String,
    /// Where more is said about it.
    #[serde(default)]
    pub link: Option<String>,
    /// The last day on which the entry holds; without it, it holds for ever.
    #[serde(default)]
    pub expires: Option<Date>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Lists {
    allow: Vec<Entry>,
    deny: Vec<Entry>,
}

/// Allow and deny list together.
#[derive(Clone, Debug, Default)]
pub struct KnownMessages {
    allow: Vec<(Entry, Regex)>,
    deny: Vec<(Entry, Regex)>,
}

/// Reports after the lists were applied.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Judged {
    /// What still counts, in order of appearance; lines on the deny list are among them.
    pub reports: Vec<Report>,
    /// What was dropped, with the entry that says why.
    pub allowed: Vec<(Report, Entry)>,
    /// Entries that hold no more; they were not applied, and somebody should look at them.
    pub expired: Vec<Entry>,
}

impl KnownMessages {
    /// Reads the lists: `allow:` and `deny:`, each a list of entries.
    ///
    /// # Errors
    /// If the text is no such list, a pattern is no regular expression, or a reason is empty.
    pub fn parse(text: &str) -> Result<KnownMessages, KnownError> {
        let lists: Lists = serde_yaml::from_str(text)?;
        let compile = |entries: Vec<Entry>| entries.into_iter().map(compile).collect::<Result<Vec<_>, _>>();
        Ok(KnownMessages { allow: compile(lists.allow)?, deny: compile(lists.deny)? })
    }

    /// Adds the entries of another list, such as a run's to a suite's.
    pub fn extend(&mut self, other: KnownMessages) {
        self.allow.extend(other.allow);
        self.deny.extend(other.deny);
    }

    /// Sorts the reports of a console. `today` decides which entries hold.
    pub fn judge(&self, console: &[u8], reports: Vec<Report>, today: Date) -> Judged {
        let holds = |entry: &Entry| entry.expires.is_none_or(|last| today <= last);
        let mut judged = Judged {
            expired: self
                .allow
                .iter()
                .chain(&self.deny)
                .map(|(entry, _)| entry)
                .filter(|entry| !holds(entry))
                .cloned()
                .collect(),
            ..Judged::default()
        };
        for report in reports {
            let first_line = console.get(report.start..).unwrap_or_default();
            let first_line =
                &first_line[..memchr::memchr(b'\n', first_line).unwrap_or(first_line.len()).min(4096)];
            let fits =
                |pattern: &Regex| pattern.is_match(report.title.as_bytes()) || pattern.is_match(first_line);
            match self.allow.iter().find(|(entry, pattern)| holds(entry) && fits(pattern)) {
                Some((entry, _)) => judged.allowed.push((report, entry.clone())),
                None => judged.reports.push(report),
            }
        }
        for (_, pattern) in self.deny.iter().filter(|(entry, _)| holds(entry)) {
            if let Some(found) = pattern.find(console) {
                judged.reports.push(denied(console, found.start()));
            }
        }
        judged.reports.sort_by_key(|report| report.start);
        judged
    }
}

fn compile(entry: Entry) -> Result<(Entry, Regex), KnownError> {
    if entry.reason.trim().is_empty() {
        return Err(KnownError::NoReason { pattern: entry.pattern });
    }
    match RegexBuilder::new(&entry.pattern).multi_line(true).build() {
        Ok(regex) => Ok((entry, regex)),
        Err(source) => Err(KnownError::Pattern { pattern: entry.pattern, source }),
    }
}

/// A line on the deny list, as a report.
fn denied(console: &[u8], at: usize) -> Report {
    let start = memchr::memrchr(b'\n', &console[..at]).map_or(0, |newline| newline + 1);
    let end = memchr::memchr(b'\n', &console[at..]).map_or(console.len(), |len| at + len);
    let title = super::title::stable(super::console::Line::parse(&console[start..end.max(start)]).text);
    Report {
        kind: match Engine::embedded().kind_of(&title) {
            ReportKind::Unknown => ReportKind::DoS,
            kind => kind,
        },
        title,
        alt_titles: Vec::new(),
        corrupted: false,
        corrupted_reason: None,
        frame: None,
        frames: Vec::new(),
        suppressed: false,
        panicked: false,
        start,
        end,
        start_line: memchr::memchr_iter(b'\n', &console[..start]).count() + 1,
        task: None,
        pid: None,
        cpu: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTS: &str = "
allow:
  - {match: '^WARNING in harmless', reason: 'fires on this machine type only', link: 'https://example.org/1'}
  - {match: 'old_func', reason: 'fixed since', expires: 2026-01-31}
deny:
  - {match: 'EXT4-fs error', reason: 'the image is checked before each attempt'}
";

    const CONSOLE: &[u8] = b"[    1.000000] WARNING: CPU: 0 PID: 5 at a/b.c:12 harmless+0x1/0x2\n\
        [    1.000001] Call Trace:\n[    1.000002]  harmless+0x1/0x2\n[    1.000003]  x+0x1/0x2\n[    1.000004]  y+0x1/0x2\n\
        [    2.000000] WARNING: CPU: 0 PID: 5 at a/b.c:12 old_func+0x1/0x2\n\
        [    2.000001] Call Trace:\n[    2.000002]  old_func+0x1/0x2\n[    2.000003]  x+0x1/0x2\n[    2.000004]  y+0x1/0x2\n\
        [    3.000000] EXT4-fs error (device vda): oh no 12345678\n";

    #[test]
    fn known_messages_are_sorted_out() {
        let known = KnownMessages::parse(LISTS).unwrap();
        let reports = crate::oops::diagnose(CONSOLE);
        let table = [
            (jiff::civil::date(2026, 1, 31), vec!["EXT4-fs error (device vda): oh no ADDR"], 2, 0),
            (
                jiff::civil::date(2026, 2, 1),
                vec!["WARNING in old_func", "EXT4-fs error (device vda): oh no ADDR"],
                1,
                1,
            ),
        ];
        for (today, titles, allowed, expired) in table {
            let judged = known.judge(CONSOLE, reports.clone(), today);
            let found: Vec<&str> = judged.reports.iter().map(|report| report.title.as_str()).collect();
            assert_eq!(
                (found, judged.allowed.len(), judged.expired.len()),
                (titles, allowed, expired),
                "{today}"
            );
        }
    }

    #[test]
    fn faulty_lists_are_refused() {
        let table = [
            "allow: [{match: x}]",
            "allow: [{match: '(', reason: y}]",
            "allow: [{match: x, reason: ' '}]",
            "allow: [{match: x, reason: y, expires: 2026-13-01}]",
            "forbid: []",
        ];
        let errors: Vec<String> =
            table.iter().map(|text| KnownMessages::parse(text).unwrap_err().to_string()).collect();
        insta::assert_snapshot!(errors.join("\n"), @r#"
        the list of known messages cannot be read: allow[0]: missing field `reason` at line 1 column 9
        `(` is no regular expression: regex parse error:
            (
            ^
        error: unclosed group
        the entry `x` has an empty reason; say why the message is known, and give a link if there is one
        the list of known messages cannot be read: allow[0].expires: failed to parse two digit integer as month: parameter 'month' is not in the required range of 1..=12 at line 1 column 40
        the list of known messages cannot be read: unknown field `forbid`, expected `allow` or `deny`
        "#);
    }
}
