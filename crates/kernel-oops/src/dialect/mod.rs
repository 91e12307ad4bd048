//! The forms in which people and programs keep a kernel's log, and the way back to what the kernel printed.
//!
//! Prefixes are learned, not listed: some lines of reports have words that are always the same (`Call Trace:`, `Modules
//! linked in:`), and what stands before these words in a log stands before all of the kernel's lines. The console's own
//! forms (time stamps, callers, syslog in English) are known to `console` and need none of this.

mod decoded;
mod journal;
mod rewrite;
mod shape;
mod wrap;

use std::sync::LazyLock;

use aho_corasick::packed;
use memchr::{memchr, memmem, memrchr};

use super::console::{Context, Line};
use shape::Shape;
use wrap::Wrap;

pub(super) use rewrite::Rewritten;

/// So much of a log is looked at before a line that may begin a report …
const BEFORE: usize = 4 << 10;

/// … and behind it.
const BEHIND: usize = 16 << 10;

/// More shapes of prefixes than this are not learned from one log.
const MOST_SHAPES: usize = 16;

/// Words that a message begins with, so many bytes behind its start (a blank, or dashes). Sources: show_trace_log_lvl(),
/// print_modules(), print_oops_end_marker(), __show_regs(), dump_stack_print_info() and their siblings.
const ANCHORS: [(&str, usize); 15] = [
    ("Call Trace:", 0),
    ("Call trace:", 0),
    ("Backtrace:", 0),
    ("Modules linked in:", 0),
    ("Hardware name: ", 0),
    ("---[ end trace ", 0),
    ("[ cut here ]-", 12),
    ("<TASK>", 1),
    ("<IRQ>", 1),
    ("RIP: 0", 0),
    ("RIP: e", 0),
    ("Code: ", 0),
    // print_unreferenced() of kmemleak
    ("unreferenced object ", 0),
    ("  backtrace", 0),
    (" Comm: ", usize::MAX),
];

static FINDER: LazyLock<packed::Searcher> = LazyLock::new(|| {
    let words = ANCHORS.iter().map(|(word, _)| *word);
    packed::Config::new().builder().extend(words).build().expect("the anchors are constant and few")
});

/// What is peculiar about a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dialect {
    /// What stands before the kernel's lines, the longest first.
    shapes: Vec<Shape>,
    /// The journal as JSON.
    journal: bool,
    /// Traces whose functions were replaced by places in source files.
    decoded: bool,
    /// Several messages in one line.
    joined: bool,
    /// A stamp stands behind other text: a prompt, the progress of a boot.
    embedded: bool,
    /// Escape sequences, line ends in words, blanks that are no blanks.
    dressed: bool,
    /// Lines were broken.
    wrap: Option<Wrap>,
}

impl Dialect {
    /// Whether the log has the forms of a console, and needs no rewriting.
    pub(super) fn is_plain(&self) -> bool {
        *self == Dialect::default()
    }

    /// Learns from the neighbourhood of a line that may begin a report. Tells whether anything new was learned.
    pub(super) fn learn(&mut self, log: &[u8], start: usize, end: usize) -> bool {
        let before = self.clone();
        let from = start.saturating_sub(BEFORE);
        let from =
            if from == 0 { 0 } else { memchr(b'\n', &log[from..start]).map_or(start, |n| from + n + 1) };
        let sample = &log[from..log.len().min(end + BEHIND)];
        self.journal |= journal::is_entry(&log[start..end]);
        self.embedded |= is_embedded(&log[start..end]);
        self.decoded |= decoded::is_decoded(sample);
        self.dressed |= rewrite::is_dressed(sample);
        self.wrap = self.wrap.or_else(|| Wrap::of(sample, start - from));
        let whole = self.wrap.and_then(|wrap| wrap.whole(log, start, end));
        self.joined |= rewrite::is_joined(whole.as_ref().map_or(&log[start..end], |(line, _)| line));
        if !self.journal {
            self.learn_prefixes(sample);
        }
        *self != before
    }

    fn learn_prefixes(&mut self, sample: &[u8]) {
        let undressed;
        let sample = if self.dressed {
            undressed = rewrite::undress(sample);
            &undressed
        } else {
            sample
        };
        let mut plain = 0;
        let mut found: Vec<(Shape, usize, bool)> = Vec::new();
        let mut at = 0;
        while let Some(hit) = sample.get(at..).and_then(|rest| FINDER.find(rest)) {
            let word = at + hit.start();
            at += hit.end();
            let start = memrchr(b'\n', &sample[..word]).map_or(0, |newline| newline + 1);
            let end = memchr(b'\n', &sample[word..]).map_or(sample.len(), |newline| word + newline);
            let line = &sample[start..end];
            let Some(ahead) = ahead_of(line, word - start, ANCHORS[hit.pattern().as_usize()].1) else {
                continue;
            };
            let parsed = Line::parse(line);
            let known = parsed.context != Context::Foreign;
            // up to two blanks are the message's own, or lost
            let blanks = |text: &[u8]| text.len() <= 2 && text.iter().all(|byte| *byte == b' ');
            if blanks(ahead) || known && ahead.len() <= parsed.offset + 2 {
                plain += 1;
                continue;
            }
            let Some(shape) = Shape::of(before_stamp(line, ahead)) else { continue };
            match found.iter_mut().find(|(other, ..)| *other == shape) {
                Some((_, times, _)) => *times += 1,
                None => found.push((shape, 1, known)),
            }
        }
        let all: usize = found.iter().map(|(_, times, _)| times).sum();
        for (shape, times, known) in found {
            // one line proves little where others are plain, and words behind a stamp may be a driver's
            let enough = if known { plain == 0 && (times > 1 || all == 1) } else { times > 1 || plain == 0 };
            if enough && self.shapes.len() < MOST_SHAPES && !self.shapes.contains(&shape) {
                self.shapes.push(shape);
            }
        }
        self.shapes.sort_by_key(|shape| std::cmp::Reverse(shape.parts()));
    }
}

/// What stands before the kernel's own stamp, if it is the last part of what stands before the message: the stamp and
/// the caller in it are the console's.
fn before_stamp<'l>(line: &'l [u8], ahead: &'l [u8]) -> &'l [u8] {
    match rewrite::embedded_stamp(ahead) {
        Some(stamp) if stamp + Line::parse(&line[stamp..]).offset + 2 >= ahead.len() => &ahead[..stamp],
        _ => ahead,
    }
}

/// What stands before the message in a line whose known word is at `word`; `inside` is how far into the message.
fn ahead_of(line: &[u8], word: usize, inside: usize) -> Option<&[u8]> {
    match inside {
        0 => Some(&line[..word]),
        // the line of who was running begins with the CPU
        usize::MAX => memmem::rfind(&line[..word], b"CPU: ").map(|at| &line[..at]).filter(|ahead| {
            // … unless it is the first line of a warning
            !ahead.ends_with(b"WARNING: ")
        }),
        _ => {
            let ahead = &line[..word];
            let dashes = ahead.iter().rev().take_while(|byte| **byte == b'-').count();
            match inside {
                12 => (dashes >= 12).then(|| &ahead[..word - 12]),
                _ => Some(ahead.strip_suffix(b" ").unwrap_or(ahead)),
            }
        }
    }
}

/// Whether a line that does not begin as one of the kernel's has a kernel's time stamp further on.
fn is_embedded(line: &[u8]) -> bool {
    Line::parse(line).context == Context::Foreign && rewrite::embedded_stamp(line).is_some()
}
