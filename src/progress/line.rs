//! The text of the lines that people read, in cargo-nextest's columns: the status word ends in the twelfth column,
//! then the time in brackets, then the kernel and the test.

use std::fmt::Write as _;

use super::paint::{Paint, Tone};
use crate::event::{AttemptRecord, CellId, CellRecord, Event};
use crate::expectation::{Agreement, Expectation};
use crate::observation::Phase;
use crate::plural::counted;
use crate::verdict::Verdict;

/// Columns of the status word.
const STATUS: usize = 12;
/// The longest title or reason of a line, characters. Evidence in full is in the reports.
const TEXT_LIMIT: usize = 240;

/// The word for a result and its tone: that of the verdict, or `KNOWN` and `FIXED` where the suite lists the kernel
/// as one that has the bug.
pub fn status_word(verdict: Verdict, known: Option<&str>) -> (&'static str, Tone) {
    match (verdict, known) {
        (Verdict::Bad, Some("known")) => ("KNOWN", Tone::Warn),
        (Verdict::Good, Some("fixed")) => ("FIXED", Tone::Good),
        (Verdict::Good, _) => (verdict.status(), Tone::Good),
        (Verdict::Bad | Verdict::Other, _) => (verdict.status(), Tone::Bad),
        (Verdict::Blind | Verdict::Lost, _) => (verdict.status(), Tone::Warn),
        (Verdict::Skip, _) => (verdict.status(), Tone::Skip),
    }
}

/// `text` as one line that is safe on a terminal: what a guest prints must not move the cursor, change the title or
/// forge lines.
pub fn printable(text: &str) -> String {
    terminal_text::line(text)
}

/// A time in the form `1:02:03` or `02:03`.
pub fn clock(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes:02}:{seconds:02}")
    }
}

/// Makes lines; it knows the width of the kernel column.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    paint: Paint,
    kernel_width: usize,
}

impl Line {
    /// Lines coloured as `paint` says.
    pub fn new(paint: Paint) -> Line {
        Line { paint, kernel_width: 0 }
    }

    /// Makes room for the name of a kernel. Names of unusual length get no column of their own.
    pub fn make_room(&mut self, kernel: &str) {
        self.kernel_width = self.kernel_width.max(console::measure_text_width(&printable(kernel)).min(30));
    }

    /// A finished cell.
    pub fn cell(&self, record: &CellRecord) -> String {
        let (word, tone) = status_word(record.verdict, record.known.as_deref());
        let mut line = self.result(word, tone, record.seconds, &record.id());
        self.push_text(&mut line, record.title.as_deref().or(record.reason.as_deref()));
        let mut notes = Vec::new();
        if record.attempts > 1 {
            notes.push(format!("{} attempts", record.attempts));
        }
        if let Some(chance) = record.miss_chance {
            notes.push(format!("chance of a miss {}", percent(chance)));
        }
        if !notes.is_empty() {
            let notes = format!("({})", notes.join(", "));
            let _ = write!(line, "  {}", self.paint.apply(Tone::Dim, &notes));
        }
        if let Some(expectation) = &record.expectation {
            self.push_expectation(&mut line, record.verdict, expectation);
        }
        line
    }

    /// Whether a verdict is as expected.
    fn push_expectation(&self, line: &mut String, verdict: Verdict, expectation: &Expectation) {
        let Some(text) = expectation.beside(verdict) else { return };
        let tone = match expectation.expected.agreement(verdict) {
            Some(Agreement::Unexpected) if verdict == Verdict::Bad => Tone::Bad,
            Some(Agreement::Unexpected) => Tone::Warn,
            _ => Tone::Dim,
        };
        let _ = write!(line, "  {}", self.paint.apply(tone, &printable(&text)));
    }

    /// An attempt that is followed by another one of the same cell.
    pub fn attempt(&self, cell: &CellId, record: &AttemptRecord) -> String {
        let (word, _) = status_word(record.verdict, None);
        let status = format!("TRY {} {word}", record.attempt);
        let mut line = self.result(&status, Tone::Warn, record.seconds, cell);
        self.push_text(&mut line, record.title.as_deref().or(record.reason.as_deref()));
        line
    }

