//! Reading a console from its first to its last byte, whole or in windows.

use std::collections::HashMap;

use memchr::{memchr_iter, memmem};

use super::console::{Context, Line};
use super::dialect::{Dialect, Rewritten};
use super::engine::Engine;
use super::excerpt::MAX_REACH;
use super::header::Header;
use super::report::Report;
use super::title;

/// So many lines that begin reports are taken note of in a window; a console with more of them is flooded.
const MAX_HEADERS: usize = 65_536;

/// So many reports are read. Where others begin behind them is remembered.
const MAX_REPORTS: usize = 512;

/// A first line that is repeated word for word (numbers aside) is read so often.
const MAX_REPEATS: usize = 16;

/// Whether the kernel's lines have time stamps is decided by so many bytes at the start.
const STAMP_REACH: usize = 256 << 10;

/// What a console says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Crash reports, in the order in which they begin.
    pub reports: Vec<Report>,
    /// Those that were set aside.
    pub allowed: Vec<Report>,
    /// Those that were not read.
    pub passed_over: PassedOver,
}

/// Lines that begin reports and were not looked at any further, because the console has too many of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PassedOver {
    /// How many.
    pub lines: usize,
    /// Where the last of them begins, in bytes from the start of the console; 0 if there are none.
    pub last: usize,
}

/// Says of a report and its first line whether it is known to do no harm.
pub(super) type Allow<'e> = &'e dyn Fn(&Report, &[u8]) -> bool;

/// Behind a line that may as well be a sentence of somebody, a trace must begin within so many bytes.
const TRACE_REACH: usize = 4096;

/// Lines are looked at so far behind the place where they begin.
const LINE_REACH: usize = 8192;

/// What is known about a console so far.
pub(super) struct Reading<'e> {
    engine: &'e Engine,
    allow: Option<Allow<'e>>,
    reports: Vec<Report>,
    /// Reports that do no harm. They hide nothing but what is printed inside of them.
    allowed: Vec<Report>,
    /// Where reports begin that only count when there are no others.
    weak: Vec<usize>,
    seen: HashMap<String, usize>,
    passed_over: PassedOver,
    /// Where the window begins in the console, and the number of the line there.
    base: usize,
    base_line: usize,
    /// Where the window begins, in bytes of the text that was made of the console.
    text_base: usize,
    /// The forms that this console is kept in.
    dialect: Dialect,
    /// Where the last report and the last allowed one begin and end, in bytes of the text.
    last: Option<(usize, usize)>,
    last_allowed: Option<(usize, usize)>,
    stamped: Option<bool>,
    /// Whether the kernel has printed anything, and up to where that was looked for.
    spoke: bool,
    heard: usize,
    suppressed: bool,
    cut: bool,
    last_panic: Option<usize>,
}

