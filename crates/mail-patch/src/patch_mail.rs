//! The patches in an input, each with what its mail says about it.

use super::damage::Damage;
use super::diff::{self, Diff, Hunk};
use super::input::{Input, Message, Part};
use super::repair::{self, Reading};
use super::subject::{self, Subject};
use super::tags::{self, Tags};
use super::text::Line;
use super::{run_together, transfer};

/// One patch.
#[derive(Clone, Debug)]
pub struct PatchMail {
    /// Its subject; absent for a bare diff.
    pub subject: Option<Subject>,
    /// The author: the `From:` of the body where the mail was sent by someone else.
    pub author: Option<String>,
    /// Who sent the mail.
    pub sender: Option<String>,
    /// The mail's date, in its own words.
    pub date: Option<String>,
    /// The mail's message id.
    pub id: Option<String>,
    /// The attachment that holds it.
    pub attachment: Option<String>,
    /// What its description says.
    pub tags: Tags,
    /// Line of the input where the diff starts.
    pub line: usize,
    /// The diff as it stands there.
    pub as_sent: Diff,
    /// The diff after what a transfer encoding did to it was undone; the same as `as_sent` where nothing was.
    pub decoded: Diff,
    /// What is damaged, hunks included.
    pub damages: Vec<Damage>,
}

/// The ways to read a hunk: its own lines where it is whole.
pub(super) fn readings(hunk: &Hunk) -> Vec<Reading> {
    match hunk.lines() {
        Some(lines) => {
            vec![Reading { lines: lines.to_vec(), lost_blanks: 0, loose: false, section: None }]
        }
        None => repair::repair(hunk).readings,
    }
}

impl PatchMail {
    /// The patches of an input, in order. A message quoted in another one is not taken for a patch.
    pub fn all(input: &Input) -> Vec<PatchMail> {
        input
            .messages
            .iter()
            .flat_map(|message| message.parts.iter().filter_map(|part| patch(message, part)))
            .collect()
    }

    /// Title or what stands for it.
    pub fn title(&self) -> &str {
        self.subject.as_ref().map_or("(no subject)", |subject| subject.title.as_str())
    }
}

/// The patches to apply together: a single one, or a series in order. Anything else needs the user's choice.
///
/// # Errors
/// A sentence that lists the patches that are there.
pub fn series(patches: &[PatchMail]) -> Result<Vec<&PatchMail>, String> {
    if patches.is_empty() {
        return Err(
            "no patch: no line starts with `diff --git`, or with `--- ` and `+++ ` on two lines".into()
        );
    }
    if patches.len() == 1 {
        return Ok(vec![&patches[0]]);
    }
    let part = |patch: &&PatchMail| patch.subject.as_ref().and_then(|subject| subject.part);
    let version = |patch: &&PatchMail| patch.subject.as_ref().and_then(|subject| subject.version);
    let mut parts: Vec<&PatchMail> = patches.iter().collect();
    parts.sort_by_key(|patch| part(patch));
    let same = parts.windows(2).all(|two| version(&two[0]) == version(&two[1]));
    let length = part(&parts[0]).map(|(_, of)| of);
    let counted = parts.iter().zip(1..).all(|(patch, number)| part(patch) == length.map(|of| (number, of)));
    if same && counted && length.is_some() && length == u32::try_from(parts.len()).ok() {
        return Ok(parts);
    }
    let listed: Vec<String> = patches
        .iter()
        .zip(1..)
        .map(|(patch, number)| format!("  {number}: line {}: {}", patch.line, patch.title()))
        .collect();
    Err(format!(
        "{} patches that are no whole series; choose one with --pick NUMBER:\n{}",
        patches.len(),
        listed.join("\n")
    ))
}

fn patch(message: &Message, part: &Part) -> Option<PatchMail> {
    let whole = diff::start(&part.lines);
    let together = if whole.is_none() { run_together::start(&part.lines) } else { None };
    let at = whole.or(together.map(|(at, _)| at))?;
    let mut damages = Vec::new();
    let (as_sent, decoded) = if let Some((at, _)) = together {
        let diff = run_together::read(&part.lines[at]);
        (diff.clone(), diff)
    } else {
        let as_sent = diff::read(&part.lines[at..]);
        let (lines, found) = transfer::undo(part.lines[at..].to_vec(), part.flowed);
        let decoded = if found.is_empty() { as_sent.clone() } else { diff::read(&lines) };
        damages.extend(found);
        (as_sent, decoded)
    };
    damages.extend(decoded.hunks().flat_map(|(_, hunk)| repair::repair(hunk).damages));
    let description = description(message, part, at, together);
    let from = description.iter().find(|line| !line.text.trim().is_empty());
    let in_body = from.and_then(|line| line.text.strip_prefix("From: ")).map(|name| name.trim().to_owned());
    let line = decoded.files.first().map_or(part.lines[at].number, |file| file.line);
    Some(PatchMail {
        subject: message.subject.as_deref().map(subject::parse),
        author: in_body.or_else(|| message.from.clone()),
        sender: message.from.clone(),
        date: message.date.clone(),
        id: message.id.clone(),
        attachment: part.name.clone(),
        tags: tags::parse(&description),
        line,
        as_sent,
        decoded,
        damages,
    })
}

/// The text before the diff; for an attachment also that of the mail it came with.
fn description(message: &Message, part: &Part, at: usize, together: Option<(usize, usize)>) -> Vec<Line> {
    let mut lines = Vec::new();
    if let Some(body) = message.parts.first().filter(|body| !std::ptr::eq(*body, part)) {
        lines.extend(body.lines.iter().cloned());
    }
    lines.extend(part.lines[..at].iter().cloned());
    if let Some((at, offset)) = together {
        let line = &part.lines[at];
        lines.push(Line::new(line.number, &line.text[..offset]));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_sent_a_patch_need_not_have_written_it() {
        let text = "From: S <s@example.org>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: [PATCH] x\n\n\
            From: A <a@example.org>\n\nwhy\n---\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        let patches = PatchMail::all(&Input::read("x", text.as_bytes()).expect("a mail"));
        let patch = &patches[0];
        assert_eq!(patch.sender.as_deref(), Some("S <s@example.org>"));
        assert_eq!(patch.author.as_deref(), Some("A <a@example.org>"));
        assert_eq!(patch.date.as_deref(), Some("Mon, 20 Apr 2026 09:22:00 -0400"));
    }
}
