//! Single lines of a console, for whoever looks for more than crash reports.

use std::ops::Range;

use memchr::memchr_iter;

use super::console::Line;
use super::kind::ReportKind;
use super::report::Report;
use super::title;

/// Longer lines are looked at so far only.
const MAX_LINE: usize = 4096;

/// Every line of a console with what stands before its message (time stamp, caller, syslog header) removed, and the
/// place of the whole line in bytes.
pub fn messages(console: &[u8]) -> impl Iterator<Item = (Range<usize>, &[u8])> {
    let ends = memchr_iter(b'\n', console).chain(std::iter::once(console.len()));
    ends.scan(0, |next, end| {
        let start = std::mem::replace(next, end + 1);
        let line = &console[start..end];
        Some((start..end, Line::parse(&line[..line.len().min(MAX_LINE)]).text))
    })
}

/// A line that counts as a defect though it begins no report, in the form of one: its text is the title, as far as it
/// does not change from run to run. The class is `UNKNOWN`, so that it is never taken for a crash.
pub fn line_as_report(console: &[u8], line: Range<usize>) -> Report {
    let end = line.end.min(console.len());
    let start = line.start.min(end);
    let text = Line::parse(&console[start..end.min(start + MAX_LINE)]).text;
    Report {
        title: title::stable(text),
        alt_titles: Vec::new(),
        kind: ReportKind::Unknown,
        corrupted: false,
        corrupted_reason: None,
        frame: None,
        frames: Vec::new(),
        suppressed: false,
        panicked: false,
        start,
        end,
        start_line: memchr_iter(b'\n', &console[..start]).count() + 1,
        task: None,
        pid: None,
        cpu: None,
    }
}

/// The version a kernel gives itself in the first line that it prints (`linux_banner`), as far as the console has it.
pub fn release(console: &[u8]) -> Option<&str> {
    let banner = b"Linux version ";
    let at = memchr::memmem::find(console, banner)? + banner.len();
    let word = console[at..].split(|byte| byte.is_ascii_whitespace()).next()?;
    std::str::from_utf8(word).ok().filter(|word| !word.is_empty() && word.len() < 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &[u8] = b"[    0.000000] Linux version 6.12.57+deb13-amd64 (x@y) #1\n\
        [    3.000000][   T12] EXT4-fs error (device vda): oh no 12345678\r\nlast";

    #[test]
    fn lines_are_taken_without_their_prefixes() {
        let lines: Vec<_> = messages(CONSOLE).map(|(at, text)| (at, String::from_utf8_lossy(text))).collect();
        insta::assert_debug_snapshot!(lines, @r#"
        [
            (
                0..57,
                "Linux version 6.12.57+deb13-amd64 (x@y) #1",
            ),
            (
                58..124,
                "EXT4-fs error (device vda): oh no 12345678",
            ),
            (
                125..129,
                "last",
            ),
        ]
        "#);
        let report = line_as_report(CONSOLE, lines[1].0.clone());
        assert_eq!(report.title, "EXT4-fs error (device vda): oh no ADDR");
        assert_eq!((report.start_line, report.kind), (2, ReportKind::Unknown));
        assert_eq!(messages(b"").count(), 1);
    }

    #[test]
    fn a_kernel_names_itself() {
        assert_eq!(release(CONSOLE), Some("6.12.57+deb13-amd64"));
        assert_eq!(release(b"Linux version "), None);
        assert_eq!(release(b"[ 1.0] hello"), None);
    }
}