impl<'e> Reading<'e> {
    pub(super) fn new(engine: &'e Engine) -> Reading<'e> {
        Reading {
            engine,
            allow: None,
            reports: Vec::new(),
            allowed: Vec::new(),
            weak: Vec::new(),
            seen: HashMap::new(),
            passed_over: PassedOver::default(),
            base: 0,
            base_line: 1,
            text_base: 0,
            dialect: Dialect::default(),
            last: None,
            last_allowed: None,
            stamped: None,
            spoke: false,
            heard: 0,
            suppressed: false,
            cut: false,
            last_panic: None,
        }
    }

    /// Sets reports aside that do no harm.
    pub(super) fn allowing(self, allow: Allow<'e>) -> Reading<'e> {
        Reading { allow: Some(allow), ..self }
    }

    /// Reads the reports that begin in the window and whose lines are all in it; in the last window, all. Returns how
    /// much of the window is not needed any more: the next one must begin there.
    pub(super) fn take(&mut self, window: &[u8], last: bool) -> usize {
        let upto = if last {
            window.len()
        } else {
            line_start(window, window.len().saturating_sub(MAX_REACH + LINE_REACH))
        };
        let (candidates, searched) = self.engine.candidates(window, &mut self.dialect);
        let plain = candidates.is_empty() || self.dialect.is_plain();
        let (view, candidates, searched) = if plain {
            (View::Plain(window), candidates, searched)
        } else {
            // what the console looks like now is another text than what was looked at before
            self.stamped = None;
            (View::Rewritten(Rewritten::of(window, &self.dialect)), Vec::new(), 0)
        };
        let text = view.text();
        let text_upto = view.place_of(upto);
        let headers = self.sweep(&view, text_upto, candidates, searched);
        let (mut line, mut counted) = (self.base_line, 0);
        for (which, header) in headers.iter().enumerate().take_while(|(_, header)| header.start < text_upto) {
            let first_line = &text[header.start..header.end];
            if self.is_echo(first_line, header) {
                continue;
            }
            if self.is_known_well(first_line) {
                self.pass_over(view.start(header.start));
                continue;
            }
            let start = view.start(header.start);
            line += memchr_iter(b'\n', &window[counted..start]).count();
            counted = start;
            let (mut report, weak) = self.engine.read(text, &headers, which, line);
            let place = Some((report.start + self.text_base, report.end + self.text_base));
            report.start = start + self.base;
            report.end = view.end(report.end) + self.base;
            if self.allow.is_some_and(|allow| allow(&report, Line::parse(first_line).text)) {
                self.allowed.push(report);
                self.last_allowed = place;
                continue;
            }
            self.weak.extend(weak.then_some(report.start));
            self.reports.push(report);
            self.last = place;
        }
        self.base_line = line + memchr_iter(b'\n', &window[counted..upto]).count();
        self.base += upto;
        self.text_base += text_upto;
        self.heard = self.heard.saturating_sub(text_upto);
        upto
    }

    /// What was found, with what the whole console says about each report.
    pub(super) fn finish(mut self) -> Findings {
        if self.weak.len() < self.reports.len() {
            self.reports.retain(|report| !self.weak.contains(&report.start));
        }
        for report in self.reports.iter_mut().chain(&mut self.allowed) {
            report.suppressed = self.suppressed;
            report.panicked = self.last_panic.is_some_and(|panic| panic >= report.start);
            if self.cut && !report.corrupted {
                report.corrupted = true;
                report.corrupted_reason = Some("the console was cut off".to_owned());
            }
        }
        Findings { reports: self.reports, allowed: self.allowed, passed_over: self.passed_over }
    }

    /// Remembers that a report begins at this place of the window and is not read.
    fn pass_over(&mut self, start: usize) {
        self.passed_over.lines += 1;
        self.passed_over.last = self.passed_over.last.max(self.base + start);
    }

    /// Whether the header belongs to the report before it. What an allowed report is followed by is its own only as
    /// far as its lines reach.
    fn is_echo(&self, first_line: &[u8], header: &Header) -> bool {
        let placed =
            Header { start: header.start + self.text_base, end: header.end + self.text_base, ..*header };
        let echoes = |(before, place): (&Report, (usize, usize))| {
            self.engine.is_echo(first_line, &before.title, place, &placed)
        };
        let allowed = self.allowed.last().zip(self.last_allowed);
        let inside = allowed.is_some_and(|(before, place)| placed.end <= place.1 && echoes((before, place)));
        inside || self.reports.last().zip(self.last).is_some_and(echoes)
    }

    /// Whether reports were read enough, of this kind or at all.
    fn is_known_well(&mut self, first_line: &[u8]) -> bool {
        if self.reports.len() + self.allowed.len() >= MAX_REPORTS {
            return true;
        }
        let times = self.seen.entry(title::stable(Line::parse(first_line).text)).or_default();
        *times += 1;
        *times > MAX_REPEATS
    }

    /// One pass over the window: where reports may begin, and what else is worth knowing. What begins behind `upto` is
    /// looked at again in the next window.
    /// The lines that may begin reports are `candidates`, and those behind `searched`.
    fn sweep(
        &mut self,
        view: &View<'_>,
        upto: usize,
        candidates: Vec<(usize, usize)>,
        searched: usize,
    ) -> Vec<Header> {
        let window = view.text();
        let finder = &self.engine.finder;
        let mut at = searched;
        let others = std::iter::from_fn(move || {
            let line = finder.next_line(window, at)?;
            at = line.1;
            Some(line)
        });
        let mut headers = Vec::new();
        for (start, end) in candidates.into_iter().chain(others) {
            let line = &window[start..end];
            self.suppressed = self.suppressed || self.engine.suppresses(line);
            self.cut = self.cut || self.engine.cuts(line);
            if self.engine.panics(line) {
                self.last_panic = Some(self.base + view.start(start));
            }
            if headers.len() >= MAX_HEADERS {
                // not looked at any further: it may begin a report
                if start < upto {
                    self.pass_over(view.start(start));
                }
                continue;
            }
            if self.engine.is_replayed(&window[end..]) {
                continue;
            }
            let (stamped, spoke, heard) = (&mut self.stamped, &mut self.spoke, &mut self.heard);
            let family = self.engine.family_of(
                line,
                || *stamped.get_or_insert_with(|| is_stamped(&window[..window.len().min(STAMP_REACH)])),
                || {
                    *spoke = *spoke || is_stamped(&window[start.min(*heard)..start]);
                    *heard = start;
                    *spoke
                },
            );
            let Some(family) = family else { continue };
            let below = &window[end..window.len().min(end + TRACE_REACH)];
            if self.engine.is_mere_words(family, line) && !shows_a_kernel(below) {
                continue;
            }
            let mut header = self.engine.header(family, line, start);
            let before = headers.last().map_or(0, |last: &Header| last.end);
            // a panic of the test's does not belong to what the kernel complained of while it booted
            header.continuation =
                header.continuation && !self.engine.divides(&window[before.min(start)..start]);
            while headers.last().is_some_and(|last| is_mention(window, last, &header)) {
                headers.pop();
            }
            headers.push(header);
        }
        headers
    }
}

/// A window of a console, as it is or put into the form of one.
enum View<'w> {
    Plain(&'w [u8]),
    Rewritten(Rewritten),
}

impl View<'_> {
    fn text(&self) -> &[u8] {
        match self {
            View::Plain(window) => window,
            View::Rewritten(rewritten) => &rewritten.text,
        }
    }

    /// Where in the window the line begins that this place of the text is in; of an unchanged text, the place itself.
    fn start(&self, place: usize) -> usize {
        match self {
            View::Plain(_) => place,
            View::Rewritten(rewritten) => rewritten.start(place),
        }
    }

    /// Where in the window the line ends that ends here in the text.
    fn end(&self, place: usize) -> usize {
        match self {
            View::Plain(_) => place,
            View::Rewritten(rewritten) => rewritten.end(place),
        }
    }

    /// Where this place of the window is in the text.
    fn place_of(&self, raw: usize) -> usize {
        match self {
            View::Plain(_) => raw,
            View::Rewritten(rewritten) => rewritten.place_of(raw),
        }
    }
}

/// Whether a line that is not the kernel's only says what another one, with the kernel's stamp, then reports: the name of
/// an issue, the words of somebody. Nothing that a kernel prints stands between the two.
fn is_mention(text: &[u8], line: &Header, next: &Header) -> bool {
    let is_foreign =
        |header: &Header| Line::parse(&text[header.start..header.end]).context == Context::Foreign;
    if next.start - line.end > TRACE_REACH || !is_foreign(line) || is_foreign(next) {
        return false;
    }
    let between = &text[line.end..next.start];
    !is_stamped(between) && !shows_a_kernel(between)
}

/// Whether a text has something that only kernels print: a function with offset and length, or who was running.
fn shows_a_kernel(text: &[u8]) -> bool {
    let offset = |at: usize| {
        let digits = text[at + 3..].iter().take(8).take_while(|byte| byte.is_ascii_hexdigit()).count();
        digits > 0 && text[at + 3 + digits..].starts_with(b"/0x")
    };
    memmem::find_iter(text, b"+0x").any(offset)
        || memmem::find(text, b" Comm: ").is_some()
        || memmem::find(text, b"Hardware name: ").is_some()
}

/// Where the line begins that this place is in; if it is longer than any line, the place itself.
fn line_start(text: &[u8], at: usize) -> usize {
    memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1).max(at.saturating_sub(LINE_REACH))
}

