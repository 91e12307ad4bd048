//! Logs as people post them, in disguise: whatever is put before, behind or between the lines, and wherever a log is cut,
//! a report is found under its own name, or is marked as damaged, or is not found; it is never given another name.
//!
//! The project's own logs are in `fixtures/posted`: `NAME.log` and `NAME.want`, the title of the first report or `(none)`,
//! and behind a damaged one's title ` (damaged)`. `KREGRESS_LOG_CASES=DIR` names a folder of more.

use std::path::{Path, PathBuf};

use kernel_oops::diagnose;

/// Makes another log of a log.
type Disguise = Box<dyn Fn(&[u8]) -> Vec<u8>>;

fn lines(log: &[u8]) -> impl Iterator<Item = &[u8]> {
    log.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

fn joined(lines: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
    lines
        .flat_map(|mut line| {
            line.push(b'\n');
            line
        })
        .collect()
}

/// `{s}` is a second that grows, `{n}` the number of the line, `{c}` a CPU.
fn around(before: &'static str, behind: &'static str) -> Disguise {
    Box::new(move |log| {
        let fill = |form: &str, n: usize| {
            form.replace("{s}", &format!("{:02}", n / 7 % 60))
                .replace("{n}", &(n + 98).to_string())
                .replace("{c}", &(n / 5 % 4).to_string())
        };
        joined(
            lines(log)
                .enumerate()
                .map(|(n, line)| [fill(before, n).as_bytes(), line, fill(behind, n).as_bytes()].concat()),
        )
    })
}

/// A line of somebody else behind every `every`th line.
fn between(every: usize, other: &'static str) -> Disguise {
    Box::new(move |log| {
        joined(lines(log).enumerate().flat_map(|(n, line)| {
            let other = n.is_multiple_of(every).then(|| other.as_bytes().to_vec());
            std::iter::once(line.to_vec()).chain(other)
        }))
    })
}

/// Without so many lines at the beginning and at the end.
fn cut_lines(first: usize, last: usize) -> Disguise {
    Box::new(move |log| {
        let all: Vec<&[u8]> = lines(log).collect();
        let end = all.len().saturating_sub(last);
        joined(all.get(first..end).unwrap_or_default().iter().map(|line| line.to_vec()))
    })
}

/// Without so much of the beginning and of the end, in thousandths.
fn cut_bytes(first: usize, last: usize) -> Disguise {
    Box::new(move |log| log[log.len() * first / 1000..log.len() - log.len() * last / 1000].to_vec())
}

/// Broken after so many bytes, as a terminal does it, or at the last blank before, as mail programs do.
fn broken(width: usize, at_blanks: bool) -> Disguise {
    Box::new(move |log| {
        joined(lines(log).flat_map(|line| {
            let (mut rest, mut parts) = (line, Vec::new());
            while rest.len() > width {
                // a mail program leaves a word as it is
                let blank = rest[1..=width].iter().rposition(|byte| *byte == b' ').map(|at| at + 1);
                let end = if at_blanks { blank.filter(|end| *end > 20) } else { Some(width) };
                let Some(end) = end else { break };
                parts.push(rest[..end].to_vec());
                rest = &rest[end + usize::from(at_blanks)..];
            }
            parts.push(rest.to_vec());
            parts
        }))
    })
}

fn json(line: &[u8]) -> String {
    serde_json::to_string(&String::from_utf8_lossy(line)).expect("a string is JSON")
}

fn disguises() -> Vec<(String, Disguise)> {
    let prefixes = [
        "Nov 26 10:00:{s} host kernel: ",
        "Dez 26 10:00:{s} host kernel: ",
        "11月 26 10:00:{s} host kernel: ",
        "nov. 26 10:00:{s} host kernel: ",
        "2026-11-26T10:00:{s}+0100 host kernel: ",
        "2026-11-26T10:00:{s}.123456+01:00 host kernel: ",
        "Thu 2026-11-26 10:00:{s} CET host kernel: ",
        "Thu 2026-11-26 10:00:{s}.123456 CET host kernel: ",
        "17639999{s}.123456 host kernel: ",
        "[ 12{s}.567890] host kernel: ",
        "<4>1 2026-11-26T10:00:{s}.123456+01:00 host kernel - - - ",
        "<4>1 2026-11-26T10:00:{s}Z host kernel - - [meta sequenceId=\"{n}\"] ",
        "Thu Nov 26 10:00:{s} 2026 kern.warn kernel: ",
        "11-26 10:00:{s}.123     0     0 W         : ",
        "11-26 10:00:{s}.123 W/        (    0): ",
        "console.log:",
        "logs/host-1/console.log-",
        "console.log:{n}:",
        "{n}: ",
        "{n}\t",
        "   {n}  ",
        "> ",
        ">> ",
        "> > ",
        "| ",
        "\t",
        "        ",
        "[guest0/uart0] ",
        "(d1) ",
        "10.0.0.7 ",
        "10.0.0.7: ",
        "17000000{s}.123 ",
        "10:00:{s} ",
        "[10:00:{s}] ",
        "[10:00:{s}:123] ",
        "[2026-11-26 10:00:{s}.123] ",
        "2026-11-26 10:00:{s},123 console DEBUG ",
        "kernel: ",
        "    MESSAGE=",
        "serial0 | ",
        "[   12.3456{s}] (0)[77:sailor]",
        "[   12.3456{s}]  [{c}:      swapper/{c}:    1] ",
        "[   12.3456{s}@{c}] ",
        "\u{1b}[0m\u{1b}[K",
        "\u{1b}[32m",
    ];
    let suffixes = ["\r", "\r\r", "\u{240d}\u{240a}", "   ", "\u{1b}[0m"];
    let others = [
        (1, "systemd[1]: Started Daily Cleanup of Temporary Directories."),
        (3, "         Starting Network Time Synchronization..."),
        (2, ""),
        (4, "[   12.345678] usb 1-1: new high-speed USB device number 2 using xhci_hcd"),
        (3, "Nov 26 10:00:00 host sshd[77]: Accepted publickey for sailor from 10.0.0.7"),
    ];
    let mut all: Vec<(String, Disguise)> = Vec::new();
    all.extend(prefixes.map(|before| (format!("{before:?} before"), around(before, ""))));
    all.extend(suffixes.map(|behind| (format!("{behind:?} behind"), around("", behind))));
    all.extend(others.map(|(every, other)| (format!("{other:?} between"), between(every, other))));
    for (first, last) in [(1, 0), (2, 0), (3, 0), (5, 0), (0, 1), (0, 2), (0, 4), (0, 6)] {
        all.push((format!("without {first} and {last} lines"), cut_lines(first, last)));
    }
    for (first, last) in [(20, 0), (50, 0), (200, 0), (500, 0), (0, 30), (0, 200), (0, 400), (0, 600)] {
        all.push((format!("without {first} and {last} thousandths"), cut_bytes(first, last)));
    }
    let entry =
        |line: &[u8]| format!("{{\"_TRANSPORT\":\"kernel\",\"MESSAGE\":{},\"PRIORITY\":\"4\"}}", json(line));
    all.push((
        "as JSON".into(),
        Box::new(move |log| joined(lines(log).map(|line| entry(line).into_bytes()))),
    ));
    let pretty = |line: &[u8]| format!("{{\n\t\"MESSAGE\" : {},\n\t\"PRIORITY\" : \"4\"\n}}", json(line));
    all.push((
        "as readable JSON".into(),
        Box::new(move |log| joined(lines(log).map(|line| pretty(line).into_bytes()))),
    ));
    for (width, at_blanks) in [(80, false), (100, false), (72, true), (78, true)] {
        let how = if at_blanks { "at blanks" } else { "hard" };
        all.push((format!("broken {how} at {width}"), broken(width, at_blanks)));
    }
    all.push(("twice".into(), Box::new(|log| [log, log].concat())));
    all
}

fn first_title(log: &[u8]) -> (String, bool) {
    let first = diagnose(log).into_iter().next();
    first.map_or(("(none)".into(), false), |report| (report.title, report.corrupted))
}

/// The logs of a folder with what is wanted of them.
fn cases(folder: &Path) -> Vec<(String, Vec<u8>, String)> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of logs must be readable")
        .map(|entry| entry.expect("the folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let want = std::fs::read_to_string(path.with_extension("want")).expect("each log has its title");
            (name, std::fs::read(&path).expect("a log can be read"), want.trim().to_owned())
        })
        .collect();
    all.sort();
    all
}

