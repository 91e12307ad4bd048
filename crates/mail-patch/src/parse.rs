//! Reading unified diffs, with every hunk's lines counted.

use std::sync::LazyLock;

use regex::Regex;

use super::diff::{Body, Diff, FileDiff, Hunk, HunkLine, Kind, Operation};
use super::header::{self, Header};
use super::names;
use super::text::Line;

static INDEX: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^index ([0-9a-f]{7,64})\.\.([0-9a-f]{7,64})(?: (\d{6}))?").expect("valid"));
/// What git and cgit sign with.
static SIGNATURE_VERSION: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(?:cgit v?)?\d+\.\d+(?:\.|$)").expect("valid"));

/// The first line of the diff in these lines.
pub fn start(lines: &[Line]) -> Option<usize> {
    (0..lines.len()).find(|at| {
        lines[*at].text.starts_with("diff --git ")
            || combined(&lines[*at].text).is_some()
            || is_file_header(&lines[*at..])
    })
}

/// The path of a section in the form that git shows merges in.
fn combined(text: &str) -> Option<&str> {
    text.strip_prefix("diff --cc ").or_else(|| text.strip_prefix("diff --combined "))
}

/// Whether `---` and `+++` with names stand here.
fn is_file_header(lines: &[Line]) -> bool {
    lines.len() > 1
        && lines[0].text.strip_prefix("--- ").is_some_and(|name| !name.trim().is_empty())
        && lines[1].text.strip_prefix("+++ ").is_some_and(|name| !name.trim().is_empty())
}

/// Whether a mail's signature stands here: `-- ` and, from git, its version.
fn is_signature(lines: &[Line]) -> bool {
    let text = lines[0].text.trim_end_matches('\r');
    (text == "-- " || text == "--")
        && lines
            .get(1)
            .is_none_or(|next| next.text.trim().is_empty() || SIGNATURE_VERSION.is_match(&next.text))
}

/// Reads a diff that starts at the first of these lines. Text between and after the files is passed over.
pub fn read(lines: &[Line]) -> Diff {
    let mut diff = Diff::default();
    let mut at = 0;
    // below the signature of a mail stands no more of its diff
    let mut signed = false;
    while at < lines.len() {
        let rest = &lines[at..];
        if let Some(names) = rest[0].text.strip_prefix("diff --git ") {
            diff.files.push(git_header(names, rest[0].number));
            signed = false;
        } else if let Some(name) = combined(&rest[0].text) {
            let path = names::unquoted(name).map_or_else(|| name.trim_end().to_owned(), |(name, _)| name);
            let (old_path, new_path) = (Some(path.clone()), Some(path));
            diff.files.push(FileDiff {
                line: rest[0].number,
                old_path,
                new_path,
                combined: true,
                ..FileDiff::default()
            });
        } else if is_file_header(rest) {
            file_header(&mut diff, rest);
            signed = false;
            at += 1;
        } else if let Some(file) = diff.files.last_mut().filter(|file| !file.combined) {
            if let Some((hunk, length)) = hunk(rest) {
                file.hunks.push(hunk);
                at += length;
                continue;
            }
            signed |= is_signature(rest);
            if rest[0].text.starts_with("@@@ -") && file.hunks.is_empty() {
                file.combined = true;
            } else if !signed && header::is_like(&rest[0].text) {
                file.unread.push(rest[0].clone());
            } else if file.hunks.is_empty() && !file.announced {
                extended_header(file, &rest[0].text);
            }
        }
        at += 1;
    }
    names::settle(&mut diff);
    diff
}

fn git_header(names: &str, line: usize) -> FileDiff {
    let (old_name, new_name) = names::of_git(names).unzip();
    FileDiff { line, old_name, new_name, ..FileDiff::default() }
}

