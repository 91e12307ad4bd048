//! A thread as the text of a web archive's page (public-inbox) shows it.
//!
//! Pages differ in what a browser, a reader or a crawler makes of them: messages under `* subject` and
//! `From: … @ date`, or one message with mail headers; line breaks, blank lines and white space may be gone. Only the
//! frame is read here. What became of the patches in it is for `repair` to find.

use std::sync::LazyLock;

use regex::Regex;

use super::input::{Message, Part};
use super::text::{self, Line};

static GLUED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"messages? in thread\s*(\* )").expect("valid"));
static SENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"From: (.{1,120}?) @ (\d{4}-\d\d-\d\d\s+\d{1,2}:\d\d)( UTC)?( \(permalink / raw\))?")
        .expect("valid")
});
static LISTED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r" \d{4}-\d\d-\d\d\s+\d{1,2}:\d\d ").expect("valid"));
static ATTACHMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\[-- Attachment #\d+: (?:Type: |(?P<name>\S.*?) --\]$)|^\[-- Type: .* --\]$")
        .expect("valid")
});
static OVERVIEW: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\breply\s+other threads:\[~").expect("valid"));

const END: &str = "^ permalink raw reply";

/// Headers that a page shows of a single message.
const HEADERS: [&str; 10] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Message-Id",
    "In-Reply-To",
    "References",
    "Reply-To",
];

/// Whether the text is that of such a page.
pub fn is_page(text: &str) -> bool {
    text.starts_with("public inbox for ")
        || text.contains("This is a public inbox, see mirroring instructions")
        || (text.contains("(permalink / raw)") && text.contains(END))
}

/// The messages of the page.
pub fn messages(text: &str) -> Vec<Message> {
    let lines = unglued(text);
    let starts: Vec<usize> = (0..lines.len()).filter(|at| is_start(&lines[*at..])).collect();
    if starts.is_empty() {
        return single(&lines).into_iter().collect();
    }
    let ends = starts.iter().skip(1).copied().chain([lines.len()]);
    starts.iter().zip(ends).map(|(start, end)| threaded(&lines[*start..end])).collect()
}

/// The page's lines; where the end of one message and the start of the next were run together they are parted.
fn unglued(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    for line in text::lines(text, 1) {
        let text = line.text.trim_end_matches('\r');
        let mut from = 0;
        for found in GLUED.captures_iter(text) {
            let at = found.get(1).map_or(from, |star| star.start());
            lines.push(Line::new(line.number, &text[from..at]));
            from = at;
        }
        lines.push(Line::new(line.number, &text[from..]));
    }
    lines
}

/// Whether a message under `* subject` starts here: its sender follows before the next message does.
fn is_start(lines: &[Line]) -> bool {
    lines[0].text.starts_with("* ")
        && lines
            .iter()
            .enumerate()
            .take(400)
            .take_while(|(at, line)| *at == 0 || !line.text.starts_with("* "))
            .any(|(_, line)| SENT.is_match(&line.text))
}

fn threaded(lines: &[Line]) -> Message {
    let mut message = Message { line: lines[0].number, ..Message::default() };
    let title = &lines[0].text[2..];
    let title = LISTED.find(title).map_or(title, |date| &title[..date.start()]);
    message.subject = Some(text::squeezed(title));
    let mut body = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(sent) = SENT.captures(&line.text) else { continue };
        message.from = Some(sent[1].to_owned());
        message.date = Some(text::squeezed(&sent[2]));
        let rest = line.text[sent.get(0).map_or(0, |all| all.end())..].trim_start();
        if !rest.is_empty() {
            body.push(Line::new(line.number, rest));
        }
        body.extend(without_addresses(&lines[at + 1..]).iter().cloned());
        break;
    }
    message.parts = parts(until_end(body));
    message
}

/// Skips `To:` and `Cc:`, which go on while a line ends with a comma.
fn without_addresses(lines: &[Line]) -> &[Line] {
    let mut at = 0;
    let mut goes_on = false;
    while let Some(line) = lines.get(at) {
        let text = line.text.trim();
        if !goes_on && !text.starts_with("To:") && !text.starts_with("Cc:") {
            break;
        }
        goes_on = text.ends_with(',');
        at += 1;
    }
    &lines[at..]
}

fn until_end(lines: Vec<Line>) -> Vec<Line> {
    let mut kept = Vec::new();
    for line in lines {
        if let Some(at) = line.text.find(END) {
            if !line.text[..at].trim().is_empty() {
                kept.push(Line::new(line.number, line.text[..at].trim_end()));
            }
            break;
        }
        if OVERVIEW.is_match(&line.text) {
            break;
        }
        kept.push(line);
    }
    kept
}

/// A page that shows one message with its headers.
fn single(lines: &[Line]) -> Option<Message> {
    let start = lines.iter().position(|line| line.text.starts_with("From: "))?;
    let mut message = Message { line: lines[start].number, ..Message::default() };
    let mut last: Option<(&str, String)> = None;
    let mut headers: Vec<(&str, String)> = Vec::new();
    let mut body = start;
    for (at, line) in lines.iter().enumerate().skip(start) {
        body = at;
        let header = HEADERS.iter().find_map(|name| {
            let value = line.text.strip_prefix(name)?.strip_prefix(':')?;
            Some((*name, value.trim().to_owned()))
        });
        let goes_on = last.as_ref().is_some_and(|(_, value)| {
            line.text.starts_with([' ', '\t']) || value.ends_with(',') || value.is_empty()
        });
        match header {
            // the author of a patch that someone else sent is the body's first line
            Some((name, _)) if headers.iter().chain(&last).any(|(seen, _)| *seen == name) => break,
            Some(header) => headers.extend(last.replace(header)),
            None if !line.text.is_empty() && goes_on => {
                if let Some((_, value)) = &mut last {
                    value.push(' ');
                    value.push_str(line.text.trim());
                }
            }
            None => break,
        }
    }
    headers.extend(last);
    let value = |name: &str| {
        let found = headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name));
        found.map(|(_, value)| text::squeezed(value))
    };
    let without_links = |value: String| value.split(" [thread ").next().unwrap_or_default().trim().to_owned();
    message.subject = value("Subject");
    message.from = value("From");
    message.date = value("Date").map(without_links);
    message.id = value("Message-ID").and_then(|id| Some(id.split_once('<')?.1.split_once('>')?.0.to_owned()));
    message.parts = parts(until_end(lines[body..].to_vec()));
    Some(message)
}

/// The body and the attachments, which a page shows below a line `[-- Attachment #2: name --]`.
fn parts(lines: Vec<Line>) -> Vec<Part> {
    let mut parts = vec![Part::default()];
    for line in lines {
        match ATTACHMENT.captures(&line.text) {
            Some(found) => {
                if let Some(name) = found.name("name") {
                    parts.push(Part { name: Some(name.as_str().to_owned()), ..Part::default() });
                }
            }
            None => {
                if let Some(part) = parts.last_mut() {
                    part.lines.push(line);
                }
            }
        }
    }
    parts
}