/// Whether any of these lines has a prefix that only kernel messages have.
pub(super) fn is_stamped(text: &[u8]) -> bool {
    text.split(|byte| *byte == b'\n').any(|line| Line::parse(line).context != Context::Foreign)
}

#[cfg(test)]
mod tests {
    use crate::diagnose;

    /// A stall of a guest whose host is busy, the mark of a test, and the test's own crash: closer to each other than a panic may be
    /// to the report that it ends.
    const STALL: &str = "\
[   24.957355] rcu: INFO: rcu_preempt self-detected stall on CPU
[   24.957725] rcu: \t0-...!: (1 ticks this GP) idle=0064/1/0x4000000000000000 softirq=607/607 fqs=0
[   24.994080] CPU: 0 UID: 0 PID: 1 Comm: init Not tainted 6.12.117+deb13-cloud-amd64 #1  Debian 6.12.117-1
[   24.994912] Call Trace:
[   24.994980]  <TASK>
[   24.995067]  vfs_unlink+0x110/0x2a0
[   24.995083]  do_unlinkat+0x2ae/0x330
[   24.995098]  __x64_sys_unlink+0x3f/0x70
[   24.995770]  </TASK>
[   30.009230] clocksource: Long readout interval
";
    const CRASH: &str = "\
[   46.430134] sysrq: Trigger a crash
[   46.431052] Kernel panic - not syncing: sysrq triggered crash
[   46.433710] CPU: 0 UID: 0 PID: 142 Comm: sh Not tainted 6.12.117+deb13-cloud-amd64 #1  Debian 6.12.117-1
[   46.437710] Call Trace:
[   46.437711]  <TASK>
[   46.439787]  panic+0x118/0x2db
[   46.440791]  sysrq_handle_crash+0x1a/0x20
[   46.441409]  __handle_sysrq.cold+0x9f/0xe6
[   46.451767]  </TASK>
[   46.452894] Kernel Offset: disabled
";

    #[test]
    fn a_panic_behind_a_mark_continues_nothing_above_it() {
        let titles = |console: &str| -> Vec<String> {
            diagnose(console.as_bytes()).into_iter().map(|report| report.title).collect()
        };
        let mark = "[   46.415675] kregress: dose starts d2c07e92b5479293\n";
        let alone = (titles(STALL), titles(CRASH));
        assert_eq!(
            (alone.0.len(), alone.1.as_slice()),
            (1, ["kernel panic: sysrq triggered crash".to_owned()].as_slice())
        );
        assert_eq!(titles(&format!("{STALL}{mark}{CRASH}")), [alone.0.clone(), alone.1].concat());
        // without a mark it may be the stall that made it panic
        assert_eq!(titles(&format!("{STALL}{CRASH}")).len(), 1);
        // what ends a report by its own words is no crash of the test
        let ends = "[   46.5] Kernel panic - not syncing: RCU Stall\n";
        assert_eq!(titles(&format!("{STALL}{mark}{ends}")), alone.0);
    }
}
