//! Reads a corpus of crash logs with known titles and compares.
//!
//! `KREGRESS_TITLE_CORPUS=DIR cargo test --test oops_corpus -- --nocapture` prints what matches and every miss. The
//! corpus is not part of the project; without it the test says so and passes. A file is: header lines `NAME: value` up
//! to an empty line, the console, and after another empty line `REPORT:` with text that is not used here.

use std::path::Path;

use kregress::oops::{Report, ReportKind, diagnose};

/// What a log is known to contain.
#[derive(Default)]
struct Expected {
    title: Option<String>,
    alt: Vec<String>,
    kind: Option<String>,
    frame: Option<String>,
    corrupted: bool,
    panicked: bool,
}

/// The shares below which the results must not fall.
const TITLE_FLOOR: f64 = 0.98;
const KIND_FLOOR: f64 = 0.985;
const CORRUPTED_FLOOR: f64 = 0.98;
const FALSE_CEILING: f64 = 0.01;

fn split(file: &[u8]) -> (Expected, Vec<u8>) {
    let text: Vec<u8> = file.iter().copied().filter(|byte| *byte != b'\r').collect();
    let head_end = memchr::memmem::find(&text, b"\n\n").map_or(text.len(), |at| at + 1);
    // a file that begins with an empty line has no header
    let head_end = if text.first() == Some(&b'\n') { 0 } else { head_end };
    let mut expected = Expected::default();
    for line in String::from_utf8_lossy(&text[..head_end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let value = value.trim().to_owned();
        match name {
            "TITLE" => expected.title = Some(value).filter(|title| !title.is_empty()),
            "ALT" => expected.alt.push(value),
            "TYPE" => expected.kind = Some(value),
            "FRAME" => expected.frame = Some(value),
            "CORRUPTED" => expected.corrupted = value == "Y",
            "PANICKED" => expected.panicked = value == "Y",
            _ => {}
        }
    }
    let body = &text[(head_end + 1).min(text.len())..];
    let end = memchr::memmem::find(body, b"\n\nREPORT:").map_or(body.len(), |at| at + 1);
    (expected, body[..end].to_vec())
}

#[derive(Default)]
struct Score {
    logs: usize,
    titled: usize,
    titles: f64,
    kinds: usize,
    corrupted: usize,
    panicked: usize,
    frames: (usize, usize),
    alts: usize,
    false_reports: usize,
    misses: Vec<String>,
}

impl Score {
    fn add(&mut self, name: &str, expected: &Expected, reports: &[Report]) {
        self.logs += 1;
        let first = reports.first();
        let kind = first.map_or(ReportKind::Unknown, |report| report.kind);
        let Some(title) = &expected.title else {
            if let Some(report) = first {
                self.false_reports += 1;
                self.misses.push(format!("{name}: no report expected, found `{}`", report.title));
            }
            return;
        };
        self.titled += 1;
        let found = first.map_or("(no report)", |report| report.title.as_str());
        if found == title {
            self.titles += 1.0;
        } else {
            if expected.alt.iter().any(|alt| alt == found) {
                self.titles += 0.5;
            }
            self.misses.push(format!("{name}: title\n    expected {title}\n    found    {found}"));
        }
        let wanted = expected.kind.as_deref().unwrap_or("UNKNOWN");
        if kind.word() == wanted {
            self.kinds += 1;
        } else {
            self.misses.push(format!("{name}: type {wanted} expected, found {kind} ({found})"));
        }
        let Some(report) = first else { return };
        if report.corrupted == expected.corrupted {
            self.corrupted += 1;
        } else {
            let reason = report.corrupted_reason.as_deref().unwrap_or("whole");
            self.misses
                .push(format!("{name}: corrupted {} expected, found {reason} ({found})", expected.corrupted));
        }
        self.panicked += usize::from(report.panicked == expected.panicked);
        self.alts += usize::from(report.alt_titles == expected.alt);
        if report.alt_titles != expected.alt {
            self.misses
                .push(format!("{name}: alt {:?} expected, found {:?}", expected.alt, report.alt_titles));
        }
        if let Some(frame) = &expected.frame {
            self.frames.1 += 1;
            self.frames.0 += usize::from(report.frame.as_ref() == Some(frame));
        }
    }
}

fn score(corpus: &Path) -> std::io::Result<Score> {
    let mut files: Vec<_> = std::fs::read_dir(corpus)?.collect::<Result<_, _>>()?;
    files.sort_by_key(|file| file.file_name());
    let mut score = Score::default();
    for file in files {
        let (expected, console) = split(&std::fs::read(file.path())?);
        score.add(&file.file_name().to_string_lossy(), &expected, &diagnose(&console));
    }
    Ok(score)
}

#[test]
fn titles_and_types_match_the_corpus() {
    let Some(corpus) = std::env::var_os("KREGRESS_TITLE_CORPUS") else {
        eprintln!("SKIPPED: KREGRESS_TITLE_CORPUS names no corpus of crash logs");
        return;
    };
    let score =
        score(Path::new(&corpus)).expect("KREGRESS_TITLE_CORPUS must name a readable folder of crash logs");
    assert!(score.titled > 0, "the corpus has no log with a title");
    let share = |count: f64| count / score.titled as f64;
    let false_share = score.false_reports as f64 / score.logs as f64;
    println!("logs       {}, of them {} with a report", score.logs, score.titled);
    println!("titles     {:.2}% ({})", share(score.titles) * 100.0, score.titles);
    println!("types      {:.2}% ({})", share(score.kinds as f64) * 100.0, score.kinds);
    println!("corrupted  {:.2}% ({})", share(score.corrupted as f64) * 100.0, score.corrupted);
    println!("panicked   {:.2}% ({})", share(score.panicked as f64) * 100.0, score.panicked);
    println!("alternates {:.2}% ({})", share(score.alts as f64) * 100.0, score.alts);
    println!("frames     {} of {}", score.frames.0, score.frames.1);
    println!("false      {:.2}% ({})", false_share * 100.0, score.false_reports);
    for miss in &score.misses {
        println!("{miss}");
    }
    assert!(share(score.titles) >= TITLE_FLOOR, "titles fell below {TITLE_FLOOR}");
    assert!(share(score.kinds as f64) >= KIND_FLOOR, "types fell below {KIND_FLOOR}");
    assert!(share(score.corrupted as f64) >= CORRUPTED_FLOOR, "corrupted fell below {CORRUPTED_FLOOR}");
    assert!(false_share <= FALSE_CEILING, "false reports rose above {FALSE_CEILING}");
}

/// The same console as other ways of getting at it would show it.
fn disguises(console: &[u8]) -> [(&'static str, Vec<u8>); 3] {
    let text = String::from_utf8_lossy(console);
    let stamped = |line: &str| {
        line.strip_prefix('[')
            .is_some_and(|rest| rest.trim_start().starts_with(|first: char| first.is_ascii_digit()))
    };
    [
        ("CRLF", text.replace('\n', "\r\n").into_bytes()),
        ("dmesg, callers behind a space", text.replace("][ ", "] [ ").into_bytes()),
        (
            "syslog",
            text.lines()
                .map(|line| {
                    let header = if stamped(line) { "Nov 21 09:30:35 host kernel: " } else { "" };
                    format!("{header}{line}\n")
                })
                .collect::<String>()
                .into_bytes(),
        ),
    ]
}

#[test]
fn titles_do_not_depend_on_how_the_console_was_saved() {
    let Some(corpus) = std::env::var_os("KREGRESS_TITLE_CORPUS") else {
        eprintln!("SKIPPED: KREGRESS_TITLE_CORPUS names no corpus of crash logs");
        return;
    };
    let (mut logs, mut misses) = (0, Vec::new());
    for file in std::fs::read_dir(corpus).expect("KREGRESS_TITLE_CORPUS must name a readable folder") {
        let file = file.expect("the corpus can be listed");
        let (_, console) = split(&std::fs::read(file.path()).expect("a log can be read"));
        // bytes that are no text change on the way through a string; that is not the point here
        let console = String::from_utf8_lossy(&console).into_owned().into_bytes();
        let titles =
            |console: &[u8]| diagnose(console).into_iter().map(|report| report.title).collect::<Vec<_>>();
        let plain = titles(&console);
        for (name, disguised) in disguises(&console) {
            logs += 1;
            let found = titles(&disguised);
            if found.first() != plain.first() {
                misses.push(format!(
                    "{:?} as {name}: {:?}, not {:?}",
                    file.file_name(),
                    found.first(),
                    plain.first()
                ));
            }
        }
    }
    println!("disguised  {} of {logs} titles differ", misses.len());
    for miss in &misses {
        println!("{miss}");
    }
    assert!(misses.len() * 100 <= logs, "more than 1% of the titles depend on how the console was saved");
}
