//! What was put around every line of a patch on its way and can be taken off again: the marks of a quotation, and empty
//! lines between all lines.

use std::sync::LazyLock;

use regex::Regex;

use super::damage::{Damage, DamageKind, Fix};
use super::diff::{self, Body, Diff};
use super::text::Line;

/// The first line of a quoted diff. The mark is `>`, in some clients `|`.
static QUOTED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^(?P<marks>[>|](?: ?[>|])*) ?(?:diff --git \S|--- (?:a/|\S+/\S|/dev/null))").expect("valid")
});

/// Lines without what was put around them, and the damage that this is.
pub struct Unwrapped {
    /// The lines.
    pub lines: Vec<Line>,
    /// Where in them the diff starts.
    pub start: usize,
    /// What was undone.
    pub damage: Damage,
}

/// Takes the marks of a quotation off, as deep as the first quoted diff stands. Lines that are quoted less deeply, which
/// are somebody's answer, are left out; whether all of a hunk is there its header tells.
pub fn unquoted(lines: &[Line]) -> Option<Unwrapped> {
    let (first, marks) = lines.iter().enumerate().find_map(|(at, line)| {
        let found = QUOTED.captures(&line.text)?;
        Some((at, found["marks"].to_owned()))
    })?;
    let depth = marks.chars().filter(|c| *c != ' ').count();
    let quoted: Vec<(usize, &Line)> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| without_marks(&line.text, depth, false).is_some())
        .collect();
    // the blank behind the mark belongs to it where every line has one
    let blank = quoted.iter().filter(|(at, _)| *at >= first).all(|(_, line)| {
        without_marks(&line.text, depth, false).is_none_or(|rest| rest.is_empty() || rest.starts_with(' '))
    });
    let lines: Vec<Line> = quoted
        .iter()
        .filter_map(|(_, line)| Some(Line::new(line.number, without_marks(&line.text, depth, blank)?)))
        .collect();
    let start = diff::start(&lines)?;
    let left_out = quoted.last().map_or(0, |(last, _)| last + 1 - first)
        - quoted.iter().filter(|(at, _)| *at >= first).count();
    let answers = match left_out {
        0 => String::new(),
        several => format!(", and the {several} lines of an answer between them are left out"),
    };
    let damage = Damage {
        kind: DamageKind::Quoted,
        lines: lines[start..].iter().map(|line| line.number).collect(),
        proof: format!("`{marks}` stands before every line of the diff"),
        fix: Fix::OneWay(format!("the marks of the quotation are dropped{answers}")),
    };
    Some(Unwrapped { lines, start, damage })
}

fn without_marks(text: &str, depth: usize, blank: bool) -> Option<&str> {
    let mut rest = text;
    for level in 0..depth {
        if level > 0 {
            rest = rest.strip_prefix(' ').filter(|next| next.starts_with(['>', '|'])).unwrap_or(rest);
        }
        rest = rest.strip_prefix(['>', '|'])?;
    }
    Some(if blank { rest.strip_prefix(' ').unwrap_or(rest) } else { rest })
}

/// Drops every second line, where these are all empty from the diff's first line on.
pub fn single_spaced(lines: &[Line]) -> Option<Unwrapped> {
    let text = |at: usize| lines.get(at).map_or("", |line| line.text.as_str());
    let first = (0..lines.len()).find(|at| {
        let header = text(*at).starts_with("--- ") && text(at + 2).starts_with("+++ ");
        (header || text(*at).starts_with("diff --git ")) && text(at + 1).trim().is_empty()
    })?;
    let end = (first..lines.len()).step_by(2).find(|at| text(*at).trim_end() == "--").unwrap_or(lines.len());
    let between = lines[first..end].iter().skip(1).step_by(2);
    if !between.clone().all(|line| line.text.trim().is_empty()) {
        return None;
    }
    let mut kept: Vec<Line> = lines[..first].to_vec();
    kept.extend(lines[first..end].iter().step_by(2).cloned());
    let whole = |diff: Diff| diff.hunks().next().is_some() && diff.is_whole();
    if !whole(diff::read(&kept[first..])) || whole(diff::read(&lines[first..end])) {
        return None;
    }
    let damage = Damage {
        kind: DamageKind::DoubleSpaced,
        lines: between.map(|line| line.number).collect(),
        proof: "every second line of the diff is empty, and the hunks count right without them".into(),
        fix: Fix::OneWay("every second line is dropped".into()),
    };
    Some(Unwrapped { lines: kept, start: first, damage })
}

/// The diff as it stands there: one that says nothing until what is around its lines is taken off.
pub fn as_it_stands(mut diff: Diff, damage: &Damage) -> Diff {
    for hunk in diff.files.iter_mut().flat_map(|file| &mut file.hunks) {
        // not all lines of the diff for each of its hunks
        let (kind, proof, fix) = (damage.kind, damage.proof.clone(), damage.fix.clone());
        hunk.body = Body::Wrapped(Damage { kind, lines: vec![hunk.line], proof, fix });
    }
    diff
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines;

    const DIFF: &str = "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n a\n\n-b\n+c\n";

    fn texts(unwrapped: Option<Unwrapped>) -> String {
        let found = unwrapped.expect("it is wrapped");
        found.lines[found.start..].iter().map(|line| format!("{}\n", line.text)).collect()
    }

    #[test]
    fn quotations_are_undone_at_any_depth_and_between_answers() {
        for mark in ["> ", ">", "> > ", ">> ", "| "] {
            let quoted: String = DIFF.lines().map(|line| format!("{mark}{line}\n")).collect();
            assert_eq!(texts(unquoted(&lines(&quoted, 1))), DIFF, "{mark}");
            let trimmed: String = quoted.lines().map(|line| format!("{}\n", line.trim_end())).collect();
            assert_eq!(texts(unquoted(&lines(&trimmed, 1))), DIFF, "{mark}");
            let answered = quoted.replacen("\n", "\n\nShould this not be z?\n\n", 4);
            assert_eq!(texts(unquoted(&lines(&answered, 1))), DIFF, "{mark}");
        }
    }

    #[test]
    fn empty_lines_between_all_lines_are_dropped() {
        let doubled = format!("why\n\n---\n\n{}-- \n\n2.47.0\n", DIFF.replace('\n', "\n\n"));
        assert_eq!(texts(single_spaced(&lines(&doubled, 1))), DIFF);
        assert!(single_spaced(&lines(DIFF, 1)).is_none());
        assert!(single_spaced(&lines(&doubled.replacen("\n\n-b", "\nx\n-b", 1), 1)).is_none());
    }
}
