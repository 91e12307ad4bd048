//! Reads a corpus of crash logs with known titles and compares.
//!
//! `KREGRESS_TITLE_CORPUS=DIR cargo test --test oops_corpus -- --nocapture` prints what matches and every miss. The
//! corpus is not part of the project; without it the test says so and passes. A file is: header lines `NAME: value` up
//! to an empty line, the console, and after another empty line `REPORT:` with text that is not used here.

mod corpus;
mod disguise;

use std::path::Path;

use kernel_oops::{Report, ReportKind, diagnose};

use corpus::{Expected, split};

/// The shares below which the results must not fall.
const TITLE_FLOOR: f64 = 0.98;
const KIND_FLOOR: f64 = 0.985;
const CORRUPTED_FLOOR: f64 = 0.98;
const FALSE_CEILING: f64 = 0.01;

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
        return loud_skip::optional("KREGRESS_TITLE_CORPUS names no corpus of crash logs");
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
