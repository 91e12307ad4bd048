//! `format=flowed` (RFC 3676), undone as `git mailinfo` does it: the blank before a stuffed line is dropped, and a line
//! that ends with a blank goes on in the next one.

use std::sync::LazyLock;

use regex::Regex;

use super::damage::{Damage, DamageKind, Fix};
use super::diff;
use super::text::Line;

/// The last line of a diffstat as a flowed mail has it; git writes it with one blank before it.
static STUFFED_STAT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^  \d+ files? changed(?:, |$)").expect("valid"));

/// The text that was sent. With `DelSp=yes` the blank at the end of a flowed line is no part of it.
pub fn undo(lines: &[Line], delsp: bool) -> Vec<Line> {
    let mut out: Vec<Line> = Vec::new();
    let mut flowing: Option<Line> = None;
    for line in lines {
        let text = line.text.strip_suffix('\r').unwrap_or(&line.text);
        // a signature is no flowed line, though it ends with a blank
        if text == "-- " {
            out.extend(flowing.take());
            out.push(Line::new(line.number, text));
            continue;
        }
        let text = text.strip_prefix(' ').unwrap_or(text);
        let flows = text.ends_with(' ');
        let kept = if flows && delsp { &text[..text.len() - 1] } else { text };
        let mut whole = flowing.take().unwrap_or_else(|| Line::new(line.number, ""));
        whole.text.push_str(kept);
        match flows {
            true => flowing = Some(whole),
            false => out.push(whole),
        }
    }
    out.extend(flowing);
    out
}

/// The text of a part that declares itself flowed. A client that declares it and sends the lines of a diff as they are is
/// taken at its deed: where the hunks hold what they announce only as they stand, nothing is undone.
pub fn declared(lines: Vec<Line>, delsp: bool) -> Vec<Line> {
    let undone = undo(&lines, delsp);
    let whole = |lines: &[Line]| {
        diff::start(lines).is_some_and(|at| {
            let diff = diff::read(&lines[at..]);
            diff.hunks().next().is_some() && diff.is_whole()
        })
    };
    if whole(&lines) && !whole(&undone) { lines } else { undone }
}

/// Undoes it in a mail that lost the header which declares it: the diffstat's last line proves it.
pub fn undeclared(description: &[Line], diff: &[Line]) -> Option<(Vec<Line>, Damage)> {
    let stat = description.iter().find(|line| STUFFED_STAT.is_match(&line.text))?;
    let undone = undo(diff, false);
    if !diff::read(&undone).is_whole() {
        return None;
    }
    let damage = Damage {
        kind: DamageKind::Flowed,
        lines: diff.iter().filter(|line| line.text.starts_with(' ')).map(|line| line.number).collect(),
        proof: format!("line {} has two blanks where git writes one, as a flowed mail has", stat.number),
        fix: Fix::OneWay("stuffed blanks are dropped and flowed lines joined".into()),
    };
    Some((undone, damage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines;

    fn undone(text: &str, delsp: bool) -> String {
        let lines = undo(&lines(text, 1), delsp);
        lines.iter().map(|line| format!("{}|{}", line.number, line.text)).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn stuffed_lines_lose_a_blank_and_flowed_ones_are_joined() {
        assert_eq!(undone("  x\n-- \n a \nb\n>\nend ", false), "1| x\n2|-- \n3|a b\n5|>\n6|end ");
        assert_eq!(undone("a \n b\n-- \nc", true), "1|ab\n3|-- \n4|c");
    }
}
