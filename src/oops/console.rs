//! The lines of a kernel console: what stands before a message, and who printed it.

use memchr::{memchr, memmem};

/// Who printed a line, as far as the line tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Context<'a> {
    /// The line does not look like one of the kernel's.
    Foreign,
    /// The kernel, with a time stamp but no caller.
    Console,
    /// A kernel with `CONFIG_PRINTK_CALLER`: `T` and the thread id, or `C` and the CPU in interrupt context.
    Caller(&'a [u8]),
}

impl Context<'_> {
    /// Whether the caller field names a task.
    pub(super) fn is_caller(self) -> bool {
        matches!(self, Context::Caller(_))
    }

    /// Whether the caller field names a CPU.
    pub(super) fn is_cpu(self) -> bool {
        matches!(self, Context::Caller(name) if name.first() == Some(&b'C'))
    }
}

/// A line split into its prefix and its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    /// Who printed it.
    pub(super) context: Context<'a>,
    /// The message without prefix and carriage returns.
    pub(super) text: &'a [u8],
    /// Where the message begins in the line.
    pub(super) offset: usize,
}

impl<'a> Line<'a> {
    /// Splits one line (without its line feed).
    pub(super) fn parse(raw: &'a [u8]) -> Line<'a> {
        let (trimmed, skipped) = trim_returns(raw);
        match prefix(trimmed) {
            Some((context, len)) => Line { context, text: &trimmed[len..], offset: skipped + len },
            None => Line { context: Context::Foreign, text: trimmed, offset: skipped },
        }
    }
}

/// Removes carriage returns and NUL bytes at the ends, and tells how many stood in front: serial consoles send either.
fn trim_returns(mut raw: &[u8]) -> (&[u8], usize) {
    let full = raw.len();
    while let [b'\r' | 0, rest @ ..] = raw {
        raw = rest;
    }
    let skipped = full - raw.len();
    while let [rest @ .., b'\r'] = raw {
        raw = rest;
    }
    (raw, skipped)
}

/// The context and the length of the prefix, if the line has a prefix that only kernel messages have.
fn prefix(raw: &[u8]) -> Option<(Context<'_>, usize)> {
    let quoted = skip_quote_marks(raw);
    let start = quoted + skip_dropped_notice(&raw[quoted..]);
    if let Some(found) = stamped(raw, start) {
        return Some(found);
    }
    // `host login: [   12.345678] …`: a getty wrote its prompt first
    if let Some(at) = memmem::find(&raw[..raw.len().min(400)], b" login: ")
        && let Some(found) = stamped(raw, at + 8)
    {
        return Some(found);
    }
    let after = syslog_header(raw)?;
    Some(stamped(raw, after).unwrap_or((Context::Console, after)))
}

/// `> ` of a quoted mail, only before something in brackets.
fn skip_quote_marks(raw: &[u8]) -> usize {
    let at = raw.iter().position(|byte| !matches!(byte, b'>' | b' ')).unwrap_or(0);
    if at > 0 && raw[0] == b'>' && raw[at] == b'[' { at } else { 0 }
}

/// `** 12 printk messages dropped ** `, printed by console_prepend_dropped().
fn skip_dropped_notice(raw: &[u8]) -> usize {
    let notice = b" printk messages dropped ** ";
    if !raw.starts_with(b"** ") {
        return 0;
    }
    let digits = raw[3..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 && raw[3 + digits..].starts_with(notice) { 3 + digits + notice.len() } else { 0 }
}

/// `<6>[   12.345678][ T1234] `: level, time stamp and caller, each but the time stamp optional.
fn stamped(raw: &[u8], start: usize) -> Option<(Context<'_>, usize)> {
    let mut at = start;
    if raw.get(at) == Some(&b'<') {
        let digits = count(raw, at + 1, |byte| byte.is_ascii_digit());
        if digits == 0 || raw.get(at + 1 + digits) != Some(&b'>') {
            return None;
        }
        at += digits + 2;
    }
    if raw.get(at) != Some(&b'[') {
        return None;
    }
    at += 1;
    at += count(raw, at, |byte| byte == b' ');
    let whole = count(raw, at, |byte| byte.is_ascii_digit());
    if whole == 0 {
        let after = human_date(raw, at)?;
        return Some((Context::Console, after));
    }
    at += whole;
    if raw.get(at) != Some(&b'.') {
        return None;
    }
    let fraction = count(raw, at + 1, |byte| byte.is_ascii_digit());
    at += 1 + fraction;
    if fraction == 0 || raw.get(at) != Some(&b']') {
        return None;
    }
    at += 1;
    // `dmesg` puts a space between the time stamp and the caller, the console does not
    for gap in [0, 1] {
        if gap == 1 && raw.get(at) != Some(&b' ') {
            break;
        }
        if let Some((name, after)) = caller(raw, at + gap) {
            return Some((Context::Caller(name), after));
        }
    }
    match raw.get(at) {
        Some(b' ') => Some((Context::Console, at + 1)),
        None => Some((Context::Console, at)),
        Some(_) => None,
    }
}

/// `[ T1234] ` or `[    C0] `, printed by print_caller().
fn caller(raw: &[u8], start: usize) -> Option<(&[u8], usize)> {
    if raw.get(start) != Some(&b'[') {
        return None;
    }
    let name = start + 1 + count(raw, start + 1, |byte| byte == b' ');
    if !matches!(raw.get(name), Some(b'T' | b'C')) {
        return None;
    }
    let digits = count(raw, name + 1, |byte| byte.is_ascii_digit());
    let end = name + 1 + digits;
    if digits == 0 || raw.get(end) != Some(&b']') {
        return None;
    }
    match raw.get(end + 1) {
        Some(b' ') => Some((&raw[name..end], end + 2)),
        None => Some((&raw[name..end], end + 1)),
        Some(_) => None,
    }
}

/// `[Tue Jan  2 12:00:00 2024] `, as `dmesg -T` writes it; `at` is behind the bracket.
fn human_date(raw: &[u8], at: usize) -> Option<usize> {
    let close = memchr(b']', &raw[at..raw.len().min(at + 40)])? + at;
    let date = &raw[at..close];
    let looks_right = date.len() == 24 && is_month(&date[4..7]) && date[13] == b':' && date[16] == b':';
    (looks_right && raw.get(close + 1) == Some(&b' ')).then_some(close + 2)
}

/// `Nov 21 09:30:35 host kernel: ` or `2026-11-21T09:30:35+00:00 host kernel: `.
fn syslog_header(raw: &[u8]) -> Option<usize> {
    let dated = raw.len() > 16
        && (is_month(&raw[..3]) && raw[3] == b' ' && raw[9] == b':'
            || raw[..4].iter().all(u8::is_ascii_digit) && raw[4] == b'-' && raw[7] == b'-');
    if !dated {
        return None;
    }
    let tag = b" kernel: ";
    memmem::find(&raw[..raw.len().min(160)], tag).map(|at| at + tag.len())
}

fn is_month(word: &[u8]) -> bool {
    const MONTHS: [&[u8]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    MONTHS.contains(&word)
}

fn count(raw: &[u8], start: usize, wanted: impl Fn(u8) -> bool) -> usize {
    raw.get(start..).map_or(0, |rest| rest.iter().take_while(|byte| wanted(**byte)).count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_told_from_messages() {
        let task = Context::Caller(b"T1234");
        let cpu = Context::Caller(b"C0");
        let table: &[(&str, Context, &str)] = &[
            ("[   12.345678] hello", Context::Console, "hello"),
            ("<6>[   12.345678] hello\r", Context::Console, "hello"),
            ("[   12.345678][ T1234] hello", task, "hello"),
            ("[   12.345678] [ T1234] hello", task, "hello"),
            ("[   12.345678][    C0]  dump_stack+0x1/0x2", cpu, " dump_stack+0x1/0x2"),
            ("> [30104.969837] [ T1234] Oops", task, "Oops"),
            ("** 12 printk messages dropped ** [   12.345678] hello", Context::Console, "hello"),
            ("debian login: [   12.345678] hello", Context::Console, "hello"),
            ("Nov 21 09:30:35 host kernel: [   12.345678] hello", Context::Console, "hello"),
            ("Nov 21 09:30:35 host kernel: hello", Context::Console, "hello"),
            ("2026-11-21T09:30:35+00:00 host kernel: hello", Context::Console, "hello"),
            ("[Tue Jan  2 12:00:00 2024] hello", Context::Console, "hello"),
            ("[   12.345678]", Context::Console, ""),
            ("[  OK  ] Started thing.", Context::Foreign, "[  OK  ] Started thing."),
            ("[12.3]x", Context::Foreign, "[12.3]x"),
            ("hello [   12.345678] world", Context::Foreign, "hello [   12.345678] world"),
            ("", Context::Foreign, ""),
            (">", Context::Foreign, ">"),
        ];
        for (raw, context, text) in table {
            let line = Line::parse(raw.as_bytes());
            assert_eq!((line.context, line.text), (*context, text.as_bytes()), "{raw:?}");
            assert!(raw.as_bytes()[line.offset..].starts_with(line.text), "{raw:?}");
        }
    }
}
