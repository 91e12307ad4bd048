//! Mails that stand one behind the other without the separators of an mbox, as `git format-patch --stdout` gives them once
//! its lines `From ` are gone, or `cat` files of one mail each.

use mail_parser::{MessageParser, MimeHeaders};

use super::input::Message;
use super::mail;

/// The messages of each of the mails, which begin at line `first` of the input.
pub fn mails(bytes: &[u8], first: usize) -> Vec<Vec<Message>> {
    let starts = starts(bytes);
    let ends = starts.iter().skip(1).map(|(at, _)| *at).chain([bytes.len()]);
    starts.iter().zip(ends).map(|(&(at, line), end)| mail::message(&bytes[at..end], first + line)).collect()
}

/// Where each mail begins, with the number of lines above it.
///
/// A paragraph that is a mail's headers begins another mail where the one before can have ended: behind its diff, its
/// signature or its last part. Headers in a body, as `git am` takes them, and those of an attached mail begin none.
fn starts(bytes: &[u8]) -> Vec<(usize, usize)> {
    /// Lines that a signature may have.
    const SIGNATURE: usize = 6;
    let mut starts = vec![(0, 0)];
    let mut own = Mail::of(bytes);
    let mut signature = None;
    let (mut at, mut blank_before) = (0, false);
    for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        let text = line.trim_ascii_end();
        let signed = signature.is_some_and(|signature| number - signature <= SIGNATURE);
        if blank_before
            && (own.has_diff || own.is_base64 || signed)
            && own.closing.is_none()
            && is_headers(paragraph(&bytes[at..]))
        {
            starts.push((at, number));
            own = Mail::of(&bytes[at..]);
            signature = None;
        }
        own.has_diff |=
            ["@@ -", "diff --git ", "GIT binary patch"].iter().any(|mark| line.starts_with(mark.as_bytes()));
        if text == b"--" {
            signature = Some(number);
        }
        if own.closing.as_deref() == Some(text) {
            own.closing = None;
        }
        // a blank line of a hunk has its mark
        blank_before = line.trim_ascii_end().is_empty() && !line.starts_with(b" ");
        at += line.len();
    }
    starts
}

/// What is known of the mail that is read.
struct Mail {
    /// Whether a diff has begun.
    has_diff: bool,
    /// Whether its text cannot be seen; no line of that has a colon.
    is_base64: bool,
    /// The line that must come before it can have ended, of a mail of several parts.
    closing: Option<Vec<u8>>,
}

impl Mail {
    fn of(bytes: &[u8]) -> Mail {
        let headers = MessageParser::default().parse_headers(paragraph(bytes));
        let is_base64 = headers
            .as_ref()
            .and_then(|mail| mail.content_transfer_encoding())
            .is_some_and(|encoding| encoding.eq_ignore_ascii_case("base64"));
        let boundary = headers.as_ref().and_then(|mail| mail.content_type()?.attribute("boundary"));
        Mail {
            has_diff: false,
            is_base64,
            closing: boundary.map(|boundary| format!("--{boundary}--").into_bytes()),
        }
    }
}

/// The lines up to the next empty one, with it.
fn paragraph(bytes: &[u8]) -> &[u8] {
    let mut end = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        end += line.len();
        if line.trim_ascii_end().is_empty() {
            break;
        }
    }
    &bytes[..end]
}

/// Whether a paragraph is the headers of a mail with a sender and a subject.
fn is_headers(paragraph: &[u8]) -> bool {
    let text = String::from_utf8_lossy(paragraph);
    let has = |wanted: &str| {
        text.lines()
            .any(|line| line.get(..wanted.len()).is_some_and(|name| name.eq_ignore_ascii_case(wanted)))
    };
    has("from:") && has("subject:") && mail::is_mail(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIFF: &str = "---\n x | 2 +-\n\ndiff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@\n \n-a\n+b\n";

    fn patch(part: &str) -> String {
        format!(
            "From: A <a@b.c>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: [PATCH {part}]\n of several\n\nwhy\n{DIFF}-- \n2.39.2\n\n"
        )
    }

    /// Lines and subjects of the mails.
    fn read(text: &str) -> String {
        let mails = mails(text.as_bytes(), 1);
        let said = mails.iter().map(|messages| {
            let message = &messages[0];
            format!("{}: {}", message.line, message.subject.as_deref().unwrap_or_default())
        });
        said.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn mails_come_apart_at_their_headers() {
        let cover = "From: A <a@b.c>\nSubject: [PATCH 0/2] both\n\nwhy\n\n x | 4 ++--\n\n-- \n2.39.2\n\n";
        let all = format!("{cover}{}{}", patch("1/2"), patch("2/2"));
        let expected = "1: [PATCH 0/2] both\n11: [PATCH 1/2] of several\n30: [PATCH 2/2] of several";
        assert_eq!(read(&all), expected);
        assert_eq!(read(&all.replace('\n', "\r\n")), expected);
        let base64 = "From: A <a@b.c>\nSubject: x\nContent-Transfer-Encoding: base64\n\nLS0tIGEveAo=\n\n";
        assert_eq!(read(&format!("{base64}{base64}")), "1: x\n7: x");
    }

    #[test]
    fn headers_inside_of_a_mail_begin_none() {
        // those that `git am` takes, and such as a forward has
        let inside = "From: B <b@b.c>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: theirs\n\n";
        assert_eq!(read(&format!("From: A <a@b.c>\nSubject: x\n\n{inside}why\n{DIFF}")), "1: x");
        assert_eq!(read(&format!("From: A <a@b.c>\nSubject: x\n\nhello,\n\n{inside}why\n{DIFF}")), "1: x");
        // an attached one
        let parts = format!(
            "From: A <a@b.c>\nSubject: x\nContent-Type: multipart/digest;\n boundary=\"b\"\n\n--b\n\n{}--b\n\n{}--b--\n\n",
            patch("1/2"),
            patch("2/2")
        );
        assert_eq!(read(&parts), "1: x");
        assert_eq!(read(&format!("{parts}{}", patch("3"))), "1: x\n50: [PATCH 3] of several");
        // lines of a hunk, and those of a signature
        let hunk = "@@ -1,4 +1,5 @@\n \n From: A <a@b.c>\n Subject: x\n\n+From: x\n+Subject: y\n";
        assert_eq!(read(&format!("From: A <a@b.c>\nSubject: x\n\nwhy\n{hunk}-- \nfrom: nobody\n")), "1: x");
    }
}
