//! Diffs whose line breaks are gone, as some readers of web pages leave them: what they still say.

use std::sync::LazyLock;

use regex::Regex;

use super::diff::{Body, Diff, FileDiff, Hunk};
use super::header::{self, Header};
use super::text::Line;

static FILE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^>] )diff --git a/(\S+) b/(\S+)(?: |$)").expect("valid"));
static HUNK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r" (@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@)(?: |$)").expect("valid"));
static BLOBS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})").expect("valid"));

/// The first line that holds a whole diff, and where in it the diff starts.
pub fn start(lines: &[Line]) -> Option<(usize, usize)> {
    lines.iter().enumerate().find_map(|(at, line)| {
        let found = FILE.find(&line.text)?;
        HUNK.is_match(&line.text[found.start()..]).then_some((at, found.start()))
    })
}

/// The files and hunks that the line names.
pub fn read(line: &Line) -> Diff {
    let text = line.text.as_str();
    let files: Vec<_> = FILE.captures_iter(text).collect();
    let mut diff = Diff::default();
    for (at, found) in files.iter().enumerate() {
        let (Some(whole), Some(old), Some(new)) = (found.get(0), found.get(1), found.get(2)) else {
            continue;
        };
        let end = files.get(at + 1).and_then(|next| next.get(0)).map_or(text.len(), |next| next.start());
        let inside = &text[whole.end()..end];
        let blobs = BLOBS.captures(inside);
        diff.files.push(FileDiff {
            line: line.number,
            old_path: Some(old.as_str().to_owned()),
            new_path: Some(new.as_str().to_owned()),
            old_blob: blobs.as_ref().map(|blobs| blobs[1].to_owned()),
            new_blob: blobs.as_ref().map(|blobs| blobs[2].to_owned()),
            hunks: hunks(inside, line.number),
            ..FileDiff::default()
        });
    }
    diff
}

fn hunks(text: &str, line: usize) -> Vec<Hunk> {
    let found: Vec<_> = HUNK.captures_iter(text).filter_map(|found| found.get(1)).collect();
    let mut hunks = Vec::new();
    for (at, header) in found.iter().enumerate() {
        let end = found.get(at + 1).map_or(text.len(), |next| next.start());
        let inside = text[header.end()..end].trim();
        let inside = inside.split(" -- ").next().unwrap_or(inside);
        let Some((old, new, _)) = header::exact(header.as_str()) else { continue };
        hunks.push(Hunk {
            line,
            old,
            new,
            section: String::new(),
            header: Header::Exact,
            body: Body::RunTogether(inside.to_owned()),
            surplus: Vec::new(),
            tail: None,
        });
    }
    hunks
}
