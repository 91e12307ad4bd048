//! The corpus in disguise: what a title must not depend on, and what it must follow.

use kernel_oops::{Report, diagnose};
use regex::{Captures, Regex};

use crate::corpus::consoles;

/// Reads every console as it is and in disguise, and compares the first titles. `disguise` yields nothing for a
/// console that it does not apply to, else what it made of it and the title that is expected then.
fn compare(
    name: &str,
    most_misses_percent: usize,
    disguise: impl Fn(&str, Option<&Report>) -> Option<(String, Option<String>)>,
) {
    let (mut logs, mut misses) = (0, Vec::new());
    for (file, console) in consoles() {
        let text = String::from_utf8_lossy(&console);
        let plain = diagnose(&console);
        let Some((disguised, expected)) = disguise(&text, plain.first()) else { continue };
        logs += 1;
        let found = diagnose(disguised.as_bytes()).into_iter().next().map(|report| report.title);
        if found != expected {
            misses.push(format!("{file} {name}: {found:?}, not {expected:?}"));
        }
    }
    println!("{name}: {} of {logs} titles differ", misses.len());
    for miss in &misses {
        println!("{miss}");
    }
    assert!(
        misses.len() * 100 <= logs * most_misses_percent,
        "{name}: more than {most_misses_percent}% of the titles differ"
    );
}

fn same_title(text: String, first: Option<&Report>) -> Option<(String, Option<String>)> {
    Some((text, first.map(|report| report.title.clone())))
}

/// `[   12.345678]`, the time stamp that only the kernel's lines have.
fn is_stamped(line: &str) -> bool {
    line.strip_prefix('[')
        .is_some_and(|rest| rest.trim_start().starts_with(|first: char| first.is_ascii_digit()))
}

fn by_line(text: &str, change: impl Fn(&str) -> String) -> String {
    text.lines().map(|line| change(line) + "\n").collect()
}

#[test]
fn titles_do_not_depend_on_how_the_console_was_saved() {
    compare("with CRLF", 0, |text, first| same_title(text.replace('\n', "\r\n"), first));
    compare("as dmesg shows callers", 0, |text, first| same_title(text.replace("][ ", "] [ "), first));
    compare("by way of syslog", 1, |text, first| {
        let syslog = |line: &str| {
            let header = if is_stamped(line) { "Nov 21 09:30:35 host kernel: " } else { "" };
            format!("{header}{line}")
        };
        same_title(by_line(text, syslog), first)
    });
    let stamped_as = |before: &'static str, behind: &'static str| {
        move |line: &str| {
            if is_stamped(line) { format!("{before}{line}{behind}") } else { line.to_owned() }
        }
    };
    let hosts = [
        ("with the host's time", "2026-11-21T15:37:34.123456Z ", ""),
        ("as dmesg shows facilities", "kern  :warn  : ", ""),
        ("in colours", "\x1b[0;31m", "\x1b[0m"),
        ("indented", "    ", ""),
    ];
    for (name, before, behind) in hosts {
        compare(name, 1, |text, first| same_title(by_line(text, stamped_as(before, behind)), first));
    }
    compare("with log levels", 1, |text, first| {
        let level = |line: &str| format!("{}{line}", if is_stamped(line) { "<4>" } else { "" });
        same_title(by_line(text, level), first)
    });
}

/// The prefixes of these are not listed anywhere; they are learned from the log.
#[test]
fn titles_do_not_depend_on_what_stands_before_every_line() {
    let prefixes = [
        ("as grep shows them", "console.log:"),
        ("from an address", "10.0.0.7 "),
        ("with seconds", "1700000000.123 "),
        ("as a French journal", "déc. 22 15:19:11 host kernel: "),
        ("as RFC 5424 has it", "<4>1 2026-11-26T10:00:01.5+01:00 host kernel - - - "),
        ("quoted twice", "> > "),
    ];
    for (name, before) in prefixes {
        compare(name, 3, |text, first| same_title(by_line(text, |line| format!("{before}{line}")), first));
    }
}

#[test]
fn titles_do_not_depend_on_the_build() {
    let offset = Regex::new(r"\+0x[0-9a-f]+/0x[0-9a-f]+").unwrap();
    compare("with other offsets", 0, |text, first| {
        same_title(offset.replace_all(text, "+0x7b/0x3a0").into_owned(), first)
    });
    let address = Regex::new(r"ffff(?:ffff)?[89][0-9a-f]{7,11}\b").unwrap();
    compare("with other addresses", 1, |text, first| {
        let other = |found: &Captures<'_>| {
            let last = found[0].len() - 3;
            format!("{}7d8", &found[0][..last])
        };
        same_title(address.replace_all(text, other).into_owned(), first)
    });
}

#[test]
fn titles_do_not_depend_on_what_else_is_printed() {
    let boot = include_str!("../golden/clean-boot-6.12.117.log");
    let boot = boot.split_once("\n\n").map_or(boot, |(_, console)| console);
    compare("behind a boot", 1, |text, first| {
        // a second boot is a title of its own
        let reboots = text.contains("Booting the kernel");
        (!reboots).then(|| same_title(format!("{boot}\n{text}"), first)).flatten()
    });
    let caller = Regex::new(r"(?m)^(\[ *[0-9.]+\])\[ *[TC][0-9]+\] ").unwrap();
    compare("with another task's lines between", 1, |text, first| {
        let whole = text.lines().filter(|line| is_stamped(line)).all(|line| caller.is_match(line));
        let two = |line: &str| match caller.captures(line) {
            Some(found) => format!("{line}\n{}[T31337] usb 1-1: new high-speed device", &found[1]),
            None => line.to_owned(),
        };
        (whole && caller.is_match(text)).then(|| same_title(by_line(text, two), first)).flatten()
    });
}

/// No rule may know the function that one log happens to blame.
#[test]
fn titles_follow_the_name_of_the_guilty_function() {
    compare("with another guilty function", 3, |text, first| {
        let report = first?;
        let frame =
            report.frame.as_deref().filter(|frame| !report.title.contains('/') && *frame != "corrupted")?;
        let word = Regex::new(&format!(r"\b{}\b", regex::escape(frame))).ok()?;
        // as longer names of the trace hold it too, the system call's prefixes say which function is meant
        (word.find_iter(text).count() > 0).then(|| {
            let title = word.replace_all(&report.title, "frobnicate_quux").into_owned();
            (word.replace_all(text, "frobnicate_quux").into_owned(), Some(title))
        })
    });
}
