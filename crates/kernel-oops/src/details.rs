//! What a report says besides its title: the module and file to look at, the kernel, what is waited for.

use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::console::Line;
use super::render::{blocker, printable};
use super::report::Report;

/// Lines are looked at so far.
const MAX_LINE: usize = 4096;

/// Facts of one report, each as far as its lines tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    /// The module of the blamed function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The kernel's release, `uname -r`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The letters of the kernel's taint flags in their order, `GWO`; empty where it is not tainted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taint: Option<String>,
    /// The source file of the blamed function.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line in it, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What a blocked task waits for and who has it, in the kernel's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits: Option<String>,
}

/// `Comm: x Not tainted 6.17.13 #1`, `Tainted: G        W  O       6.17.13 #1`: dump_stack_print_info() of
/// lib/dump_stack.c and print_tainted() of kernel/panic.c. From 6.12 on a line with the flags' names follows.
static KERNEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:(Not tainted)|Tainted: ([A-Z][A-Z ]*?)) +([0-9][^ ]*)")
        .expect("the pattern is constant and tested")
});

/// A file with a line, where a first line names one: `at fs/x.c:12`, `in fs/x.c:12:3`.
static HEADED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?:(BUG|WARNING)[ :](?:.* )?at|UBSAN: .* in) ([^ :]+\.(?:c|h|S|rs)):([0-9]+)(?:[:!]| ([^ +]+)\+0x|$)",
    )
    .expect("the pattern is constant and tested")
});

/// Files with lines behind a function, as decoders of traces write them; the last one is that of the function itself.
static DECODED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?:\+0x[0-9a-f]+/0x[0-9a-f]+)?(?: \[[^\]]+\])? \(?((?:[^ ():]+:[0-9]+(?: \(discriminator [0-9]+\))? ?)+)")
        .expect("the pattern is constant and tested")
});

/// The details of a report. `region` is the console from its start to its end.
pub fn details(region: &[u8], report: &Report) -> Details {
    let mut details = Details { waits: blocker(region), ..Details::default() };
    for (number, raw) in region.split(|byte| *byte == b'\n').enumerate() {
        let text = printable(Line::parse(&raw[..raw.len().min(MAX_LINE)]).text);
        if number == 0
            && let Some((file, line)) = headed(&text, report)
        {
            (details.file, details.line) = (Some(file), Some(line));
        }
        if details.release.is_none()
            && let Some(found) = KERNEL.captures(&text)
        {
            details.release = Some(found[3].to_owned());
            let letters = found.get(2).map_or("", |letters| letters.as_str());
            details.taint = Some(letters.replace(' ', ""));
        }
        let Some(behind) = report.frame.as_deref().and_then(|frame| behind_function(&text, frame)) else {
            continue;
        };
        if details.module.is_none() {
            details.module = module(behind);
        }
        if details.file.is_none()
            && number > 0
            && let Some((file, line)) = decoded(behind)
        {
            (details.file, details.line) = (Some(file), Some(line));
        }
    }
    details
}

/// The place that the first line names, if the blamed function is there.
fn headed(text: &str, report: &Report) -> Option<(String, u32)> {
    let found = HEADED.captures(text)?;
    let frame = report.frame.as_deref()?;
    let there = match found.get(4) {
        Some(function) => is_function(function.as_str(), frame),
        // `kernel BUG at` has no function: it is the one at the instruction pointer
        None => found.get(1).is_none() || report.frames.first().is_some_and(|first| first == frame),
    };
    there.then(|| Some((found[2].to_owned(), found[3].parse().ok()?))).flatten()
}

/// Whether a name in a trace is this function, which the compiler may have made a part or a copy of (`.cold`, `.isra.0`).
fn is_function(name: &str, function: &str) -> bool {
    name.strip_prefix(function).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// What stands behind the name of the function, where the line names it.
fn behind_function<'t>(text: &'t str, function: &str) -> Option<&'t str> {
    text.match_indices(function).find_map(|(at, _)| {
        let before = text[..at].chars().next_back();
        let end = text[at..].find(|letter: char| !is_name(letter)).map_or(text.len(), |length| at + length);
        let whole = before.is_none_or(|letter| !is_name(letter) || letter == '.');
        (whole && is_function(&text[at..end], function)).then(|| &text[end..])
    })
}

