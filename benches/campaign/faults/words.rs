//! Reports of hostile words: what a terminal, a page or a document would do with them.

use crate::place::Place;

/// The formats that people read. The rest are JSON, whose readers have no terminal.
const FORMATS: &[&str] =
    &["summary", "matrix", "kernels", "junit", "tap", "tap14", "github", "mail", "markdown", "html"];

/// What is harmful in a report of the last run.
pub fn complaint(place: &Place) -> Option<String> {
    for format in FORMATS {
        let output = place.command(&["report", "--format", format]).output().expect("kregress starts");
        if !output.status.success() {
            return Some(format!("{format}: {}", String::from_utf8_lossy(&output.stderr)));
        }
        if let Some(harm) = harm(format, &output.stdout) {
            return Some(format!("{format}: {harm}"));
        }
    }
    for format in ["json", "kcidb"] {
        let output = place.command(&["report", "--format", format]).output().expect("kregress starts");
        if let Err(error) = serde_json::from_slice::<serde_json::Value>(&output.stdout) {
            return Some(format!("{format}: {error}"));
        }
    }
    None
}

/// What is harmful in a document of a format.
fn harm(format: &str, document: &[u8]) -> Option<String> {
    let text = match std::str::from_utf8(document) {
        Ok(text) => text,
        Err(error) => return Some(error.to_string()),
    };
    let harmful = |c: &char| c.is_control() && !matches!(c, '\n' | '\t') || is_deceptive(*c);
    if let Some(at) = text.find(|c| harmful(&c)) {
        return Some(format!("{:?}", text[at..].chars().take(20).collect::<String>()));
    }
    // elements, CDATA and blocks of code have the program's lines as they are
    let verbatim = ["html", "junit", "markdown"].contains(&format);
    let forged =
        ["ok 99 - forged", "not ok 100", "Bail out!", "::error::forged", "# forged", "</system-out>forged"];
    if let Some(line) =
        text.lines().find(|line| !verbatim && forged.iter().any(|words| line.starts_with(words)))
    {
        return Some(format!("a line of the program's: {line}"));
    }
    if format == "html" && text.contains("<script>alert(1)") {
        return Some("markup of the program's".into());
    }
    if ["html", "junit"].contains(&format) {
        let mut reader = quick_xml::Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        loop {
            match reader.read_event() {
                Ok(quick_xml::events::Event::Eof) => break,
                Ok(_) => {}
                Err(error) => return Some(error.to_string()),
            }
        }
    }
    None
}

/// Whether a character reorders or hides the text around it.
fn is_deceptive(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
