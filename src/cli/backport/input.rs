//! What is handed in: a file, standard input, or a commit of a repository.

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::cli::error::CliError;
use crate::patch::{Input, PatchMail, git, series};

/// The patch or series that is meant, with where it came from.
pub struct Handed {
    /// Everything that was read.
    pub input: Input,
    /// The patches in it.
    pub patches: Vec<PatchMail>,
    /// The commit that was named, and the repository that has it.
    pub commit: Option<(PathBuf, String)>,
}

impl Handed {
    /// Reads `text`: a file, `-`, or REPOSITORY@COMMIT, where a range of commits is a series.
    pub fn read(text: &str) -> Result<Handed, CliError> {
        let (name, bytes, commit) = contents(text)?;
        let input = Input::read(&name, &bytes).map_err(CliError::setup)?;
        let patches = PatchMail::all(&input);
        Ok(Handed { input, patches, commit })
    }

    /// The patches to apply: the one that was picked, or the whole series.
    pub fn chosen(&self, pick: Option<usize>) -> Result<Vec<&PatchMail>, CliError> {
        let failed = |why: String| CliError::setup(format!("{}: {why}", self.input.name));
        match pick {
            None => series(&self.patches).map_err(failed),
            Some(number) => match number.checked_sub(1).and_then(|at| self.patches.get(at)) {
                Some(patch) => Ok(vec![patch]),
                None => {
                    let count = match self.patches.len() {
                        1 => "there is only one".to_owned(),
                        several => format!("there are {several}"),
                    };
                    Err(failed(format!("no patch {number}; {count}")))
                }
            },
        }
    }

    /// The subject of a patch as it was sent.
    pub fn subject(&self, patch: &PatchMail) -> String {
        let messages = &self.input.messages;
        let same = |message: &&crate::patch::input::Message| {
            messages.len() == 1 || message.id.is_some() && message.id == patch.id
        };
        let sent = messages.iter().find(same).and_then(|message| message.subject.clone());
        sent.unwrap_or_else(|| patch.title().to_owned())
    }
}

type Contents = (String, Vec<u8>, Option<(PathBuf, String)>);

fn contents(text: &str) -> Result<Contents, CliError> {
    if text == "-" {
        let mut bytes = Vec::new();
        let read = std::io::stdin().read_to_end(&mut bytes);
        read.map_err(|error| CliError::setup(format!("standard input: {error}")))?;
        return Ok(("standard input".into(), bytes, None));
    }
    let path = Path::new(text);
    if let (false, Some((folder, commit))) = (path.exists(), at_commit(text)) {
        let mails = git::as_mails(&folder, commit).filter(|mails| !mails.is_empty());
        let mails = mails.ok_or_else(|| {
            let text = format!(
                "{}: git gives no patch for `{commit}`; expected a commit that is no merge, or a range A..B",
                folder.display()
            );
            CliError::setup(text)
        })?;
        let id = git::resolve(&folder, commit).map(|id| (folder, id));
        return Ok((text.to_owned(), mails, id));
    }
    let bytes = std::fs::read(path).map_err(|error| {
        let hint = "expected a patch, a mail, an mbox, `-`, or REPOSITORY@COMMIT";
        CliError::setup(format!("cannot read {text}: {error}; {hint}"))
    })?;
    Ok((text.to_owned(), bytes, None))
}

/// A folder and what stands behind the first `@` that follows the name of one.
pub fn at_commit(text: &str) -> Option<(PathBuf, &str)> {
    text.match_indices('@')
        .map(|(at, _)| (PathBuf::from(&text[..at]), &text[at + 1..]))
        .find(|(folder, commit)| folder.is_dir() && !commit.is_empty())
}
