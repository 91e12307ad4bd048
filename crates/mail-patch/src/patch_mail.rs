//! The patches in an input, each with what its mail says about it.

use std::collections::HashMap;

use super::budget::{Budget, Pool};
use super::damage::Damage;
use super::diff::{self, Diff};
use super::input::{Input, Message, Part};
use super::repair;
use super::subject::{self, LineName, Subject, Target};
use super::tags::{self, Tags};
use super::text::Line;
use super::wrapping::{self, Unwrapped};
use super::{flowed, run_together, stat, transfer};

/// One patch.
#[derive(Clone, Debug)]
pub struct PatchMail {
    /// Its subject; absent for a bare diff.
    pub subject: Option<Subject>,
    /// The author: the `From:` of the body where the mail was sent by someone else.
    pub author: Option<String>,
    /// The subject as it was sent, on one line.
    pub sent_as: Option<String>,
    /// Who sent the mail.
    pub sender: Option<String>,
    /// The mail's date, in its own words.
    pub date: Option<String>,
    /// The mail's message id.
    pub id: Option<String>,
    /// The ids of the messages before it in its thread, the first one first.
    pub references: Vec<String>,
    /// The commit that `git format-patch` names before it, in the repository where it was run.
    pub commit: Option<String>,
    /// The file that it was read from, or what stands for it.
    pub file: String,
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

impl PatchMail {
    /// The patches of an input, in order. One that is quoted in another message counts only where nothing else is there.
    pub fn all(input: &Input) -> Vec<PatchMail> {
        let read = |how: fn(&[Line]) -> Option<Standing>| -> Vec<PatchMail> {
            let parts = input.messages.iter().flat_map(|message| {
                message.parts.iter().filter_map(move |part| Some((message, part, how(&part.lines)?)))
            });
            let parts: Vec<(&Message, &Part, Standing)> = parts.collect();
            let (count, bytes) = (parts.len(), parts.iter().map(|(_, _, found)| found.decoded.bytes()).sum());
            let pool = Pool::reading(count, bytes);
            let shares = Shares::of(&parts);
            (1..)
                .zip(parts)
                .map(|(at, (message, part, standing))| {
                    let read = |budget: &Budget| {
                        patch(message, part, standing, &input.name, shares.body(message), budget)
                    };
                    pool.next(at == count, read)
                })
                .collect()
        };
        let plain = read(Standing::plain);
        if plain.is_empty() { read(Standing::quoted) } else { plain }
    }

    /// Title or what stands for it.
    pub fn title(&self) -> &str {
        self.subject.as_ref().map_or("(no subject)", |subject| subject.title.as_str())
    }

    /// Its version; one that names none is the first.
    pub fn version(&self) -> u32 {
        self.subject.as_ref().and_then(|subject| subject.version).unwrap_or(1)
    }

    /// Its number in its series and the length of that.
    pub fn part(&self) -> Option<(u32, u32)> {
        self.subject.as_ref().and_then(|subject| subject.part)
    }

    /// The stable lines that it is for, as its subject has them.
    pub fn target(&self) -> Option<&Target> {
        self.subject.as_ref().and_then(|subject| subject.target.as_ref())
    }

    /// Whether it is for this line; one that names none is for all.
    pub fn is_for(&self, line: LineName) -> bool {
        self.target().is_none_or(|target| target.covers(line.0))
    }

    /// The id of the first message of its thread.
    pub fn thread(&self) -> Option<&str> {
        self.references.first().or(self.id.as_ref()).map(String::as_str)
    }
}

/// A diff in the lines of a part.
struct Standing {
    /// The lines before it.
    description: Vec<Line>,
    as_sent: Diff,
    decoded: Diff,
    damages: Vec<Damage>,
    line: usize,
}

impl Standing {
    fn plain(lines: &[Line]) -> Option<Standing> {
        if let Some(unwrapped) = wrapping::single_spaced(lines) {
            return Some(Standing::unwrapped(unwrapped));
        }
        let Some(at) = diff::start(lines) else { return Standing::run_together(lines) };
        let as_sent = diff::read(&lines[at..]);
        let (undone, mut damages) = transfer::undo(lines[at..].to_vec());
        let decoded = if damages.is_empty() {
            match flowed::undeclared(&lines[..at], &undone) {
                Some((undone, damage)) => {
                    damages.push(damage);
                    diff::read(&undone)
                }
                None => as_sent.clone(),
            }
        } else {
            diff::read(&undone)
        };
        Some(Standing {
            description: lines[..at].to_vec(),
            as_sent,
            decoded,
            damages,
            line: lines[at].number,
        })
    }