fn extended_header(file: &mut FileDiff, text: &str) {
    let text = text.trim_end();
    if let Some(found) = INDEX.captures(text) {
        file.old_blob = Some(found[1].to_owned());
        file.new_blob = Some(found[2].to_owned());
        // it stands here where it does not change
        if let Some(mode) = found.get(3) {
            file.old_mode = Some(mode.as_str().to_owned());
        }
    } else if let Some(mode) = text.strip_prefix("new file mode ") {
        file.created = true;
        file.new_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("deleted file mode ") {
        file.deleted = true;
        file.old_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("old mode ") {
        file.old_mode = Some(mode.to_owned());
    } else if let Some(mode) = text.strip_prefix("new mode ") {
        file.new_mode = Some(mode.to_owned());
    } else if let Some(name) = text.strip_prefix("rename from ") {
        moved(file, Operation::Rename, Some(name), None);
    } else if let Some(name) = text.strip_prefix("rename to ") {
        moved(file, Operation::Rename, None, Some(name));
    } else if let Some(name) = text.strip_prefix("copy from ") {
        moved(file, Operation::Copy, Some(name), None);
    } else if let Some(name) = text.strip_prefix("copy to ") {
        moved(file, Operation::Copy, None, Some(name));
    } else if text.starts_with("GIT binary patch") || text.starts_with("Binary files ") {
        file.binary = true;
        file.binary_contents = text.starts_with("GIT");
    }
}

/// The names of these lines have no prefix.
fn moved(file: &mut FileDiff, operation: Operation, old: Option<&str>, new: Option<&str>) {
    let bare = |name: &str| names::unquoted(name).map_or_else(|| name.to_owned(), |(name, _)| name);
    file.operation = operation;
    file.old_path = old.map(bare).or(file.old_path.take());
    file.new_path = new.map(bare).or(file.new_path.take());
}

/// `---` and `+++`: the names of a file whose `diff --git` line was read, or of a new one.
fn file_header(diff: &mut Diff, lines: &[Line]) {
    let (old, new) = (names::of_header(&lines[0].text[4..]), names::of_header(&lines[1].text[4..]));
    let of_git = diff.files.last().is_some_and(|file| {
        file.hunks.is_empty() && !file.binary && !file.announced && file.line + 12 > lines[0].number
    });
    if !of_git {
        diff.files.push(FileDiff { line: lines[0].number, ..FileDiff::default() });
    }
    let Some(file) = diff.files.last_mut() else { return };
    file.announced = true;
    file.created |= old.path.is_none() || (old.epoch && !of_git);
    file.deleted |= new.path.is_none() || (new.epoch && !of_git);
    if !file.combined {
        (file.old_name, file.new_name) = (old.path, new.path);
    }
}

/// Reads the hunk that starts here; answers it and how many lines it takes.
fn hunk(lines: &[Line]) -> Option<(Hunk, usize)> {
    if !header::is_like(&lines[0].text) || lines[0].text.starts_with("@@@") {
        return None;
    }
    let (mut taken, mut form) = (1, Header::Exact);
    let (old, new, section) = header::exact(&lines[0].text)
        .or_else(|| {
            // broken inside the numbers
            let next = lines.get(1)?;
            (taken, form) = (2, Header::Wrapped);
            header::exact(&format!("{} {}", lines[0].text.trim_end(), next.text.trim_start()))
        })
        .or_else(|| {
            (taken, form) = (1, Header::Misspelt);
            header::nearly(&lines[0].text)
        })?;
    // git calls a hunk of no lines corrupt: what it should hold is lost
    if (old.len, new.len) == (0, 0) {
        return None;
    }
    let (body, length) = body(&lines[taken..], old.len, new.len);
    let rest = &lines[taken + length..];
    let whole =
        matches!(body, Body::Whole(_)) && !rest.is_empty() && !is_boundary(rest) && !is_signature(rest);
    let tail = rest.first().filter(|line| whole && marked(line).is_none()).cloned();
    let surplus = if whole { behind(rest) } else { Vec::new() };
    Some((
        Hunk { line: lines[0].number, old, new, section, header: form, body, surplus, tail },
        taken + length,
    ))
}

/// The marked lines that stand here, up to an empty one.
fn behind(lines: &[Line]) -> Vec<HunkLine> {
    let end = (0..lines.len()).find(|at| {
        lines[*at].text.trim_end().is_empty() || is_boundary(&lines[*at..]) || is_signature(&lines[*at..])
    });
    lines[..end.unwrap_or(lines.len())].iter().map_while(marked).collect()
}

/// What a line of a hunk says by its first character; `None` for one without a mark.
pub fn marked(line: &Line) -> Option<HunkLine> {
    let kind = match line.text.as_bytes().first() {
        None => return Some(HunkLine::new(Kind::Context, "", line.number)),
        Some(b' ') => Kind::Context,
        Some(b'-') => Kind::Remove,
        Some(b'+') => Kind::Add,
        // an empty line of a file with carriage returns
        Some(b'\r') if line.text.len() == 1 => return Some(HunkLine::new(Kind::Context, "\r", line.number)),
        Some(_) => return None,
    };
    Some(HunkLine::new(kind, &line.text[1..], line.number))
}

fn body(lines: &[Line], old: usize, new: usize) -> (Body, usize) {
    let (mut left_old, mut left_new) = (old, new);
    let mut read: Vec<HunkLine> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        if lines[at].text.starts_with("\\ ") {
            if let Some(last) = read.last_mut() {
                last.newline = false;
            }
            at += 1;
            continue;
        }
        if left_old == 0 && left_new == 0 {
            break;
        }
        // a removed dash with a blank line of context below it looks like one
        let removed = lines.get(at + 1).is_some_and(|next| next.text.starts_with(' '));
        if is_signature(&lines[at..]) && !removed {
            return damaged(lines);
        }
        let Some(line) = marked(&lines[at]) else { return damaged(lines) };
        let (of_old, of_new) = line.kind.counts();
        let (Some(next_old), Some(next_new)) = (left_old.checked_sub(of_old), left_new.checked_sub(of_new))
        else {
            return damaged(lines);
        };
        (left_old, left_new) = (next_old, next_new);
        read.push(line);
        at += 1;
    }
    let surplus = at < lines.len() && goes_on(&lines[at..]);
    if left_old > 0 || left_new > 0 || surplus { damaged(lines) } else { (Body::Whole(read), at) }
}

/// Whether lines of a diff that the header did not announce stand here. What begins with a blank, or with a dash and a
/// blank, can as well be a text, which git and patch pass over.
pub fn goes_on(lines: &[Line]) -> bool {
    let changes = |line: &HunkLine| match line.kind {
        Kind::Context => false,
        Kind::Add => !line.text.trim().is_empty(),
        Kind::Remove => {
            !line.text.is_empty()
                && !line.text.starts_with(' ')
                && !line.text.trim_end().bytes().all(|byte| byte == b'-')
        }
    };
    let empty = lines.iter().take(3).take_while(|line| line.text.trim_end().is_empty()).count();
    let below = lines.get(empty).filter(|_| empty > 0);
    behind(lines).iter().any(changes)
        || below.is_some_and(|line| line.text.starts_with("+\t") || line.text.starts_with("-\t"))
}

/// Whether another hunk or file starts here.
fn is_boundary(lines: &[Line]) -> bool {
    let text = &lines[0].text;
    text.starts_with("diff --git ")
        || combined(text).is_some()
        || header::is_like(text)
        || is_file_header(lines)
}

fn damaged(lines: &[Line]) -> (Body, usize) {
    let end = (0..lines.len()).find(|at| is_signature(&lines[*at..]) || is_boundary(&lines[*at..]));
    let length = end.unwrap_or(lines.len());
    (Body::Damaged { raw: lines[..length].to_vec(), at_end: end.is_none() }, length)
}
