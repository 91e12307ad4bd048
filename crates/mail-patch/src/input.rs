//! What a user hands in, as messages: a patch file, a mail, an mbox, or a thread as a web page renders it.

use super::text::{self, Line};
use super::{clear_signed, foreign, mail, page, run_on};

/// Inputs larger than this are not read.
const LIMIT: usize = 64 << 20;

/// What the input looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A diff, with or without a text before it.
    PatchFile,
    /// One mail with its headers.
    Mail,
    /// Several mails, or one that starts with a `From ` line, as `git format-patch` writes them.
    Mbox,
    /// The text of a page of a mailing list's web archive.
    WebPage,
}

impl Form {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Form::PatchFile => "patch file",
            Form::Mail => "mail",
            Form::Mbox => "mbox",
            Form::WebPage => "page of a web archive",
        }
    }
}

/// Everything that was handed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The file's name, or what stands for it.
    pub name: String,
    /// What it looks like.
    pub form: Form,
    /// Its messages, in order; a patch file is one.
    pub messages: Vec<Message>,
}

/// One message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The line of the input where it starts.
    pub line: usize,
    /// The subject, decoded, on one line.
    pub subject: Option<String>,
    /// Who sent it.
    pub from: Option<String>,
    /// When, in the sender's words.
    pub date: Option<String>,
    /// Its message id, without the angle brackets.
    pub id: Option<String>,
    /// The ids of the messages before it in its thread, the first one first.
    pub references: Vec<String>,
    /// The commit that the separator before it names, as `git format-patch` writes it.
    pub separator: Option<String>,
    /// Headers that say what else stands in descriptions, such as Debian's `Origin:`.
    pub headers: Vec<Line>,
    /// Its texts: the body first, then attachments.
    pub parts: Vec<Part>,
}

/// A text of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// The attachment's file name.
    pub name: Option<String>,
    /// Whether the lines are counted in the decoded text and not in the input, as those of a base64 attachment are.
    pub decoded: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

/// The input cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// It is empty.
    #[error("{name}: empty; expected a patch, a mail or a thread with a patch in it")]
    Empty {
        /// The file.
        name: String,
    },
    /// It is larger than any patch.
    #[error("{name}: {size} bytes; a patch or thread of more than {LIMIT} bytes is not read")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size, bytes.
        size: usize,
    },
    /// It is packed, or in UTF-16.
    #[error("{name}:1: the first bytes are {whose}; unpack it to text first")]
    Packed {
        /// The file.
        name: String,
        /// Of which format they are.
        whose: &'static str,
    },
    /// It is no text.
    #[error("{name}:{line}: a zero byte; expected text: a patch, a mail, an mbox or a saved thread")]
    Binary {
        /// The file.
        name: String,
        /// The line of the first zero byte.
        line: usize,
    },
    /// It is the source of a web page.
    #[error(
        "{name}:1: the HTML source of a page; save the page as text, or fetch the message's raw form or mbox"
    )]
    Html {
        /// The file.
        name: String,
    },
}

impl Input {
    /// Reads an input; `name` is for messages.
    ///
    /// # Errors
    /// It is empty, too large or no text.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Input, InputError> {
        let name = name.to_owned();
        if bytes.len() > LIMIT {
            return Err(InputError::TooLarge { name, size: bytes.len() });
        }
        if let Some(whose) = foreign::packed(bytes) {
            return Err(InputError::Packed { name, whose });
        }
        if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
            let line = 1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count();
            return Err(InputError::Binary { name, line });
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let text = text::decode(bytes);
        let start = text.trim_start();
        if start.is_empty() {
            return Err(InputError::Empty { name });
        }
        let beginning: String = start.chars().take(15).flat_map(char::to_lowercase).collect();
        if beginning.starts_with("<!doctype html") || beginning.starts_with("<html") {
            return Err(InputError::Html { name });
        }
        let (form, messages) = if page::is_page(&text) {
            (Form::WebPage, page::messages(&text))
        } else if mail::is_mbox(&text) {
            (Form::Mbox, mail::mbox(bytes))
        } else if mail::is_mail(&text) {
            let mails = run_on::mails(bytes, 1);
            let form = if mails.len() > 1 { Form::Mbox } else { Form::Mail };
            (form, mails.into_iter().flatten().collect())
        } else {
            (Form::PatchFile, vec![plain(&text)])
        };
        Ok(Input { name, form, messages })
    }
}

