//! Watching a console while it is printed.

use super::engine::Engine;
use super::kind::ReportKind;
use super::title;

/// A line that is still growing is kept up to this length.
const MAX_LINE: usize = 8192;

/// The first line of a report, seen the moment it was complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What the line is about. Without the lines below it the class can be too coarse (`KASAN-UNKNOWN`).
    pub kind: ReportKind,
    /// The line without its prefix.
    pub line: String,
    /// Whether the kernel goes on afterwards: it does after a WARNING, a hung task or a complaint of lockdep, not after
    /// an oops or a panic.
    pub goes_on: bool,
    /// Where the line begins, in bytes from the start of the console.
    pub offset: u64,
}

/// Takes a console in pieces and tells when a report begins. It reads each byte once and keeps one line.
#[derive(Debug)]
pub struct Scanner {
    engine: &'static Engine,
    rest: Vec<u8>,
    rest_offset: u64,
    kernel_spoke: bool,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner::new()
    }
}

impl Scanner {
    /// A scanner at the start of a console, with the embedded rules.
    pub fn new() -> Scanner {
        Scanner { engine: Engine::embedded(), rest: Vec::new(), rest_offset: 0, kernel_spoke: false }
    }

    /// Takes the next piece. Tells the most serious report whose first line was completed by it: one that the kernel
    /// does not survive before one that it does, else the first.
    pub fn feed(&mut self, chunk: &[u8]) -> Option<Sighting> {
        let mut best: Option<Sighting> = None;
        let Some(last_newline) = memchr::memrchr(b'\n', chunk) else {
            self.keep(chunk);
            return None;
        };
        let offset = self.rest_offset + self.rest.len() as u64;
        let mut body = 0;
        if !self.rest.is_empty() {
            // the line that began in an earlier piece
            let end = memchr::memchr(b'\n', chunk).unwrap_or(last_newline);
            let mut line = std::mem::take(&mut self.rest);
            line.extend_from_slice(&chunk[..end]);
            let start = self.rest_offset;
            self.scan(&line, start, &mut best);
            body = end + 1;
        }
        if body <= last_newline {
            self.scan(&chunk[body..last_newline], offset + body as u64, &mut best);
        }
        self.rest_offset = offset + last_newline as u64 + 1;
        self.rest.clear();
        self.keep(&chunk[last_newline + 1..]);
        best
    }

    /// The console ended: looks at a last line that has no end.
    pub fn finish(&mut self) -> Option<Sighting> {
        let line = std::mem::take(&mut self.rest);
        let mut best = None;
        let start = self.rest_offset;
        self.scan(&line, start, &mut best);
        best
    }

    fn keep(&mut self, part: &[u8]) {
        if self.rest.len() + part.len() > MAX_LINE {
            // of a line without an end only the last part can still begin a report
            let all = [std::mem::take(&mut self.rest).as_slice(), part].concat();
            let cut = all.len() - MAX_LINE / 2;
            self.rest_offset += cut as u64;
            self.rest = all[cut..].to_vec();
        } else {
            self.rest.extend_from_slice(part);
        }
    }

    fn scan(&mut self, text: &[u8], offset: u64, best: &mut Option<Sighting>) {
        if !self.kernel_spoke {
            self.kernel_spoke = super::reading::is_stamped(text);
        }
        let mut at = 0;
        while let Some((start, end)) = self.engine.finder.next_line(text, at) {
            at = end;
            let line = &text[start..end];
            let spoke = self.kernel_spoke;
            let Some(family) = self.engine.family_of(line, || spoke, || spoke) else { continue };
            let sighting = self.engine.sighting(family, line, offset + start as u64);
            if best.as_ref().is_none_or(|before| before.goes_on && !sighting.goes_on) {
                *best = Some(sighting);
            }
        }
    }
}

impl Engine {
    fn sighting(&self, family: usize, line: &[u8], offset: u64) -> Sighting {
        let text = super::console::Line::parse(line).text;
        let family = &self.families[family];
        let rule = family.rules.iter().find(|rule| rule.pattern.is_match(text));
        let kind = rule.map_or(ReportKind::Unknown, |rule| {
            let found = rule.pattern.captures(text);
            let captures: Vec<&[u8]> = found
                .iter()
                .flat_map(|found| found.iter().skip(1))
                .map(|group| group.map_or(&b""[..], |group| group.as_bytes()))
                .collect();
            let titled = title::fill(&rule.title, &captures, &[b"?", b"?"]);
            rule.kind.unwrap_or_else(|| self.kind_of(&String::from_utf8_lossy(&titled)))
        });
        let fatal = rule.map_or(family.fatal, |rule| rule.fatal);
        Sighting { kind, line: String::from_utf8_lossy(text).into_owned(), goes_on: !fatal, offset }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "[    1.000000] Linux version 6.12\r\n\
        [    2.000000] WARNING: CPU: 0 PID: 5 at mm/page-writeback.c:2960 folio_mark_dirty+0x1/0x2\r\n\
        [    3.000000] BUG: kernel NULL pointer dereference, address: 0000000000000008\r\n\
        [    4.000000] INFO: task a:1 blocked for more than 120 seconds.\r\n";

    #[test]
    fn the_first_lines_of_reports_are_seen_however_the_console_is_cut() {
        for size in [1, 7, 64, 100, 4096] {
            let mut scanner = Scanner::new();
            let mut seen = Vec::new();
            for chunk in CONSOLE.as_bytes().chunks(size) {
                seen.extend(scanner.feed(chunk));
            }
            if size < 60 {
                let at = |part| CONSOLE[..CONSOLE.find(part).unwrap()].rfind('\n').unwrap() as u64 + 1;
                let kinds: Vec<_> = seen.iter().map(|s| (s.kind.word(), s.goes_on, s.offset)).collect();
                let wanted = [
                    ("WARNING", true, at("WARNING")),
                    ("NULL-POINTER-DEREFERENCE", false, at("BUG")),
                    ("HANG", true, at("INFO")),
                ];
                assert_eq!(kinds, wanted);
            }
            if size == 4096 {
                // one answer a piece: the one that the kernel does not survive
                assert_eq!(seen.len(), 1);
                assert_eq!(seen[0].kind, ReportKind::NullDeref);
            }
        }
    }

    #[test]
    fn a_line_without_an_end_is_bounded_and_still_seen() {
        let mut scanner = Scanner::new();
        for _ in 0..1000 {
            assert_eq!(scanner.feed(&[b'x'; 100]), None);
        }
        assert!(scanner.rest.len() <= MAX_LINE);
        assert_eq!(scanner.feed(b"\nKernel panic - not syncing: VFS"), None);
        let sighting = scanner.finish().unwrap();
        assert_eq!((sighting.kind, sighting.offset), (ReportKind::DoS, 100_001));
    }
}
