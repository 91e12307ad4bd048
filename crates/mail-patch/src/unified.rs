//! The change that an application makes, as a diff that fits its source to the letter.

use std::ops::Range;

use similar::{DiffTag, TextDiff};

use super::apply::Application;
use super::diff::Kind;
use super::source::{LINK, PLAIN, Source};

/// Equal lines shown on either side of a change.
const CONTEXT: usize = 3;

/// One side of a file's change.
#[derive(Clone, Default)]
struct FileSide {
    content: Vec<u8>,
    mode: String,
}

/// The difference between a source and what an application made of it, in the form of `git diff`. Binary safe. What is deleted
/// comes first, as something of another kind may take its place; so is a file that becomes a link, or a link a file.
pub fn unified(source: &dyn Source, application: &Application) -> Vec<u8> {
    let mut changed: Vec<(&str, Option<FileSide>, Option<FileSide>)> = Vec::new();
    for (path, new) in &application.contents {
        let had = source.mode(path);
        let old = source.read(path).map(|content| FileSide { content, mode: had.to_owned() });
        let mode = || match application.modes.get(path) {
            Some(mode) => mode.clone(),
            // one that was deleted and made again tells its mode
            None => old.as_ref().map_or(PLAIN, |_| had).to_owned(),
        };
        let new = new.as_ref().map(|content| FileSide { content: content.clone(), mode: mode() });
        match (&old, &new) {
            (Some(a), Some(b)) if (a.mode == LINK) != (b.mode == LINK) => {
                changed.push((path, old, None));
                changed.push((path, None, new));
            }
            _ => changed.push((path, old, new)),
        }
    }
    changed.sort_by_key(|(_, _, new)| new.is_some());
    let mut out = Vec::new();
    for (path, old, new) in changed {
        file(path, old.as_ref(), new.as_ref(), &mut out);
    }
    out
}

fn file(path: &str, old: Option<&FileSide>, new: Option<&FileSide>, out: &mut Vec<u8>) {
    let modes = match (old, new) {
        (None, Some(new)) => format!("new file mode {}\n", new.mode),
        (Some(old), None) => format!("deleted file mode {}\n", old.mode),
        (Some(old), Some(new)) if old.mode != new.mode => {
            format!("old mode {}\nnew mode {}\n", old.mode, new.mode)
        }
        _ => String::new(),
    };
    let content = |state: Option<&FileSide>| state.map(|state| state.content.clone()).unwrap_or_default();
    let (a, b) = (content(old), content(new));
    if a == b && modes.is_empty() {
        return;
    }
    out.extend_from_slice(format!("diff --git a/{path} b/{path}\n{modes}").as_bytes());
    // `patch` takes what it changes for a file where nothing says otherwise; nobody looks at the ids
    if let (Some(old), Some(_), true) = (old, new, modes.is_empty())
        && old.mode == LINK
    {
        let [before, after] = ["1", "2"].map(|digit| digit.repeat(40));
        out.extend_from_slice(format!("index {before}..{after} {LINK}\n").as_bytes());
    }
    let name = |side: &str, state: Option<&FileSide>| match state {
        Some(_) => format!("{side}/{path}"),
        None => "/dev/null".to_owned(),
    };
    let hunks = hunks(&a, &b);
    if !hunks.is_empty() {
        out.extend_from_slice(format!("--- {}\n+++ {}\n", name("a", old), name("b", new)).as_bytes());
        out.extend_from_slice(&hunks);
    }
}

