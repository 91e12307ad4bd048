//! Titles: filling in a rule's template, and removing what changes from run to run.

use std::sync::LazyLock;

use regex::bytes::{Regex, RegexBuilder};

/// Longer titles are cut: they come from lines that ran into each other.
const MAX_TITLE: usize = 120;

/// Only so much of a raw title is looked at; what is replaced can shrink it a lot.
const MAX_RAW_TITLE: usize = 1024;

/// What is replaced, in this order, each until nothing changes any more.
static VOLATILE: LazyLock<Vec<(Regex, &'static [u8])>> = LazyLock::new(|| {
    let table: [(&str, &'static [u8]); 9] = [
        // the names of fuzzing processes carry numbers
        (r"syz-executor\.?[0-9]+(?:[/:][0-9]+)?", b"syz-executor"),
        (r"syzkaller[0-9]+(?:[/:][0-9]+)?", b"syzkaller"),
        // addresses
        (r"([^a-zA-Z0-9])(?:0x)?[0-9a-f]{6,}", b"${1}ADDR"),
        (r"[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}", b"IP"),
        // lines of source files
        (r"(\.\w+)(?::[0-9]+)+", b"${1}:LINE"),
        // offsets into functions
        (r"([a-zA-Z][a-zA-Z0-9_.]+)\+0x[0-9a-z]+/0x[0-9a-z]+", b"${1}"),
        (r"CPU#[0-9]+", b"CPU"),
        // numbers on their own; inside a name (cfg80211) they stay unless they are long
        (r"(\W)\d+(\W|$)", b"${1}NUM${2}"),
        (r"\d{7,}", b"NUM"),
    ];
    table
        .into_iter()
        .map(|(pattern, with)| {
            let regex = RegexBuilder::new(pattern).unicode(false).build();
            (regex.expect("the patterns are constant and tested"), with)
        })
        .collect()
});

/// The title without addresses, numbers, and bytes that no terminal shows.
pub(super) fn stable(raw: &[u8]) -> String {
    let mut title = raw[..raw.len().min(MAX_RAW_TITLE)].to_vec();
    for (pattern, with) in VOLATILE.iter() {
        // overlapping matches ("0,1,2") need several rounds
        for _ in 0..MAX_TITLE {
            let next = pattern.replace_all(&title, *with);
            if next.as_ref() == title.as_slice() {
                break;
            }
            title = next.into_owned();
        }
    }
    let mut out = String::with_capacity(MAX_TITLE);
    let mut previous = ' ';
    for byte in title.into_iter().take(MAX_TITLE) {
        let shown = match byte {
            b'\t' => ' ',
            0x20..=0x7e => char::from(byte),
            _ => continue,
        };
        if shown == ' ' && previous == ' ' {
            continue;
        }
        out.push(shown);
        previous = shown;
    }
    out.trim().to_owned()
}

/// The template with captures and frames put in.
pub(super) fn fill(template: &str, captures: &[&[u8]], frames: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.extend_from_slice(&rest.as_bytes()[..open]);
        let Some(len) = rest[open..].find('}') else {
            rest = &rest[open..];
            break;
        };
        let name = &rest[open + 1..open + len];
        let value = match name {
            "frame" => frames.first().copied(),
            "frame2" => frames.get(1).copied(),
            _ => name.parse::<usize>().ok().and_then(|number| captures.get(number.wrapping_sub(1)).copied()),
        };
        out.extend_from_slice(value.unwrap_or_default());
        rest = &rest[open + len + 1..];
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The function a title blames: what follows its last ` in `.
pub(super) fn blamed_frame(title: &str) -> Option<&str> {
    // KCSAN names two functions, a Rust method has its type in front
    static FRAME: LazyLock<regex::Regex> = LazyLock::new(|| {
        regex::Regex::new(r".* in ((?:<[a-zA-Z0-9_: ]+>)?[a-zA-Z0-9_:]+)")
            .expect("the pattern is constant and tested")
    });
    FRAME.captures(title).and_then(|found| found.get(1)).map(|frame| frame.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_from_run_to_run_is_removed() {
        let table = [
            (
                "BUG: spinlock bad magic on CPU#1, syz-executor.3/1234",
                "BUG: spinlock bad magic on CPU, syz-executor",
            ),
            (
                "KASAN: slab-out-of-bounds in fn+0x10/0x20 at addr ffff8801c1a33d80",
                "KASAN: slab-out-of-bounds in fn at addr ADDR",
            ),
            ("INFO: Freed in f age=1,2,3 cpu=0", "INFO: Freed in f age=NUM,NUM,NUM cpu=NUM"),
            ("kernel BUG at net/core/dev.c:123!", "kernel BUG at net/core/dev.c:LINE!"),
            ("lost 10.0.0.1 by cfg80211_foo", "lost IP by cfg80211_foo"),
            ("a\tb\u{1b}  c \u{fc}", "a b c"),
        ];
        for (raw, wanted) in table {
            assert_eq!(stable(raw.as_bytes()), wanted);
        }
        assert_eq!(stable(&[b'x'; 5000]).len(), MAX_TITLE);
    }

    #[test]
    fn templates_take_captures_and_frames() {
        let filled = fill("KASAN: {1} {2} in {frame}/{frame2}{", &[b"a", b"b"], &[b"f"]);
        assert_eq!(String::from_utf8_lossy(&filled), "KASAN: a b in f/{");
    }

    #[test]
    fn the_blamed_frame_follows_the_last_in() {
        let table = [
            ("WARNING in a/usb_submit_urb", Some("a")),
            ("BUG: using x() in preemptible code in f", Some("f")),
            ("panicked in <core::option::Option>::unwrap", Some("<core::option::Option>::unwrap")),
            ("KCSAN: data-race in a / b", Some("a")),
            ("BUG: workqueue lockup", None),
        ];
        for (title, frame) in table {
            assert_eq!(blamed_frame(title), frame);
        }
    }
}
