//! Cutting the text of one report out of a console that others print to as well.

use memchr::{memchr, memmem};

use super::console::{Context, Line};
use super::header::Header;

/// A report longer than this is not read to its end.
const MAX_TEXT: usize = 192 << 10;

/// Behind the place where another report may have been mixed in, so much is read to see whether traces are whole.
const MAX_IMPURE: usize = 32 << 10;

/// The lines of a report are looked for so far behind its first one.
pub(super) const MAX_REACH: usize = 1 << 20;

/// A panic behind this many lines only repeats what the report says.
const LINES_BEFORE_PANIC: usize = 22;

/// KMSAN prints less than the others.
const LINES_BEFORE_PANIC_KMSAN: usize = 16;

/// The text of one report: its lines without prefixes, each ended by a line feed.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    /// All lines of whoever printed the first one.
    pub(super) text: Vec<u8>,
    /// Up to here no other report can have been mixed in.
    pub(super) pure: usize,
    /// For each line of the text: where it begins in the text, and where it ends in the console.
    pub(super) lines: Vec<(usize, usize)>,
    /// Whether it has addresses that only may belong to a trace, in the form of kernels that show addresses.
    pub(super) doubts: bool,
}

/// Cuts out the report that begins with `headers[which]`. `other_trace` knows lines that begin a trace and no report,
/// `replayed` knows from what follows a line that it is printed once more. Addresses that only may belong to a trace are
/// left out, unless `keep_doubtful` says so.
pub(super) fn cut(
    console: &[u8],
    headers: &[Header],
    which: usize,
    other_trace: impl Fn(&[u8]) -> bool,
    replayed: impl Fn(&[u8]) -> bool,
    keep_doubtful: bool,
) -> Excerpt {
    let mut excerpt = Excerpt::default();
    let start = headers[which].start;
    let limit = console.len().min(start.saturating_add(MAX_REACH));
    let mut next_header = which + 1;
    let mut owner = Context::Foreign;
    // a log may begin in the middle of its first line, of whose prefix little is left then
    let mut orphan = false;
    let mut enough = LINES_BEFORE_PANIC;
    let (mut count, mut mixed, mut all_cpus, mut ended) = (0, false, false, false);
    let (mut announced, mut at_of_last) = (false, headers[which].end);
    let mut dying = false;
    let mut at = start;
    while at < limit && excerpt.text.len() < MAX_TEXT.min(excerpt.pure + MAX_IMPURE) {
        let end = if at == start {
            headers[which].end
        } else {
            memchr(b'\n', &console[at..]).map_or(console.len(), |n| at + n)
        };
        let raw = &console[at..end];
        let line = Line::parse(raw);
        let first = at == start;
        if first {
            owner = line.context;
            orphan = owner == Context::Foreign || start == 0 && !owner.is_caller();
            if memmem::find(raw, b"BUG: KMSAN:").is_some() {
                enough = LINES_BEFORE_PANIC_KMSAN;
            }
        }
        if !first && std::mem::take(&mut orphan) && line.context != Context::Foreign {
            owner = line.context;
        }
        while headers.get(next_header).is_some_and(|header| header.start < at) {
            next_header += 1;
        }
        let header = headers.get(next_header).filter(|header| header.start <= end);
        if !first && !mixed {
            mixed = header.map_or_else(
                || other_trace(raw),
                |header| !header.continuation && at - start >= header.within,
            );
        }
        let raw_end = end;
        at = end + 1;
        let (text, doubtful) = settle(line, keep_doubtful);
        excerpt.doubts = excerpt.doubts
            || line.text.trim_ascii_start().starts_with(b"[<") && memmem::find(line.text, b">] ? ").is_some();
        let mine = line.context == owner || all_cpus && line.context.is_cpu();
        // behind __die() stand those that called it, which tell what the lost lines above said
        dying = first && memmem::find(text, b"__die+0x").is_some() || dying && doubtful;
        if !first && (doubtful && !dying || !mine || replayed(&console[raw_end..])) {
            continue;
        }
        count += 1;
        let mut skip = ended;
        if memmem::find(raw, b"Disabling lock debugging due to kernel taint").is_some() {
            skip = true;
        } else if memmem::find(raw, b"Sending NMI from CPU").is_some() {
            // the traces that follow are printed by the CPUs that are asked for them
            all_cpus = true;
        } else if count > enough && repeats(raw) {
            ended = true;
            skip = true;
        }
        if !first && skip {
            continue;
        }
        let unwound = !first && is_of_arms_unwinder(text);
        if unwound && !announced {
            // arm did not announce its traces before 6.0
            excerpt.lines.push((excerpt.text.len(), at_of_last));
            excerpt.text.extend_from_slice(b"Call trace:\n");
        }
        announced |= unwound || announces(text);
        at_of_last = raw_end;
        excerpt.lines.push((excerpt.text.len(), raw_end));
        excerpt.text.extend(text.iter().filter(|byte| **byte != b'\r'));
        excerpt.text.push(b'\n');
        // without caller fields nobody knows whose line it is once two reports are under way
        if !mixed || owner.is_caller() {
            excerpt.pure = excerpt.text.len();
        }
    }
    excerpt
}

