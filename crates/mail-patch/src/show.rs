//! What a patch says and what became of it, for a reader.

use std::fmt::Write;

use terminal_text as plain;

use super::apply::{Application, HunkResult, Outcome};
use super::diff::{FileDiff, Hunk};
use super::input::Input;
use super::patch_mail::PatchMail;
use super::reason::Reason;

/// Lines of the source shown for a hunk that does not fit.
const SHOWN: usize = 24;

/// What was read from the input.
pub fn patches(input: &Input, patches: &[PatchMail]) -> String {
    let messages = match input.messages.len() {
        1 => String::new(),
        several => format!(", {several} messages"),
    };
    let word = if patches.len() == 1 { "patch" } else { "patches" };
    let mut out = format!("{}: {}{messages}, {} {word}\n", input.name, input.form.words(), patches.len());
    for (number, one) in (1..).zip(patches) {
        patch(&mut out, number, one, None, None);
    }
    plain::lines(&out)
}

/// One patch; with the file that it is in, and why it is left out.
pub(super) fn patch(
    out: &mut String,
    number: usize,
    patch: &PatchMail,
    file: Option<&str>,
    left_out: Option<&str>,
) {
    let file = file.map(|file| format!("{file}, ")).unwrap_or_default();
    let left_out = left_out.map(|why| format!(" (left out: {why})")).unwrap_or_default();
    let _ = writeln!(out, "  {number}: {file}line {}{left_out}", patch.line);
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            let _ = writeln!(out, "    {name:<10} {}", plain::line(value));
        }
    };
    let mut marks = Vec::new();
    if let Some(subject) = &patch.subject {
        let flags = [(subject.autosel, "AUTOSEL"), (subject.rfc, "RFC"), (subject.resend, "RESEND")];
        marks.extend(flags.iter().filter(|(set, _)| *set).map(|(_, word)| (*word).to_owned()));
        marks.extend(subject.version.map(|version| format!("v{version}")));
        marks.extend(subject.part.map(|(at, of)| format!("{at} of {of}")));
        marks.extend(subject.tree.clone());
    }
    let target = patch.subject.as_ref().and_then(|subject| subject.target.as_ref());
    row("subject", patch.title());
    row("marked", &marks.join(", "));
    row("for", &target.map(|target| format!("{target} (stable lines)")).unwrap_or_default());
    row("author", patch.author.as_deref().unwrap_or_default());
    row("attachment", patch.attachment.as_deref().unwrap_or_default());
    row("upstream", patch.tags.upstream.as_deref().unwrap_or_default());
    for reverted in &patch.tags.reverts {
        let upstream = reverted.upstream.as_ref().map(|id| format!(" (upstream {id})")).unwrap_or_default();
        row("reverts", &format!("{}{upstream}", reverted.commit));
    }
    for fixes in &patch.tags.fixes {
        let title = fixes.title.as_ref().map(|title| format!(" (\"{title}\")")).unwrap_or_default();
        row("fixes", &format!("{}{title}", fixes.commit));
    }
    if let Some(stable) = &patch.tags.stable {
        row("stable", stable.note.as_deref().unwrap_or("asked for"));
        for first in &stable.prerequisites {
            let title = first.title.as_ref().map(|title| format!(" (\"{title}\")")).unwrap_or_default();
            row("needs", &format!("{}{title} on {}", first.commit, first.line));
        }
    }
    row("syzbot", &patch.tags.syzbot.join(", "));
    if let Some(test) = &patch.tags.syz_test {
        row("syz test", &format!("{} {}", test.repository, test.branch));
    }
    for name in ["Closes", "Link"] {
        patch.tags.values(name).for_each(|value| row(&name.to_lowercase(), value));
    }
    patch.decoded.files.iter().for_each(|file| row("file", &file_line(file)));
    patch.damages.iter().for_each(|damage| row("damage", &damage.to_string()));
}

fn file_line(file: &FileDiff) -> String {
    let whole = file.hunks.iter().filter_map(Hunk::lines).count();
    let hunks = if file.hunks.len() == 1 { "hunk" } else { "hunks" };
    let (added, removed) = file.changed();
    let damaged = match file.hunks.len() - whole {
        0 => format!("+{added} -{removed}"),
        damaged => format!("{damaged} damaged"),
    };
    let kind = match (&file.old_path, &file.new_path) {
        (None, _) if file.binary => ", new, binary",
        (_, None) if file.binary => ", deleted, binary",
        (None, _) => ", new",
        (_, None) => ", deleted",
        _ if file.combined => ", of a merge",
        _ if file.binary => ", binary",
        _ if file.renamed() => ", renamed",
        _ => "",
    };
    format!("{} ({} {hunks}, {damaged}{kind})", file.path(), file.hunks.len())
}

/// What became of it on one source.
pub fn application(tree: &str, result: &Application) -> String {
    let mut out = format!("{tree}: {}\n", result.outcome.words());
    result.doubts.iter().for_each(|doubt| {
        let _ = writeln!(out, "  doubtful: {doubt}");
    });
    for (path, count) in &result.conflicts {
        let places = if *count == 1 { "place" } else { "places" };
        let path = plain::line(path);
        let _ = writeln!(out, "  {path}: a three-way merge conflicts in {count} {places}");
    }
    for file in &result.files {
        let path = plain::line(&file.path);
        if let Some(problem) = &file.problem {
            let _ = writeln!(out, "  {path}: {problem}");
        }
        for (line, hunk) in &file.hunks {
            let _ = write!(out, "  {path}: hunk of line {line}: ");
            match hunk {
                HunkResult::Applied(applied) => {
                    let _ = write!(out, "applied at line {}", applied.at);
                    if applied.offset != 0 {
                        let _ = write!(out, ", offset {}", applied.offset);
                    }
                    if applied.fuzz > 0 {
                        let _ = write!(out, ", fuzz {}", applied.fuzz);
                    }
                    out.push('\n');
                    for damage in &applied.repaired {
                        let _ = writeln!(out, "    repaired: {}: {}", damage.kind.words(), damage.fix.text());
                    }
                }
                HunkResult::Failed(_) if result.outcome == Outcome::Merged => out.push_str("merged\n"),
                HunkResult::Failed(reason) => {
                    let _ = writeln!(out, "{reason}");
                    details(&mut out, reason);
                }
            }
        }
    }
    plain::lines(&out)
}

fn details(out: &mut String, reason: &Reason) {
    let Reason::ContextDiffers { differences, touched, .. } = reason else { return };
    if !differences.is_empty() {
        out.push_str("    - expected by the patch, + in the source\n");
    }
    for line in differences.iter().take(SHOWN) {
        let _ = writeln!(out, "    {}", line.trim_end());
    }
    if !touched.is_empty() {
        out.push_str("    last touched by:\n");
    }
    for commit in touched {
        let _ = writeln!(out, "      {commit}");
    }
}
