//! Traces in which functions have been replaced by places in source files, or have got them besides.
//!
//! `scripts/decode_stacktrace.sh` of the kernel turns `func+0x10/0x20 [mod]` into `func (fs/a.h:7 fs/x.c:12) mod`, the
//! place of the innermost inlined function first. syzbot's symbolizer writes `func+0x10/0x20 fs/x.c:12` and, above it, a
//! line for each inlined function, which ends in `[inline]`; it repeats first lines of reports and the line of the
//! instruction pointer in the same way.

use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::{Captures, Regex};

/// A function with places, and a module.
static PLACED: LazyLock<Regex> = LazyLock::new(|| {
    let place = r"[^\s()]+:(?:[0-9]+|\?)(?: \(discriminator [0-9]+\))?";
    let pattern = format!(
        r"([A-Za-z_][A-Za-z0-9_.$]*)(\+0x[0-9a-f]+/0x[0-9a-f]+)? \(((?:{place})(?: {place})*)\)(?: \[?([A-Za-z_][A-Za-z0-9_-]*)\]?)?"
    );
    Regex::new(&pattern).expect("the pattern is constant and tested")
});

/// The last of several places.
static LAST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"([^\s()]+):([0-9]+|\?)(?: \(discriminator [0-9]+\))?$")
        .expect("the pattern is constant and tested")
});

/// Whether the text has traces that were decoded.
pub(super) fn is_decoded(text: &[u8]) -> bool {
    if memmem::find(text, b" [inline]").is_some() {
        return true;
    }
    let decoded = |at: usize| {
        let start = memchr::memrchr(b'\n', &text[..at]).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', &text[at..]).map_or(text.len(), |newline| at + newline);
        is_source(text, at) && end - start < 1024 && PLACED.is_match(&text[start..end])
    };
    memmem::find_iter(text, b".c:").take(64).any(decoded)
}

/// Whether digits follow the `.c:` here.
fn is_source(text: &[u8], at: usize) -> bool {
    text.get(at + 3).is_some_and(u8::is_ascii_digit)
}

/// The line as the kernel printed it, as far as that can be known, with the place behind the function as syzbot's
/// symbolizer writes it; nothing if the line only stands for an inlined function.
pub(super) fn undo(line: &[u8]) -> Option<std::borrow::Cow<'_, [u8]>> {
    if memmem::find(line, b" [inline]").is_some() {
        const REPEATED: [&[u8]; 6] = [b"BUG: ", b"WARNING: ", b"RIP: ", b"pc : ", b"lr : ", b"PC is at "];
        return (!REPEATED.iter().any(|word| memmem::find(line, word).is_some())).then_some(line.into());
    }
    if memmem::find(line, b" (").is_none() || memmem::find(line, b":").is_none() {
        return Some(line.into());
    }
    Some(PLACED.replace_all(line, |found: &Captures<'_>| {
        let text = |group| found.get(group).map_or(&b""[..], |group| group.as_bytes());
        let places = text(3);
        let place = LAST.captures(places);
        let known =
            place.as_ref().and_then(|place| Some((place.get(1)?.as_bytes(), place.get(2)?.as_bytes())));
        let unknown = places.iter().all(|byte| matches!(byte, b'?' | b':' | b'0' | b' '));
        let source = |file: &[u8]| memchr::memrchr(b'.', file).is_some_and(|dot| file.len() - dot <= 4);
        let mut out = text(1).to_vec();
        match known {
            _ if unknown => out.extend_from_slice(if text(2).is_empty() { b"+0x0/0x0" } else { text(2) }),
            Some((file, number)) if source(file) => {
                out.extend_from_slice(if text(2).is_empty() { b"+0x0/0x0" } else { text(2) });
                let file = file.strip_prefix(b"./").unwrap_or(file);
                out.push(b' ');
                out.extend_from_slice(&[file, b":", number].concat());
            }
            // something else in brackets
            _ => return text(0).to_vec(),
        }
        let module = text(4);
        if !module.is_empty() {
            out.extend_from_slice(&[b" [", module, b"]"].concat());
        }
        out
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_lines_become_the_kernels() {
        let table = [
            (
                " paddle (drivers/river/paddle.c:12) river",
                Some(" paddle+0x0/0x0 drivers/river/paddle.c:12 [river]"),
            ),
            (
                " ? paddle (./include/a.h:7 (discriminator 2) drivers/paddle.c:12 (discriminator 1)) ",
                Some(" ? paddle+0x0/0x0 drivers/paddle.c:12 "),
            ),
            ("RIP: 0010:paddle (fs/paddle.c:12)", Some("RIP: 0010:paddle+0x0/0x0 fs/paddle.c:12")),
            (
                "pc : paddle+0x10/0x20 (fs/paddle.c:12) river (P)",
                Some("pc : paddle+0x10/0x20 fs/paddle.c:12 [river] (P)"),
            ),
            (" paddle (??:?) river", Some(" paddle+0x0/0x0 [river]")),
            ("BUG: KASAN: wild in inner a/b.h:7 [inline]", None),
            (" inner a/b.h:7 [inline]", Some(" inner a/b.h:7 [inline]")),
            (" paddle+0x10/0x20 fs/paddle.c:12", Some(" paddle+0x10/0x20 fs/paddle.c:12")),
            (
                "lock (&x->a){+.+.}-{3:3}, at: f (a/b.c:1)",
                Some("lock (&x->a){+.+.}-{3:3}, at: f+0x0/0x0 a/b.c:1"),
            ),
            ("usb 1-1: reset (port:2)", Some("usb 1-1: reset (port:2)")),
        ];
        for (line, wanted) in table {
            let found = undo(line.as_bytes()).map(|line| String::from_utf8_lossy(&line).into_owned());
            assert_eq!(found.as_deref(), wanted, "{line}");
        }
        assert!(is_decoded(b"x\n paddle (fs/paddle.c:12)\n"));
        assert!(!is_decoded(b"WARNING: CPU: 0 PID: 1 at fs/x.c:12 f+0x1/0x2\nEXT4-fs (vda): a.c:12\n"));
    }
}