    fn quoted(lines: &[Line]) -> Option<Standing> {
        let found = wrapping::unquoted(lines).map(Standing::unwrapped);
        found.filter(|found| found.decoded.hunks().next().is_some())
    }

    fn unwrapped(Unwrapped { lines, start, damage }: Unwrapped) -> Standing {
        let (undone, damages) = transfer::undo(lines[start..].to_vec());
        let decoded = diff::read(&undone);
        Standing {
            as_sent: wrapping::as_it_stands(decoded.clone(), &damage),
            decoded,
            line: lines[start].number,
            damages: [damage].into_iter().chain(damages).collect(),
            description: lines[..start].to_vec(),
        }
    }

    fn run_together(lines: &[Line]) -> Option<Standing> {
        let (at, offset) = run_together::start(lines)?;
        let diff = run_together::read(&lines[at]);
        let before = Line::new(lines[at].number, &lines[at].text[..offset]);
        Some(Standing {
            description: lines[..at].iter().cloned().chain([before]).collect(),
            as_sent: diff.clone(),
            decoded: diff,
            damages: Vec::new(),
            line: lines[at].number,
        })
    }
}

/// How much of a mail's body counts for each of its attachments: all of it, but in a mail of so many that reading it for
/// each would never end.
struct Shares {
    /// Patches by the line that their mail begins at.
    parts: HashMap<usize, usize>,
}

impl Shares {
    fn of(parts: &[(&Message, &Part, Standing)]) -> Shares {
        let mut counts = HashMap::new();
        for (message, ..) in parts {
            *counts.entry(message.line).or_insert(0) += 1;
        }
        Shares { parts: counts }
    }

    /// The body's lines for one of its attachments.
    fn body<'m>(&self, message: &'m Message) -> &'m [Line] {
        /// Lines that are read for all attachments.
        const LINES: usize = 20_000;
        let lines = message.parts.first().map_or(&[][..], |body| &body.lines);
        let most = LINES / self.parts.get(&message.line).copied().unwrap_or(1).max(1);
        if self.parts.get(&message.line).is_none_or(|count| *count < 2) {
            lines
        } else {
            &lines[..lines.len().min(most)]
        }
    }
}

fn patch(
    message: &Message,
    part: &Part,
    standing: Standing,
    input: &str,
    body: &[Line],
    budget: &Budget,
) -> PatchMail {
    let Standing { description, as_sent, decoded, mut damages, line } = standing;
    damages.extend(repair::damages(&decoded, budget));
    let description = described(message, part, body, description);
    damages.extend(stat::check(&description, &decoded));
    let from = description.iter().find(|line| !line.text.trim().is_empty());
    let in_body = from.and_then(|line| line.text.strip_prefix("From: ")).map(|name| name.trim().to_owned());
    let line = decoded.files.first().map_or(line, |file| file.line);
    let mut tags = tags::parse(&description);
    // `git format-patch` names a commit that nobody else has, unless it was run in mainline
    if tags.upstream.is_none() && tags.reverts.is_empty() && is_backport_folder(input) {
        tags.upstream.clone_from(&message.separator);
    }
    PatchMail {
        subject: message.subject.as_deref().map(subject::parse),
        author: in_body.or_else(|| message.from.clone()),
        sent_as: message.subject.clone(),
        sender: message.from.clone(),
        date: message.date.clone(),
        id: message.id.clone(),
        references: message.references.clone(),
        commit: message.separator.clone(),
        file: input.to_owned(),
        attachment: part.name.clone(),
        tags,
        line,
        as_sent,
        decoded,
        damages,
    }
}

/// Whether a file lies below one of OpenWrt's folders for patches that are upstream, such as `backport-6.6`.
fn is_backport_folder(name: &str) -> bool {
    let mut folders = name.split('/').rev().skip(1);
    folders.any(|folder| folder == "backport" || folder.starts_with("backport-"))
}

/// The text before the diff and the headers that belong to it; for an attachment also that of the mail it came with.
fn described(message: &Message, part: &Part, body: &[Line], before: Vec<Line>) -> Vec<Line> {
    let mut lines = Vec::new();
    if message.parts.first().is_some_and(|first| !std::ptr::eq(first, part)) {
        lines.extend(body.iter().cloned());
    }
    lines.extend(before);
    if !message.headers.is_empty() {
        // a paragraph of their own, before the line that ends the description
        let end = lines.iter().position(|line| line.text.trim_end() == "---").unwrap_or(lines.len());
        let empty = || std::iter::once(Line::new(message.line, ""));
        lines.splice(end..end, empty().chain(message.headers.iter().cloned()).chain(empty()));
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
