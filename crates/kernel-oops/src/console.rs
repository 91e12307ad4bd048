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
        let trimmed = trim_colours(trimmed);
        let ahead = skip_colours(trimmed, 0);
        match prefix(&trimmed[ahead..]) {
            Some((context, len)) => {
                let len = skip_colours(trimmed, ahead + len);
                Line { context, text: &trimmed[len..], offset: skipped + len }
            }
            None => Line { context: Context::Foreign, text: trimmed, offset: skipped },
        }
    }
}

/// The syslog facility of a line that says it (`<12>[   12.345678] `, `12,1000,12345678,-;`, `user  :warn  : [ … ] `): 0 is
/// the kernel's, which no program can write into the kernel's log (devkmsg_write()).
pub(super) fn facility(raw: &[u8]) -> Option<u32> {
    let raw = trim_returns(raw).0;
    let marked = raw.first() == Some(&b'<');
    let digits = count(raw, usize::from(marked), |byte| byte.is_ascii_digit());
    let end = usize::from(marked) + digits;
    let is_level = match raw.get(end) {
        Some(b'>') => marked && raw.get(end + 1) == Some(&b'['),
        Some(b',') => !marked && raw_header(raw).is_some(),
        _ => false,
    };
    if is_level && (1..=4).contains(&digits) {
        let level = std::str::from_utf8(&raw[end - digits..end]).ok()?.parse::<u32>().ok()?;
        return Some(level / 8);
    }
    // `dmesg -x` pads both words to six letters
    let (name, level) = (raw.get(..6)?, raw.get(7..13)?);
    let is_word = |word: &[u8]| word.trim_ascii_end().iter().all(u8::is_ascii_lowercase) && word[0] != b' ';
    let spelt = raw[6] == b':' && raw.get(13..15) == Some(b": ") && is_word(name) && is_word(level);
    spelt.then(|| u32::from(name != b"kern  "))
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

/// How far escape sequences reach that only choose a colour (`ESC [ 0;31 m`), from this place on.
fn skip_colours(raw: &[u8], start: usize) -> usize {
    let mut at = start;
    while raw.get(at) == Some(&0x1b) && raw.get(at + 1) == Some(&b'[') {
        let end = at + 2 + count(raw, at + 2, |byte| byte.is_ascii_digit() || byte == b';');
        if raw.get(end) != Some(&b'm') {
            break;
        }
        at = end + 1;
    }
    at
}

/// Without the escape sequences at the end that only choose a colour.
fn trim_colours(raw: &[u8]) -> &[u8] {
    let mut text = raw;
    while let Some(at) = text[text.len().saturating_sub(16)..].iter().rposition(|byte| *byte == 0x1b) {
        let at = text.len().saturating_sub(16) + at;
        if skip_colours(text, at) != text.len() {
            break;
        }
        text = &text[..at];
    }
    text
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
    if let Some(after) = syslog_header(raw).or_else(|| raw_header(raw)) {
        return Some(stamped(raw, after).unwrap_or((Context::Console, after)));
    }
    host_header(raw).and_then(|after| stamped(raw, after)).or_else(|| cut_stamp(raw))
}

/// What a program that keeps a console puts in front of its lines: blanks, the time on the host (`[2026-11-21 15:37:34] `,
/// `15:37:34.123456  `), or facility and level as `dmesg -x` writes them. It counts before a kernel's own time stamp only.
fn host_header(raw: &[u8]) -> Option<usize> {
    const REACH: usize = 48;
    let blanks = count(raw, 0, |byte| matches!(byte, b' ' | b'\t'));
    let word = &raw[blanks..];
    let bracket = usize::from(word.first() == Some(&b'['));
    let is_time = |at: usize| {
        let like = |at: usize, form: &[u8]| {
            let text = word.get(at..at + form.len());
            text.is_some_and(|text| {
                text.iter().zip(form).all(|(byte, wanted)| match wanted {
                    b'0' => byte.is_ascii_digit(),
                    _ => byte == wanted,
                })
            })
        };
        like(at, b"0000-00-00") || like(at, b"00:00:00")
    };
    let starts_so = word.starts_with(b"kern ") || is_time(bracket);
    if !starts_so {
        return (blanks > 0).then_some(blanks);
    }
    // `<6>` may stand between the two
    let reach = word.len().min(REACH);
    let ends = |at: usize| word[..at].last().is_some_and(|byte| matches!(byte, b' ' | b':' | b'\t'));
    (1..reach).find(|at| matches!(word[*at], b'[' | b'<') && ends(*at)).map(|at| blanks + at)
}

/// `3,1000,12345678,-;` as /dev/kmsg gives it, and `2026-11-21T15:37:34,123456+00:00 ` of `dmesg --time-format iso`.
fn raw_header(raw: &[u8]) -> Option<usize> {
    let head = &raw[..raw.len().min(80)];
    if head.len() > 33 && head[4] == b'-' && head[10] == b'T' && head[19] == b',' {
        let digits = count(head, 20, |byte| byte.is_ascii_digit());
        return (digits == 6 && matches!(head[26], b'+' | b'-') && head[32] == b' ').then_some(33);
    }
    let end = memchr(b';', head)?;
    let mut fields = head[..end].split(|byte| *byte == b',');
    let number =
        |field: Option<&[u8]>| field.is_some_and(|f| !f.is_empty() && f.iter().all(u8::is_ascii_digit));
    let numbers = (0..3).all(|_| number(fields.next()));
    (numbers && fields.next().is_some_and(|flag| flag.len() == 1)).then_some(end + 1)
}

/// The rest of a time stamp whose beginning is lost, as on the first line of a log that begins in the middle:
/// `12.345678] `, `5678][ T1234] `.
fn cut_stamp(raw: &[u8]) -> Option<(Context<'_>, usize)> {
    let blanks = count(raw, 0, |byte| byte == b' ');
    let rest = blanks + count(raw, blanks, |byte| byte.is_ascii_digit() || byte == b'.');
    let digits = raw[blanks..rest].iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let dots = raw[blanks..rest].iter().filter(|byte| **byte == b'.').count();
    let whole = digits == 6 && dots == 1 || digits < 6 && dots == 0;
    (whole && digits > 0).then(|| behind_time(raw, rest)).flatten()
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
    // `[  +0.000001] ` of `dmesg --reltime`
    at += usize::from(raw.get(at) == Some(&b'+'));
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
    if fraction == 0 {
        return None;
    }
    // `[   12.345678 <    0.000001>] ` of `dmesg -d`
    if raw.get(at..at + 2) == Some(b" <") {
        let close = memchr(b'>', &raw[at..raw.len().min(at + 24)])?;
        at += close + 1;
    }
    behind_time(raw, at)
}

/// What follows the digits of a time stamp: its bracket, and the caller if there is one.
fn behind_time(raw: &[u8], at: usize) -> Option<(Context<'_>, usize)> {
    if raw.get(at) != Some(&b']') {
        return None;
    }
    let at = at + 1;
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

/// `[Tue Jan  2 12:00:00 2024] `, as `dmesg -T` writes it, or `[Jan 2 12:00] ` of `dmesg -e`; `at` is behind the bracket.
fn human_date(raw: &[u8], at: usize) -> Option<usize> {
    let close = memchr(b']', raw.get(at..raw.len().min(at + 40))?)? + at;
    let date = &raw[at..close];
    let whole = date.len() == 24 && is_month(&date[4..7]) && date[13] == b':' && date[16] == b':';
    let short = (10..=12).contains(&date.len()) && is_month(&date[..3]) && date[date.len() - 3] == b':';
    let looks_right = whole || short;
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
    fn a_facility_tells_who_wrote_a_line() {
        let table = [
            ("<4>[   12.345678] x", Some(0)),
            ("<12>[   12.345678] x", Some(1)),
            ("<30>[   12.345678][    T1] x", Some(3)),
            ("6,339,5140900,-;x", Some(0)),
            ("12,339,5140900,-,caller=T1;x", Some(1)),
            ("kern  :warn  : [   12.345678] x", Some(0)),
            ("user  :warn  : [   12.345678] x", Some(1)),
            ("<4>1 2026-11-26T10:00:00Z host kernel - - - x", None),
            ("[   12.345678] x", None),
            ("<>[", None),
            ("12,x", None),
            ("", None),
        ];
        for (raw, wanted) in table {
            assert_eq!(facility(raw.as_bytes()), wanted, "{raw}");
        }
    }

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
            ("[   12.345678 <    0.000001>] hello", Context::Console, "hello"),
            ("[  +0.000001] hello", Context::Console, "hello"),
            ("[Nov21 15:37] hello", Context::Console, "hello"),
            ("kern  :warn  : [   12.345678] [ T1234] hello", task, "hello"),
            ("2026-11-21T15:37:34,123456+00:00 hello", Context::Console, "hello"),
            ("2026-11-21T15:37:34.1234567Z [   12.345678] hello", Context::Console, "hello"),
            ("2026-11-21T15:37:34.123456 <4>[   12.345678] hello", Context::Console, "hello"),
            ("[2026-11-21 15:37:34] [   12.345678]  f+0x1/0x2", Context::Console, " f+0x1/0x2"),
            ("15:37:34.123456  [   12.345678][ T1234] hello", task, "hello"),
            ("    [   12.345678] hello", Context::Console, "hello"),
            ("3,1000,12345678,-;hello", Context::Console, "hello"),
            ("6,339,5140900,-,caller=T1;hello", Context::Console, "hello"),
            ("\x1b[32m[   12.345678] \x1b[0m\x1b[1;31mhello\x1b[0m", Context::Console, "hello"),
            ("12.345678] hello", Context::Console, "hello"),
            ("   12.345678] hello", Context::Console, "hello"),
            ("5678][ T1234] hello", task, "hello"),
            ("2026-11-21 15:37:34 hello", Context::Foreign, "2026-11-21 15:37:34 hello"),
            ("    hello", Context::Foreign, "    hello"),
            ("1.5] hello", Context::Foreign, "1.5] hello"),
            ("3,4;hello", Context::Foreign, "3,4;hello"),
            ("\x1b[", Context::Foreign, "\x1b["),
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
