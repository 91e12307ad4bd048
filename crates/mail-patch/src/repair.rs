//! A damaged hunk's lines: what they can have been. The header says how many there were; a reading that does not
//! count right is none. Where several do, beside the source at most one fits.

use super::budget::Budget;
use super::damage::{Damage, DamageKind, Fix};
use super::diff::{Body, Diff, FileDiff, Hunk, Kind};
use super::header::Header;
use super::reading::{BLANKS_UNKNOWN, Reading, Repair, behind_added, join};
use super::search::Search;
use super::text::shortened;

/// All damage of a diff: files that lack their hunks, lines that are no hunk's header, and hunks.
pub fn damages(diff: &Diff, budget: &Budget) -> Vec<Damage> {
    let of = |file: &FileDiff| {
        let hunks: Vec<Damage> = file.hunks.iter().flat_map(|hunk| repair(hunk, budget).damages).collect();
        [of_file(file), hunks, typographic(file).into_iter().collect()].concat()
    };
    diff.files.iter().flat_map(of).collect()
}

/// The damage of a file's section as a whole: nothing of it can be undone.
pub fn of_file(file: &FileDiff) -> Vec<Damage> {
    let headers = file.unread.iter().map(|line| Damage {
        kind: DamageKind::HunkHeader,
        lines: vec![line.number],
        proof: format!("`{}` begins like a hunk's header and is none", shortened(&line.text)),
        fix: Fix::None("expected `@@ -LINE,COUNT +LINE,COUNT @@`; fetch the raw mail".into()),
    });
    let mut damages: Vec<Damage> = headers.collect();
    if damages.is_empty() && file.lacks_hunks() {
        damages.push(Damage {
            kind: DamageKind::NoHunk,
            lines: vec![file.line],
            proof: "nothing below the file's names says what changes".into(),
            fix: Fix::None("the hunks are nowhere in the input; fetch the whole mail".into()),
        });
    }
    damages
}

/// A whole hunk that ends with an added line and text right behind it, which may be the rest of that line: git and patch
/// pass over it.
pub fn loose_end(hunk: &Hunk) -> Option<Damage> {
    let fix = Fix::None("it may be the rest of that line or a text; compare with the raw mail".into());
    behind_added(hunk.lines()?.last()?, hunk.tail.as_ref()?, fix)
}

/// Added lines of a program with the quotes that mail clients put in place of `"` and `'`. Nothing says whether one did.
fn typographic(file: &FileDiff) -> Option<Damage> {
    const PROSE: [&str; 5] = [".rst", ".txt", ".md", ".po", ".html"];
    if PROSE.iter().any(|end| file.path().ends_with(end)) {
        return None;
    }
    let added = file.hunks.iter().filter_map(Hunk::lines).flatten().filter(|line| line.kind == Kind::Add);
    let quoted = |text: &str| text.contains(['\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}']);
    let lines: Vec<usize> = added.filter(|line| quoted(&line.text)).map(|line| line.line).collect();
    (!lines.is_empty()).then(|| Damage {
        kind: DamageKind::TypographicQuotes,
        lines,
        proof: "added lines have quotes as mail clients set them".into(),
        fix: Fix::None("they may be the author's; compare with the raw mail".into()),
    })
}

/// Reads a hunk that is damaged, or whose header is; nothing of a whole one is in the answer.
pub fn repair(hunk: &Hunk, budget: &Budget) -> Repair {
    let mut repair = match &hunk.body {
        Body::Whole(lines) if hunk.header != Header::Exact => {
            Repair { damages: Vec::new(), readings: vec![Reading::of(lines.clone())] }
        }
        Body::Whole(_) => return Repair::default(),
        Body::Wrapped(damage) => Repair { damages: vec![damage.clone()], readings: Vec::new() },
        Body::RunTogether(_) => Repair {
            damages: vec![Damage {
                kind: DamageKind::LineBreaksLost,
                lines: vec![hunk.line],
                proof: format!("a hunk of {} and {} lines stands on one line", hunk.old.len, hunk.new.len),
                fix: Fix::None("nothing says where each line ended; fetch the raw mail".into()),
            }],
            readings: Vec::new(),
        },
        Body::Damaged { raw, at_end } => Search::new(hunk, raw, budget).repair(*at_end),
    };
    let header = match hunk.header {
        Header::Exact => return repair,
        Header::Wrapped => {
            (DamageKind::LineWrapped, "a hunk's header ends inside its numbers", "joined to the line below")
        }
        Header::Misspelt => (
            DamageKind::HunkHeader,
            "a blank or an `@` too few or too many, and all four numbers are there",
            "read by its numbers, which the lines below it bear out",
        ),
    };
    let (kind, proof, fix) = header;
    let fix = match repair.readings.is_empty() {
        false => Fix::OneWay(fix.into()),
        true => Fix::None("the lines below it do not count right; fetch the raw mail".into()),
    };
    repair.damages.insert(0, Damage { kind, lines: vec![hunk.line], proof: proof.into(), fix });
    repair
}

/// The reading of a whole hunk whose last line was broken in two, so that the count stays right.
pub fn with_tail(hunk: &Hunk) -> Option<(Reading, Damage)> {
    let (lines, tail) = (hunk.lines()?, hunk.tail.as_ref()?);
    let mut reading = Reading::of(lines.to_vec());
    let last = reading.lines.last_mut().filter(|last| !last.text.trim().is_empty() && last.newline)?;
    let lost = join(last, tail) && last.kind == Kind::Add;
    let proof = "it stands right behind the hunk, whose last line is in the source only with it";
    let fix = match lost {
        true => Fix::InPart(BLANKS_UNKNOWN.into()),
        false => Fix::OneWay("joined to the line before".into()),
    };
    Some((
        reading,
        Damage { kind: DamageKind::LineWrapped, lines: vec![tail.number], proof: proof.into(), fix },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff;
    use crate::text::lines;

    fn read(text: &str) -> (Repair, usize) {
        let diff = diff::read(&lines(&format!("--- a/x\n+++ b/x\n{text}"), 1));
        let budget = Budget::of(200_000_000);
        let repair = repair(&diff.files[0].hunks[0], &budget);
        (repair, budget.taken())
    }

    #[test]
    fn the_search_for_readings_is_bounded() {
        // context that lost its marks, and no way to count right: once for each choice that was twice as many steps
        for count in [16, 24, 200, 700] {
            let bare = "x = y;\n".repeat(count);
            let (found, steps) =
                read(&format!("@@ -1,{} +1,{} @@\n a\n{bare}+b\n c\n", count + 9, count + 10));
            assert!(found.readings.is_empty() && !found.damages.is_empty());
            assert!(steps <= 160 * (count + 4) * (count + 4), "{count}: {steps}");
        }
        // and more ways than are looked at
        for count in [24, 200] {
            let bare = "x = y;\n".repeat(count);
            let (found, steps) =
                read(&format!("@@ -1,{} +1,{} @@\n a\n{bare}+b\n c\n", count / 2 + 2, count / 2 + 3));
            assert!(found.readings.is_empty());
            assert!(found.damages[0].to_string().contains("given up after 64 ways"), "{}", found.damages[0]);
            assert!(steps <= 160 * (count + 4) * (count + 4) + 64 * 60 * count, "{count}: {steps}");
        }
    }
}