fn check(folder: &Path) {
    let disguises = disguises();
    assert!(disguises.len() >= 60, "only {} disguises", disguises.len());
    let (mut wrong, mut silent) = (Vec::new(), Vec::new());
    let (mut same, mut damaged, mut nothing) = (0, 0, 0);
    for (name, log, want) in cases(folder) {
        let (title, corrupted) = first_title(&log);
        let (wanted, _) = want.split_once(" (").filter(|_| want != "(none)").unwrap_or((&want, ""));
        let is_damaged = want.ends_with("(damaged)");
        if title != wanted || is_damaged && !corrupted {
            wrong.push(format!("{name}: {title} (damaged: {corrupted}), not {want}"));
        }
        for (disguise, apply) in &disguises {
            let (found, corrupted) = first_title(&apply(&log));
            match () {
                () if found == wanted => same += 1,
                () if corrupted => damaged += 1,
                () if found == "(none)" => nothing += 1,
                () => silent.push(format!("{name}, {disguise}: {found}")),
            }
        }
    }
    println!(
        "{} disguises: {same} the same, {damaged} damaged, {nothing} not found, {} other",
        disguises.len(),
        silent.len()
    );
    println!("{}", [&wrong[..], &silent[..]].concat().join("\n"));
    assert!(wrong.is_empty() && silent.is_empty(), "{} wrong, {} silently", wrong.len(), silent.len());
}

#[test]
fn posted_logs_keep_their_titles_in_disguise() {
    check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/posted"));
}

#[test]
fn logs_of_a_folder_keep_their_titles_in_disguise() {
    let Some(folder) = std::env::var_os("KREGRESS_LOG_CASES").map(PathBuf::from) else {
        loud_skip::optional("KREGRESS_LOG_CASES names no folder of logs");
        return;
    };
    check(&folder);
}
