//! Patches in the order in which they are to be applied: mboxes and threads, quilt's folders, folders of numbered
//! patches, the commits of a repository.
//!
//! [`Queue::open`] reads one, [`apply`] tries it on a source. What does not belong to it, such as an older version, a
//! reply that carries a diff or a patch that was sent twice, is left out and named; each can still be picked.

mod folder;
mod hole;
mod onto;
mod open;
mod pick;
mod quilt;
mod show;
mod thread;

use super::patch_mail::PatchMail;
use super::subject::LineName;

pub use self::folder::by_number;
pub use self::onto::{PatchApplication, QueueApplication, apply};
pub use self::open::{QueueError, at_commit};
pub use self::pick::{Pick, PickError};
pub use self::show::{application, queue};

/// Where a queue came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueKind {
    /// A diff, with or without a text before it.
    PatchFile,
    /// One mail.
    Mail,
    /// Several mails.
    Mbox,
    /// A thread as a page of a web archive.
    WebPage,
    /// A folder with quilt's `series` file, as Debian's sources and the stable queue have it.
    Quilt,
    /// A folder of patch files.
    Folder,
    /// Commits of a git repository.
    Commits,
}

impl QueueKind {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            QueueKind::PatchFile => "patch file",
            QueueKind::Mail => "mail",
            QueueKind::Mbox => "mbox",
            QueueKind::WebPage => "page of a web archive",
            QueueKind::Quilt => "quilt series",
            QueueKind::Folder => "folder of patches",
            QueueKind::Commits => "commits",
        }
    }
}

/// A patch with its number.
#[derive(Clone, Debug)]
pub struct Queued {
    /// What picks it: its number in its series, else its place, from 1; of one that is left out a number behind these.
    pub number: usize,
    /// The patch.
    pub patch: PatchMail,
    /// Why it is not applied; absent for one that is.
    pub left_out: Option<String>,
}

/// Something that belongs to a queue and is not there.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missing {
    /// Its number.
    pub number: usize,
    /// What is known of it.
    pub what: String,
}

/// The mail before a series, which says what it is about.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Cover {
    /// Its subject as it was sent, on one line.
    pub subject: String,
    /// Who sent it.
    pub from: Option<String>,
    /// When, in the sender's words.
    pub date: Option<String>,
    /// Its message id.
    pub id: Option<String>,
}

/// Patches to be applied in order.
#[derive(Clone, Debug)]
pub struct Queue {
    /// What was named.
    pub name: String,
    /// What it is.
    pub kind: QueueKind,
    /// How many messages or files were read.
    pub messages: usize,
    /// The patches, in order.
    pub patches: Vec<Queued>,
    /// Patches that are there and no part of it, in the order of the input.
    pub left_out: Vec<Queued>,
    /// What is not there.
    pub missing: Vec<Missing>,
    /// What else has to be known of the reading.
    pub notes: Vec<String>,
    /// The sets of stable lines that its patches are for, where these are several: a source gets those of its own line.
    pub alternatives: Vec<String>,
    /// The commit that the queue was made on: `base-commit:`.
    pub base_commit: Option<String>,
    /// Patches that it needs first, by `git patch-id`: `prerequisite-patch-id:`.
    pub prerequisites: Vec<String>,
    /// The mails with the number 0, those of other versions included.
    pub covers: Vec<Cover>,
}

impl Queue {
    /// The patches to apply.
    pub fn mails(&self) -> Vec<&PatchMail> {
        self.patches.iter().map(|queued| &queued.patch).collect()
    }

    /// All patches, those that are left out behind the others.
    pub fn all(&self) -> impl Iterator<Item = &Queued> {
        self.patches.iter().chain(&self.left_out)
    }

    /// The mail with the number 0 of the version that is applied.
    pub fn cover(&self) -> Option<&Cover> {
        let version = self.patches.first().map_or(1, |queued| queued.patch.version());
        let of = |cover: &Cover| super::subject::parse(&cover.subject).version.unwrap_or(1);
        self.covers.iter().rev().find(|cover| of(cover) == version)
    }

    /// What is missing, in a line; absent where all is there.
    pub fn hole(&self) -> Option<String> {
        /// More are counted.
        const NAMED: usize = 20;
        let missing: Vec<&str> = self.missing.iter().map(|one| one.what.as_str()).collect();
        match missing.as_slice() {
            [] => None,
            [one] => Some(format!("{one} is missing")),
            many if many.len() > NAMED => {
                Some(format!("{} and {} more are missing", many[..NAMED].join(", "), many.len() - NAMED))
            }
            several => Some(format!("{} are missing", several.join(", "))),
        }
    }

    /// The patches for a source of this line: all, but where they are for several lines those for it and those for none.
    ///
    /// # Errors
    /// They are for several lines, and none is for this one, or it is not known.
    pub fn for_line(&self, line: Option<LineName>) -> Result<Vec<Queued>, String> {
        if self.alternatives.is_empty() {
            return Ok(self.patches.clone());
        }
        let there = self.alternatives.join(", ");
        let Some(line) = line else {
            return Err(format!(
                "patches for several lines, {there}, and the line of the source is not known"
            ));
        };
        let named = |queued: &&Queued| queued.patch.target().is_some() && queued.patch.is_for(line);
        if !self.patches.iter().any(|queued| named(&queued)) {
            return Err(format!("patches for several lines, {there}, and the source is of {line}"));
        }
        Ok(self.patches.iter().filter(|queued| queued.patch.is_for(line)).cloned().collect())
    }

    /// Keeps the patches that were picked by number. Nothing of what is picked is missing then.
    fn picked(mut self, pick: &Pick) -> Result<Queue, PickError> {
        if !pick.is_by_number() {
            return Ok(self);
        }
        let all: Vec<Queued> =
            std::mem::take(&mut self.patches).into_iter().chain(self.left_out.drain(..)).collect();
        pick.check(&all.iter().map(|queued| queued.number).collect::<Vec<_>>(), &self.missing)?;
        for mut queued in all {
            if pick.takes(queued.number) {
                queued.left_out = None;
                self.patches.push(queued);
            } else {
                queued.left_out.get_or_insert_with(|| "not picked".into());
                self.left_out.push(queued);
            }
        }
        self.missing.retain(|missing| pick.takes(missing.number));
        let lines = thread::targets(self.mails().into_iter());
        self.alternatives = if lines.len() > 1 && !self.alternatives.is_empty() { lines } else { Vec::new() };
        Ok(self)
    }
}