/// The hunks between two texts. Places and lengths are counted here: those of `similar` are wrong where it moves a change
/// along equal lines.
fn hunks(a: &[u8], b: &[u8]) -> Vec<u8> {
    let diff = TextDiff::from_lines(a, b);
    let (old, new) = (diff.old_slices(), diff.new_slices());
    let mut lines: Vec<(Kind, &[u8])> = Vec::new();
    let (mut at_old, mut at_new) = (0, 0);
    for op in diff.ops() {
        let (removed, added) = (op.old_range().len(), op.new_range().len());
        if op.tag() == DiffTag::Equal {
            lines.extend(old[at_old..at_old + removed].iter().map(|line| (Kind::Context, *line)));
        } else {
            lines.extend(old[at_old..at_old + removed].iter().map(|line| (Kind::Remove, *line)));
            lines.extend(new[at_new..at_new + added].iter().map(|line| (Kind::Add, *line)));
        }
        (at_old, at_new) = (at_old + removed, at_new + added);
    }
    let mut out = Vec::new();
    let (mut next, mut before) = (0, (0, 0));
    for range in ranges(&lines) {
        before = counted(&lines[next..range.start], before);
        let after = counted(&lines[range.clone()], before);
        let span = |from: usize, to: usize| match to - from {
            // an empty side names the line before it
            0 => format!("{from},0"),
            1 => format!("{}", from + 1),
            length => format!("{},{length}", from + 1),
        };
        let header = format!("@@ -{} +{} @@\n", span(before.0, after.0), span(before.1, after.1));
        out.extend_from_slice(header.as_bytes());
        for (kind, line) in &lines[range.clone()] {
            out.push(kind.mark() as u8);
            out.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                out.extend_from_slice(b"\n\\ No newline at end of file\n");
            }
        }
        (next, before) = (range.end, after);
    }
    out
}

/// The lines of each hunk: changes with their context, those together whose contexts meet.
fn ranges(lines: &[(Kind, &[u8])]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for at in (0..lines.len()).filter(|at| lines[*at].0 != Kind::Context) {
        let (start, end) = (at.saturating_sub(CONTEXT), (at + 1 + CONTEXT).min(lines.len()));
        match ranges.last_mut() {
            Some(last) if start <= last.end => last.end = end,
            _ => ranges.push(start..end),
        }
    }
    ranges
}

/// Lines of both sides that are behind these, which begin where `before` are.
fn counted(lines: &[(Kind, &[u8])], before: (usize, usize)) -> (usize, usize) {
    lines.iter().fold(before, |(old, new), (kind, _)| {
        let (of_old, of_new) = kind.counts();
        (old + of_old, new + of_new)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::apply::Outcome;
    use crate::source::{EXECUTABLE, Memory};

    #[test]
    fn changes_are_told_as_diff_does() {
        let file = |text: &str| Some(text.as_bytes().to_vec());
        let executable = |path: &str| (path.to_owned(), EXECUTABLE.to_owned());
        let source = Memory::of(&[
            ("a.c", b"one\ntwo\n\xff\n"),
            ("b.c", b"no newline"),
            ("c.c", b"gone\n"),
            ("run.sh", b"#!\n"),
            ("same", b"x\n"),
        ]);
        let contents = BTreeMap::from([
            ("a.c".to_owned(), Some(b"one\n2\n\xff\n".to_vec())),
            ("b.c".to_owned(), file("no newline\nmore\n")),
            ("c.c".to_owned(), None),
            ("d.c".to_owned(), file("new\n")),
            ("e.pl".to_owned(), file("new\n")),
            ("run.sh".to_owned(), file("#!\n#\n")),
            ("same".to_owned(), file("x\n")),
        ]);
        let modes = BTreeMap::from([executable("b.c"), executable("e.pl")]);
        let application = Application {
            outcome: Outcome::Clean,
            files: Vec::new(),
            conflicts: Vec::new(),
            doubts: Vec::new(),
            contents,
            modes,
        };
        insta::assert_snapshot!(String::from_utf8_lossy(&unified(&source, &application)), @r"
        diff --git a/c.c b/c.c
        deleted file mode 100644
        --- a/c.c
        +++ /dev/null
        @@ -1 +0,0 @@
        -gone
        diff --git a/a.c b/a.c
        --- a/a.c
        +++ b/a.c
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         �
        diff --git a/b.c b/b.c
        old mode 100644
        new mode 100755
        --- a/b.c
        +++ b/b.c
        @@ -1 +1,2 @@
        -no newline
        \ No newline at end of file
        +no newline
        +more
        diff --git a/d.c b/d.c
        new file mode 100644
        --- /dev/null
        +++ b/d.c
        @@ -0,0 +1 @@
        +new
        diff --git a/e.pl b/e.pl
        new file mode 100755
        --- /dev/null
        +++ b/e.pl
        @@ -0,0 +1 @@
        +new
        diff --git a/run.sh b/run.sh
        --- a/run.sh
        +++ b/run.sh
        @@ -1 +1,2 @@
         #!
        +#
        ");
    }
}