/// Whether the line announces a trace; lockdep's `stack backtrace:` stands before a trace that may announce itself.
fn announces(text: &[u8]) -> bool {
    memmem::find(text, b"Backtrace:").is_some()
        || memmem::find(text, b"trace:").is_some() && memmem::find(text, b"stack backtrace:").is_none()
}

/// A panic (or a complaint of lockdep about the reporting itself) that only repeats the trace above it.
fn repeats(raw: &[u8]) -> bool {
    memmem::find(raw, b"Kernel panic - not syncing").is_some()
        || memmem::find(raw, b"WARNING: possible circular locking dependency detected").is_some()
}

/// The message without the mark of an address that only may belong to the trace, and whether it is to be left out for it.
fn settle<'a>(line: Line<'a>, keep_doubtful: bool) -> (&'a [u8], bool) {
    if line.context == Context::Foreign && !keep_doubtful || memmem::find(line.text, b"<EOI>").is_some() {
        return (line.text, false);
    }
    if let Some(at) = memmem::find(line.text, b" ? ") {
        // a kernel that shows no addresses (x86 since 4.11) has an unwinder that is sure
        let kept = keep_doubtful && line.text[..at].trim_ascii().starts_with(b"[<");
        return (&line.text[at + 2..], !kept);
    }
    match line.text.strip_suffix(b" (unreliable)") {
        Some(text) => (text, true),
        None => (line.text, false),
    }
}

/// `[<c0607cfc>] (__schedule) from [<c060811c>] (schedule+0x40/0xa0)`, as dump_backtrace_entry() of arm prints a frame;
/// ` __schedule from schedule+0x40/0xa0` since 5.18.
fn is_of_arms_unwinder(text: &[u8]) -> bool {
    let Some(at) = memmem::find(text, b" from ") else { return false };
    let (frame, caller) = (&text[..at], &text[at + 6..]);
    let Some(offset) = memmem::find(caller, b"+0x") else { return false };
    let is_name = |name: &[u8]| {
        !name.is_empty()
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
    };
    // a function of a module has it behind its name
    let module = memmem::rfind(frame, b" [").filter(|_| frame.ends_with(b"]"));
    let name = frame[..module.unwrap_or(frame.len())].trim_ascii();
    frame.ends_with(b")") && caller.starts_with(b"[<") || is_name(name) && is_name(&caller[..offset])
}

impl Excerpt {
    /// Where in the console the report ends: at the last of its own lines that looks like part of a report.
    pub(super) fn end(&self, first_end: usize, belongs: impl Fn(&[u8]) -> bool) -> usize {
        let mut end = first_end;
        let mut gap = 0;
        for (index, (from, raw_end)) in self.lines.iter().enumerate() {
            if *from >= self.pure {
                break;
            }
            let to = self.lines.get(index + 1).map_or(self.text.len(), |(next, _)| *next);
            if belongs(&self.text[*from..to - 1]) {
                end = end.max(*raw_end);
                gap = 0;
            } else {
                gap += 1;
            }
            // what comes after a long silence is another trace
            if gap > 40 {
                break;
            }
        }
        end
    }
}
