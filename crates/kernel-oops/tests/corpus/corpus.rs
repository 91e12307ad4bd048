//! The form of the corpus' files.

use std::path::PathBuf;

/// What a log is known to contain.
#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) title: Option<String>,
    pub(crate) alt: Vec<String>,
    pub(crate) kind: Option<String>,
    pub(crate) frame: Option<String>,
    pub(crate) corrupted: bool,
    pub(crate) panicked: bool,
}

/// The header and the console of a file.
pub(crate) fn split(file: &[u8]) -> (Expected, Vec<u8>) {
    let text: Vec<u8> = file.iter().copied().filter(|byte| *byte != b'\r').collect();
    let head_end = memchr::memmem::find(&text, b"\n\n").map_or(text.len(), |at| at + 1);
    // a file that begins with an empty line has no header
    let head_end = if text.first() == Some(&b'\n') { 0 } else { head_end };
    let mut expected = Expected::default();
    for line in String::from_utf8_lossy(&text[..head_end]).lines() {
        let Some((name, value)) = line.split_once(": ") else { continue };
        let value = value.trim().to_owned();
        match name {
            "TITLE" => expected.title = Some(value).filter(|title| !title.is_empty()),
            "ALT" => expected.alt.push(value),
            "TYPE" => expected.kind = Some(value),
            "FRAME" => expected.frame = Some(value),
            "CORRUPTED" => expected.corrupted = value == "Y",
            "PANICKED" => expected.panicked = value == "Y",
            _ => {}
        }
    }
    let body = &text[(head_end + 1).min(text.len())..];
    let end = memchr::memmem::find(body, b"\n\nREPORT:").map_or(body.len(), |at| at + 1);
    (expected, body[..end].to_vec())
}

/// The consoles of the corpus by file name, those that are no text made into some. Nothing, and a word to the user,
/// where no corpus is named.
pub(crate) fn consoles() -> Vec<(String, Vec<u8>)> {
    let Some(corpus) = std::env::var_os("KREGRESS_TITLE_CORPUS").map(PathBuf::from) else {
        loud_skip::optional("KREGRESS_TITLE_CORPUS names no corpus of crash logs");
        return Vec::new();
    };
    let files = std::fs::read_dir(corpus).expect("KREGRESS_TITLE_CORPUS must name a readable folder");
    let mut consoles: Vec<_> = files
        .map(|file| {
            let file = file.expect("the corpus can be listed");
            let (_, console) = split(&std::fs::read(file.path()).expect("a log can be read"));
            let text = String::from_utf8_lossy(&console).into_owned();
            (file.file_name().to_string_lossy().into_owned(), text.into_bytes())
        })
        .collect();
    consoles.sort();
    consoles
}
