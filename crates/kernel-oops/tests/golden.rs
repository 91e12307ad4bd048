//! Consoles under `tests/golden/` with what is to be found in them.
//!
//! A file is: comments (`# …`) that say where it comes from, one block of `NAME: value` lines for each report, an empty
//! line, the console. `KREGRESS_UPDATE_GOLDEN=1 cargo test --test oops_golden` rewrites the blocks.

use std::fmt::Write;
use std::path::Path;

use kernel_oops::{Report, diagnose};

/// The blocks for these reports.
fn blocks(console: &[u8], reports: &[Report]) -> String {
    if reports.is_empty() {
        return "NO REPORT\n".to_owned();
    }
    let mut text = String::new();
    for report in reports {
        let mut line =
            |name: &str, value: &str| writeln!(text, "{name}: {value}").expect("strings can be written");
        line("TITLE", &report.title);
        line("TYPE", report.kind.word());
        for alt in &report.alt_titles {
            line("ALT", alt);
        }
        if let Some(reason) = &report.corrupted_reason {
            line("CORRUPTED", reason);
        }
        if report.panicked {
            line("PANICKED", "yes");
        }
        let pid = report.pid.map(|pid| pid.to_string()).unwrap_or_default();
        let cpu = report.cpu.map(|cpu| format!(", cpu {cpu}")).unwrap_or_default();
        line("TASK", &format!("{} {pid}{cpu}", report.task.as_deref().unwrap_or("unknown")));
        let last = report.start_line
            + console[report.start..report.end].iter().filter(|byte| **byte == b'\n').count();
        line("LINES", &format!("{}-{last}", report.start_line));
        line("TRACE", &report.frames.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(" < "));
    }
    text
}

/// Comments, blocks and console of a golden file.
fn split(file: &[u8]) -> (String, String, &[u8]) {
    let end = memchr::memmem::find(file, b"\n\n").expect("an empty line ends the header") + 1;
    let header = std::str::from_utf8(&file[..end]).expect("the header is text");
    let (comments, blocks): (Vec<&str>, Vec<&str>) = header.lines().partition(|line| line.starts_with('#'));
    let join = |lines: Vec<&str>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    (join(comments), join(blocks), &file[end + 1..])
}

#[test]
fn golden_consoles_are_read_as_before() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let update = std::env::var_os("KREGRESS_UPDATE_GOLDEN").is_some();
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the golden consoles are part of the project")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "golden consoles are missing: only {} found", files.len());
    let mut wrong = Vec::new();
    for path in files {
        let file = std::fs::read(&path).expect("a golden console can be read");
        let (comments, wanted, console) = split(&file);
        assert!(!comments.is_empty(), "{}: say in a comment where the console comes from", path.display());
        let found = blocks(console, &diagnose(console));
        if found == wanted {
            continue;
        }
        if update {
            let text = [comments.as_bytes(), found.as_bytes(), b"\n", console].concat();
            std::fs::write(&path, text).expect("a golden console can be rewritten");
        } else {
            wrong.push(format!("{}\n--- expected\n{wanted}--- found\n{found}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "KREGRESS_UPDATE_GOLDEN=1 accepts what was found:\n{}", wrong.join("\n"));
}
