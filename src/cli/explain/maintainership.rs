//! Who looks after the guilty file, by the `MAINTAINERS` of a kernel tree.

use std::path::{Path, PathBuf};

use kernel_maintainers::Maintainers;
use serde::Serialize;

use super::{ExplainError, read_error};

/// So many addresses are shown to a reader.
const SHOWN: usize = 8;

/// A kernel tree and who maintains what.
pub(super) struct Tree {
    root: PathBuf,
    maintainers: Maintainers,
}

/// Who looks after a file.
#[derive(Serialize)]
pub(super) struct Maintainership {
    /// The most specific section that the file is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    subsystem: Option<String>,
    /// What the section says of its state: `Maintained`, `Orphan` …
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<String>,
    /// People, then lists.
    contacts: Vec<Contact>,
}

#[derive(Serialize)]
struct Contact {
    address: String,
    role: &'static str,
    section: String,
}

impl Tree {
    /// Reads the tree's `MAINTAINERS`.
    pub(super) fn open(root: &Path) -> Result<Tree, ExplainError> {
        let file = root.join("MAINTAINERS");
        let bytes = std::fs::read(&file).map_err(|source| read_error(&file, source))?;
        // a few names are in other encodings
        let text = String::from_utf8_lossy(&bytes);
        let maintainers = Maintainers::parse(&text, |path| root.join(path).is_dir());
        if maintainers.is_empty() {
            return Err(ExplainError::NoMaintainers { file: file.display().to_string() });
        }
        let mailmap = std::fs::read(root.join(".mailmap")).unwrap_or_default();
        let maintainers = maintainers.with_mailmap(&String::from_utf8_lossy(&mailmap));
        Ok(Tree { root: root.to_owned(), maintainers })
    }

    /// Who looks after this file; nobody where the tree has no such file, or an absolute path has no part that it has.
    pub(super) fn who(&self, file: &str) -> Option<Maintainership> {
        let path = self.in_tree(file)?;
        let section = self.maintainers.subsystem_of(path);
        let contact = |contact: kernel_maintainers::Contact| Contact {
            address: contact.address,
            role: contact.role.word(),
            section: contact.section,
        };
        Some(Maintainership {
            subsystem: section.map(|section| section.name.clone()),
            status: section.and_then(|section| section.status.clone()),
            contacts: self.maintainers.contacts_of(path).into_iter().map(contact).collect(),
        })
    }

    /// The file's path in the tree: without the folder that it was compiled in.
    fn in_tree<'f>(&self, file: &'f str) -> Option<&'f str> {
        let file = file.trim_start_matches("./");
        let starts = std::iter::once(0).chain(file.match_indices('/').map(|(at, _)| at + 1));
        let mut paths =
            starts.map(|at| &file[at..]).filter(|path| !path.starts_with('/') && !path.is_empty());
        paths.find(|path| path.contains('/') && self.root.join(path).is_file())
    }
}

impl Maintainership {
    /// On one line: the subsystem, then the addresses.
    pub(super) fn line(&self) -> String {
        let mut addresses: Vec<&str> =
            self.contacts.iter().take(SHOWN).map(|contact| contact.address.as_str()).collect();
        let more = self.contacts.len().saturating_sub(SHOWN);
        let more = format!("and {more} more");
        if self.contacts.len() > SHOWN {
            addresses.push(&more);
        }
        let status = self.status.as_ref().map(|status| format!(" ({status})")).unwrap_or_default();
        match &self.subsystem {
            Some(subsystem) => format!("{subsystem}{status}: {}", addresses.join(", ")),
            None => addresses.join(", "),
        }
    }
}
