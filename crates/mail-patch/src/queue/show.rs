//! What a queue holds and what became of it, for a reader.

use std::fmt::Write;

use terminal_text as plain;

use super::{Queue, QueueApplication};
use crate::show;

/// What was read.
pub fn queue(queue: &Queue) -> String {
    let messages = match queue.messages {
        0 | 1 => String::new(),
        several => format!(", {several} messages"),
    };
    let count = queue.all().count();
    let word = if count == 1 { "patch" } else { "patches" };
    let mut out = format!("{}: {}{messages}, {count} {word}\n", queue.name, queue.kind.words());
    let files: std::collections::BTreeSet<&str> =
        queue.all().map(|queued| queued.patch.file.as_str()).collect();
    for queued in queue.all() {
        let file = if files.len() > 1 { Some(queued.patch.file.as_str()) } else { None };
        show::patch(&mut out, queued.number, &queued.patch, file, queued.left_out.as_deref());
    }
    if let Some(base) = &queue.base_commit {
        let _ = writeln!(out, "  made on {base}");
    }
    for note in &queue.notes {
        let _ = writeln!(out, "  note: {note}");
    }
    if let Some(hole) = queue.hole() {
        let _ = writeln!(out, "  incomplete: {hole}");
    }
    plain::lines(&out)
}

/// What became of it on one source.
pub fn application(tree: &str, result: &QueueApplication) -> String {
    if let [_] = result.patches.as_slice() {
        return show::application(tree, &result.whole);
    }
    let (applied, all) = (result.applied(), result.patches.len());
    let tree = plain::line(tree);
    let mut out = format!("{tree}: {}, {applied} of {all} patches apply\n", result.whole.outcome.words());
    for patch in &result.patches {
        let shown =
            show::application(&format!("{}: {}", patch.number, plain::line(&patch.title)), &patch.result);
        shown.lines().for_each(|line| _ = writeln!(out, "  {line}"));
    }
    out
}