    /// A program that runs longer than its test's `slow` time.
    pub fn slow(&self, cell: &CellId, seconds: f64) -> String {
        format!("{} [>{seconds:>8.3}s] {}", self.status("SLOW", Tone::Warn), self.name(cell))
    }

    /// An attempt that is running, without its time, which changes by itself: what comes before and behind it.
    pub fn running(&self, cell: &CellId, attempt: u32, of: u32, phase: Phase) -> (String, String) {
        let attempts =
            if of > 1 || attempt > 1 { format!("  {attempt}/{}", of.max(attempt)) } else { String::new() };
        let after = format!("{}  {}{attempts}", self.name(cell), self.paint.apply(Tone::Dim, phase.word()));
        (self.status("RUNNING", Tone::Good), after)
    }

    /// The line that an event is worth by itself; most are worth none, or are shown in another way.
    pub fn event(&self, event: &Event) -> Option<String> {
        let status = |word| self.status(word, Tone::Good);
        match event {
            Event::RunStarted { run, cells, .. } => {
                let cells = counted(*cells, "cell");
                Some(format!("{} {cells} (run {})", status("Starting"), printable(run)))
            }
            Event::Host { qemu, accel, accel_reason, cpus, memory_mib, user } => {
                let reason = if accel_reason.is_empty() {
                    String::new()
                } else {
                    format!(" ({})", printable(accel_reason))
                };
                let gib = *memory_mib as f64 / 1024.0;
                let (qemu, accel) = (printable(qemu), printable(accel));
                let cpus = if *cpus == 1 { "1 cpu".into() } else { format!("{cpus} cpus") };
                let user = user.as_ref().map_or_else(String::new, |user| format!(", {}", printable(user)));
                Some(format!(
                    "{} QEMU {qemu} with {accel}{reason}{user}, {cpus}, {gib:.1} GiB free",
                    status("Host")
                ))
            }
            Event::Slow { cell, attempt: _, seconds } => Some(self.slow(cell, *seconds)),
            Event::Cell(record) => Some(self.cell(record)),
            Event::Notice { text } => {
                Some(format!("{} {}", self.status("Notice", Tone::Warn), printable(text)))
            }
            _ => None,
        }
    }

    fn result(&self, word: &str, tone: Tone, seconds: f64, cell: &CellId) -> String {
        format!("{} [{seconds:>8.3}s] {}", self.status(word, tone), self.name(cell))
    }

    /// The status word, right-aligned.
    pub fn status(&self, word: &str, tone: Tone) -> String {
        format!("{}{}", " ".repeat(STATUS.saturating_sub(word.len())), self.paint.apply(tone, word))
    }

    fn name(&self, cell: &CellId) -> String {
        let kernel = printable(&cell.kernel);
        let room = self.kernel_width.saturating_sub(console::measure_text_width(&kernel));
        let test = printable(&cell.test);
        format!("{kernel}{} {}", " ".repeat(room), self.paint.apply(Tone::Name, &test))
    }

    fn push_text(&self, line: &mut String, text: Option<&str>) {
        let Some(text) = text.map(printable).filter(|text| !text.is_empty()) else { return };
        line.push_str("  ");
        if text.chars().count() > TEXT_LIMIT {
            line.extend(text.chars().take(TEXT_LIMIT - 1));
            line.push('…');
        } else {
            line.push_str(&text);
        }
    }
}

/// A chance for people: `0.8%`, `<0.1%`.
pub(crate) fn percent(chance: f64) -> String {
    let percent = chance * 100.0;
    if percent > 0.0 && percent < 0.1 {
        "<0.1%".into()
    } else if percent >= 10.0 {
        format!("{percent:.0}%")
    } else {
        format!("{percent:.1}%")
    }
}

