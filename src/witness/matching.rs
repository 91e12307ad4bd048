//! Which records are on the console, and which of its lines are whose.

use std::ops::Range;

use super::lines::ConsoleLines;
use super::{ConsoleGaps, GapReason};
use crate::observation::LogRecord;

/// The longest report, messages: so far around one that is missing others are reported too.
const REACH: usize = 200;

/// The console's lines and the log's records, each with what belongs to it.
pub(super) struct Matched {
    /// For each line of each record, in order: the number of the console's line that shows it.
    shown: Vec<Vec<Option<usize>>>,
    /// For each line of the console: who wrote it.
    owners: Vec<Owner>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    /// Nothing is known against the kernel.
    Kernel,
    /// A program wrote it into the log, or onto the console.
    Program,
    /// A part of a message whose whole is in the log.
    Damaged,
}

impl Matched {
    /// Where the log was read at the very end, everything that the kernel printed is in it.
    pub fn new(lines: &ConsoleLines<'_>, records: &[LogRecord], to_the_end: bool) -> Matched {
        let mut owners = vec![None; lines.lines.len()];
        let shown: Vec<Vec<Option<usize>>> = records
            .iter()
            .map(|record| {
                let owner = if record.is_kernels() { Owner::Kernel } else { Owner::Program };
                let show = |text: &[u8]| {
                    let wanted = text.trim_ascii_end();
                    let free = |n: &usize| owners[*n].is_none();
                    let stamped = lines
                        .at(record.micros)
                        .iter()
                        .copied()
                        .find(|n| free(n) && lines.text(&lines.lines[*n]).trim_ascii_end() == wanted);
                    let found = stamped.or_else(|| lines.unstamped(wanted).iter().copied().find(free))?;
                    owners[found] = Some(owner);
                    Some(found)
                };
                record.text.split(|byte| *byte == b'\n').map(show).collect()
            })
            .collect();
        // the log tells about the time between its first and its last record, unless some of that are missing
        let whole = records
            .first()
            .zip(records.last())
            .filter(|(first, last)| last.seq - first.seq + 1 == records.len() as u64);
        let known =
            whole.map_or(0..0, |(first, last)| first.micros..if to_the_end { u64::MAX } else { last.micros });
        // lines without a time: those between others that it has
        let known_to = match (whole, to_the_end) {
            (None, _) => 0,
            (Some(_), true) => usize::MAX,
            (Some(_), false) => shown.iter().flatten().flatten().max().copied().unwrap_or(0),
        };
        let has_record = |micros: u64| records.binary_search_by_key(&micros, |r| r.micros).is_ok();
        let ascending = records.is_sorted_by_key(|record| record.micros);
        let unclaimed = |n: usize| match lines.lines[n].micros {
            None if n < known_to => Owner::Program,
            None => Owner::Kernel,
            // processors' clocks may differ by a little, and then records are not in the order of their times
            Some(_) if !ascending => Owner::Kernel,
            Some(micros) if !known.contains(&micros) => Owner::Kernel,
            Some(micros) if has_record(micros) => Owner::Damaged,
            Some(_) => Owner::Program,
        };
        let owners = owners.into_iter().enumerate().map(|(n, owner)| owner.unwrap_or_else(|| unclaimed(n)));
        Matched { owners: owners.collect(), shown }
    }

    /// The console with every line blanked that is not the kernel's, or is a part of what the log has as a whole. The mark of the
    /// dose's beginning stays: it is the agent's, and what is read behind it continues no report above it.
    pub fn masked(&self, lines: &ConsoleLines<'_>) -> Vec<u8> {
        let mut console = lines.console.to_vec();
        for (line, owner) in lines.lines.iter().zip(&self.owners) {
            if *owner == Owner::Program && line.place.start >= lines.mark_end {
                console[line.text..line.place.end].fill(b' ');
            }
        }
        console
    }

    /// What is not the kernel's and looks as if it were.
    pub fn written_by_programs(&self, lines: &ConsoleLines<'_>, records: &[LogRecord]) -> Vec<u8> {
        let in_log = records.iter().filter(|record| !record.is_kernels());
        let mut text = Vec::new();
        for record in in_log {
            record.print(&mut text, |_| {});
        }
        let claimed: Vec<usize> = self.shown.iter().flatten().flatten().copied().collect();
        let mut on_console = vec![true; lines.lines.len()];
        claimed.into_iter().for_each(|n| on_console[n] = false);
        for (n, line) in lines.lines.iter().enumerate() {
            if on_console[n] && self.owners[n] == Owner::Program {
                text.extend_from_slice(&lines.console[line.place.clone()]);
                text.push(b'\n');
            }
        }
        text
    }

    /// What the console lacks of the kernel's messages.
    pub fn lacking(&self, lines: &ConsoleLines<'_>, records: &[LogRecord]) -> Option<ConsoleGaps> {
        let is_missing = |shown: &[Option<usize>]| shown.iter().any(Option::is_none);
        let missing: Vec<bool> =
            records.iter().zip(&self.shown).map(|(r, shown)| r.is_kernels() && is_missing(shown)).collect();
        if !missing.contains(&true) {
            return None;
        }
        let mut lacking = ConsoleGaps::default();
        let near = near(&missing);
        for (n, record) in records.iter().enumerate().filter(|(n, record)| record.is_kernels() && near[*n]) {
            let mut places: Vec<Range<usize>> = Vec::new();
            record.print(&mut lacking.text, |place| places.push(place));
            if !missing[n] {
                continue;
            }
            let lines_missing = places.into_iter().zip(&self.shown[n]).filter(|(_, shown)| shown.is_none());
            lacking.lines.extend(lines_missing.map(|(place, _)| (place.start, place.end)));
            let why = self.why(n, lines, records);
            match lacking.why.iter_mut().find(|(other, _)| *other == why) {
                Some((_, count)) => *count += 1,
                None => lacking.why.push((why, 1)),
            }
        }
        lacking.why.sort();
        Some(lacking)
    }

    /// Why this record is not on the console.
    fn why(&self, n: usize, lines: &ConsoleLines<'_>, records: &[LogRecord]) -> GapReason {
        if self.shown[n].iter().any(Option::is_some) || !lines.at(records[n].micros).is_empty() {
            return GapReason::Damaged;
        }
        let place = |shown: &[Option<usize>]| {
            shown.iter().flatten().next().map(|line| lines.lines[*line].place.start)
        };
        let before = self.shown[..n].iter().rev().find_map(|shown| place(shown)).unwrap_or(0);
        let Some(after) = self.shown[n..].iter().find_map(|shown| place(shown)) else {
            return GapReason::Silent;
        };
        // the notice may stand at the beginning of the next message's own line
        let after = lines.lines.iter().find(|line| line.place.start == after).map_or(after, |line| line.text);
        match lines.drops.iter().any(|drop| (before..after).contains(drop)) {
            true => GapReason::Dropped,
            false => GapReason::Quiet,
        }
    }
}

/// What is so near to something missing that it may be of the same report.
fn near(missing: &[bool]) -> Vec<bool> {
    let mut near = vec![false; missing.len()];
    let mut done = 0;
    for n in (0..missing.len()).filter(|n| missing[*n]) {
        let to = (n + REACH + 1).min(missing.len());
        near[n.saturating_sub(REACH).max(done)..to].fill(true);
        done = to;
    }
    near
}