fn is_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '$')
}

/// The module behind a place: `+0x10/0x20 [ext4]`, with a build id from `%pSb`.
fn module(behind: &str) -> Option<String> {
    let (place, rest) = behind.split_once(" [")?;
    let name = rest.split_once(']')?.0.split(' ').next()?;
    let placed = place.starts_with("+0x") || place.starts_with(" (");
    (placed && !name.is_empty() && name != "inline").then(|| name.to_owned())
}

fn decoded(behind: &str) -> Option<(String, u32)> {
    let found = DECODED.captures(behind)?;
    let last = found[1].split(' ').rfind(|word| word.contains(':') && !word.starts_with('('))?;
    let (file, line) = last.trim_end_matches(')').rsplit_once(':')?;
    Some((file.to_owned(), line.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(console: &str) -> String {
        told_of(console, console)
    }

    /// The details in a region, for the report that another console has.
    fn told_of(region: &str, console: &str) -> String {
        let report = crate::diagnose(console.as_bytes()).remove(0);
        serde_json::to_string(&details(region.as_bytes(), &report)).unwrap()
    }

    fn warning(head: &str, trace: &str) -> String {
        format!(
            "[    2.000000] {head}\n\
             [    2.000001] CPU: 1 UID: 0 PID: 42 Comm: fsstress Tainted: G        W  O       6.17.13-x #1\n\
             [    2.000002] {trace}\n\
             [    2.000003] Call Trace:\n\
             [    2.000004]  vfs_write+0x10/0x20\n\
             [    2.000005]  ksys_write+0x10/0x20\n\
             [    2.000006]  do_syscall_64+0x10/0x20\n\
             [    2.000007] ---[ end trace 0000000000000000 ]---\n"
        )
    }

    #[test]
    fn the_details_of_a_report_are_found() {
        let head = "WARNING: CPU: 1 PID: 42 at fs/ext4/inode.c:12 ext4_map+0x10/0x20 [ext4]";
        let rip = "RIP: 0010:ext4_map+0x10/0x20 [ext4]";
        let decoded =
            "RIP: 0010:ext4_map (./include/linux/list.h:7 fs/ext4/inode.c:19 (discriminator 3)) ext4";
        let bug = warning("kernel BUG at fs/ext4/x.c:77!", "RIP: 0010:ext4_put+0x10/0x20")
            .replace("G        W  O      ", "P");
        let lines = [
            told(&warning(head, rip)),
            told_of(&warning("BUG: a header without a place", decoded), &warning(head, rip)),
            told(&bug),
            told(&warning(head, rip).replace("Tainted: G        W  O      ", "Not tainted")),
        ];
        insta::assert_snapshot!(lines.join("\n"), @r#"
        {"module":"ext4","release":"6.17.13-x","taint":"GWO","file":"fs/ext4/inode.c","line":12}
        {"release":"6.17.13-x","taint":"GWO","file":"fs/ext4/inode.c","line":19}
        {"release":"6.17.13-x","taint":"P","file":"fs/ext4/x.c","line":77}
        {"module":"ext4","release":"6.17.13-x","taint":"","file":"fs/ext4/inode.c","line":12}
        "#);
    }

    #[test]
    fn places_behind_functions_are_read() {
        let table = [
            ("+0x1/0x2 [ext4]", Some("ext4"), None),
            ("+0x1/0x2 [ext4 0123456789abcdef0123456789abcdef01234567]", Some("ext4"), None),
            ("+0x1/0x2 fs/a.c:12 [inline]", None, Some(("fs/a.c", 12))),
            (" (fs/b.h:1 fs/a.c:12) mod", None, Some(("fs/a.c", 12))),
            (" (fs/a.c:12 (discriminator 9)) ", None, Some(("fs/a.c", 12))),
            ("() failed: 3", None, None),
            (" 12:34", None, None),
        ];
        for (behind, wanted, place) in table {
            assert_eq!(module(behind).as_deref(), wanted, "{behind}");
            let found = decoded(behind).filter(|(file, _)| file.contains('/'));
            assert_eq!(found, place.map(|(file, line)| (file.to_owned(), line)), "{behind}");
        }
    }
}