/// A patch file as a message. What `git show` and `git log -p` print before a diff is read as its headers, and so are
/// the fields of Debian's patches (DEP-3).
fn plain(text: &str) -> Message {
    let lines = text::lines(text, 1);
    let mut message = Message { line: 1, ..Message::default() };
    let header = |keys: &[&str]| {
        let mut fields = lines.iter().take(40).take_while(|line| !line.text.starts_with("---"));
        let found = fields.find_map(|line| {
            let (name, value) = line.text.split_once(':')?;
            keys.iter().any(|key| key.eq_ignore_ascii_case(name)).then(|| value.trim())
        });
        found.filter(|value| !value.is_empty()).map(str::to_owned)
    };
    if lines[0].text.strip_prefix("commit ").is_some_and(|id| id.len() >= 12) {
        message.from = header(&["Author"]);
        message.date = header(&["Date"]);
        message.subject = lines
            .iter()
            .find(|line| line.text.starts_with("    ") && !line.text.trim().is_empty())
            .map(|line| line.text.trim().to_owned());
    } else if lines[0].text.trim_end() == "# HG changeset patch" {
        let header = |key: &str| {
            let mut fields = lines[1..].iter().map_while(|line| line.text.strip_prefix("# "));
            fields.find_map(|line| Some(line.strip_prefix(key)?.trim().to_owned()))
        };
        message.from = header("User ");
        message.date = header("Date ");
        let title = lines.iter().find(|line| !line.text.starts_with('#') && !line.text.trim().is_empty());
        message.subject =
            title.map(|line| line.text.trim().to_owned()).filter(|title| !title.starts_with("diff "));
    } else if lines[0].text.split_once(':').is_some_and(|(name, _)| is_name(name)) {
        message.from = header(&["From", "Author"]);
        message.subject = header(&["Subject", "Description"]);
    }
    message.parts.push(Part { lines: clear_signed::text(lines), ..Part::default() });
    message
}

/// Whether a word can be a header's name.
fn is_name(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_patch_is_refused() {
        let error = |bytes: &[u8]| Input::read("x", bytes).unwrap_err().to_string();
        let all = [error(b" \n"), error(b"a\nb\0"), error(b"<!DOCTYPE html><p>"), error(b"\x1f\x8b\x08\0")]
            .join("\n");
        insta::assert_snapshot!(all, @r"
        x: empty; expected a patch, a mail or a thread with a patch in it
        x:2: a zero byte; expected text: a patch, a mail, an mbox or a saved thread
        x:1: the HTML source of a page; save the page as text, or fetch the message's raw form or mbox
        x:1: the first bytes are gzip's; unpack it to text first
        ");
    }

    #[test]
    fn what_mercurial_exports_has_a_subject() {
        let text = "# HG changeset patch\n# User A <a@b.c>\n# Date 1700000000 0\n# Node ID 0123\n# Parent  4567\nsub: fix\n\nwhy\n\ndiff -r 0123 -r 4567 x\n";
        let message = &Input::read("x", text.as_bytes()).unwrap().messages[0];
        assert_eq!(message.subject.as_deref(), Some("sub: fix"));
        assert_eq!(
            (message.from.as_deref(), message.date.as_deref()),
            (Some("A <a@b.c>"), Some("1700000000 0"))
        );
    }

    #[test]
    fn the_output_of_git_show_has_a_subject() {
        let text = "commit 0123456789abcdef\nAuthor: A <a@b.c>\nDate:   now\n\n    sub: fix\n\n    why\n\ndiff --git a/x b/x\n";
        let input = Input::read("x", text.as_bytes()).unwrap();
        assert_eq!(input.form, Form::PatchFile);
        assert_eq!(input.messages[0].subject.as_deref(), Some("sub: fix"));
        assert_eq!(input.messages[0].from.as_deref(), Some("A <a@b.c>"));
    }
}