/// A probability for people: never `100%`, as no search is certain.
pub(crate) fn likely(probability: f64) -> String {
    match probability {
        p if p > 0.999 => ">99.9%".to_owned(),
        p if p >= 0.99 => format!("{:.1}%", (p * 1000.0).floor() / 10.0),
        p => percent(p),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn lines() -> Line {
        let mut line = Line::new(Paint::OFF);
        ["6.12.57", "6.17.13", "7.2.13"].iter().for_each(|kernel| line.make_room(kernel));
        line
    }

    #[test]
    fn every_event_that_people_see() {
        let line = lines();
        let text: Vec<String> = sample::events().iter().filter_map(|event| line.event(event)).collect();
        insta::assert_snapshot!(text.join("\n"), @r#"
        Starting 9 cells (run 2026-11-21T09-12-33-a1b2)
            Host QEMU 10.0.2 with tcg (/dev/kvm opens, but a guest did not boot with it), 2 cpus, 7.4 GiB free
            PASS [  36.900s] 6.12.57 block::elevator-switch-race  (3 attempts, chance of a miss 0.8%)
           KNOWN [   3.212s] 6.17.13 block::elevator-switch-race  BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
           FIXED [  31.000s] 7.2.13  block::elevator-switch-race  (3 attempts, chance of a miss 0.8%)
            FAIL [   3.212s] 6.12.57 cifs::fsconfig-source-leak  leak of 20000 objects in kmalloc-192
            SKIP [   0.000s] 6.17.13 cifs::fsconfig-source-leak  module cifs is not in this kernel's package
           BLIND [   3.212s] 7.2.13  cifs::fsconfig-source-leak  the slab probe could not be read: no /proc/slabinfo
            LOST [ 120.500s] 6.12.57 ext4::mmap-writeback-failure  the agent did not speak within 60 s  (2 attempts)
           OTHER [   3.212s] 6.17.13 ext4::mmap-writeback-failure  WARNING in ext4_iomap_begin
          Notice 7.2.13 has no debug information
        "#);
    }

    #[test]
    fn a_slow_program_a_retry_and_a_running_attempt() {
        let line = lines();
        let cell = CellId { test: "a::b".into(), kernel: "7.2.13".into() };
        let events = sample::events();
        let lost = events.iter().find_map(|event| match event {
            Event::Attempt { record, .. } if record.verdict == Verdict::Lost => Some(record),
            _ => None,
        });
        let (before, after) = line.running(&cell, 2, 3, Phase::Dose);
        let (_, single) = line.running(&cell, 1, 1, Phase::Boot);
        let (_, retry) = line.running(&cell, 2, 1, Phase::Boot);
        let text = [
            line.slow(&cell, 20.0),
            line.attempt(&cell, lost.unwrap()),
            format!("{before} [   3.212s] {after}"),
            single,
            retry,
        ];
        insta::assert_snapshot!(text.join("\n"), @r#"
                SLOW [>  20.000s] 7.2.13  a::b
          TRY 1 LOST [  60.250s] 7.2.13  a::b  the agent did not speak within 60 s
             RUNNING [   3.212s] 7.2.13  a::b  dose  2/3
        7.2.13  a::b  boot
        7.2.13  a::b  boot  2/2
        "#);
    }

    #[test]
    fn what_a_guest_prints_cannot_drive_the_terminal() {
        let cases = [
            ("a\nb\tc", "a b c"),
            ("\u{1b}[2J\u{7}x", "\u{fffd}[2J\u{fffd}x"),
            ("a\u{202e}b\u{9b}1m", "a\u{fffd}b\u{fffd}1m"),
            ("  ünïcode 漢字 ", "ünïcode 漢字"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
        let record = CellRecord {
            title: Some("BUG\u{1b}]0;x\u{7}\nPASS [ 1s] forged".into()),
            ..sample::record("a::b\u{1b}[1m", "6\n1", Verdict::Bad)
        };
        let text = lines().cell(&record);
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }

    #[test]
    fn long_titles_are_cut() {
        let record =
            CellRecord { title: Some("é".repeat(5000)), ..sample::record("a::b", "6.1", Verdict::Bad) };
        let text = lines().cell(&record);
        assert!(text.chars().count() < 320 && text.ends_with('…'));
    }

    #[test]
    fn times_and_chances() {
        assert_eq!([0.0, 59.9, 61.0, 3723.0].map(clock), ["00:00", "00:59", "01:01", "1:02:03"]);
        assert_eq!([0.0, 0.00001, 0.008, 0.125, 1.0].map(percent), ["0.0%", "<0.1%", "0.8%", "12%", "100%"]);
        assert_eq!(
            [0.004, 0.5, 0.994, 0.9999, 1.0].map(likely),
            ["0.4%", "50%", "99.4%", ">99.9%", ">99.9%"]
        );
    }
}
