//! Text that XML and HTML can carry. A console has every byte; XML has no form, not even an escaped one, for most
//! control characters (<https://www.w3.org/TR/xml/#charsets>), and HTML forbids the same ones.

use std::borrow::Cow;

use crate::progress::is_deceptive;

/// Whether a character may stand in a report: in an XML 1.0 document, without doing something to a terminal that shows it,
/// and without making the text around it look like another one, as those do that reorder or hide it.
pub(super) fn allowed(c: char) -> bool {
    let is_text = matches!(c, '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}');
    matches!(c, '\t' | '\n') || is_text && !c.is_control() && !is_deceptive(c)
}

/// `text` with forbidden characters replaced, and its lines ended as XML has them read.
pub(super) fn replace_forbidden(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    text.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect()
}

/// `text` for the inside of an element or of a quoted attribute, of XML or HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    let mut left = text;
    loop {
        // most of a console is plain, and is taken whole
        let plain = left.bytes().take_while(|byte| is_plain(*byte)).count();
        out.push_str(&left[..plain]);
        left = &left[plain..];
        let mut rest = left.chars();
        let Some(c) = rest.next() else { return out };
        left = rest.as_str();
        if c == '\r' && left.starts_with('\n') {
            continue;
        }
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if allowed(c) => out.push(c),
            _ => out.push('\u{fffd}'),
        }
    }
}

/// Whether a byte is a character that stands for itself wherever markup may have text.
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~') && !matches!(byte, b'&' | b'<' | b'>' | b'"' | b'\'')
}

/// `text` without the escape sequences of terminals.
pub(super) fn without_escapes(text: &str) -> Cow<'_, str> {
    // both of the characters that begin one, the second by its last byte in UTF-8
    match memchr::memchr2(0x1b, 0x9b, text.as_bytes()) {
        Some(_) => console::strip_ansi_codes(text),
        None => text.into(),
    }
}

/// The beginning and the end of `text`, with a note of what is missing between them when it is longer than `limit`
/// bytes.
pub(super) fn cut_middle(text: &str, limit: usize) -> Cow<'_, str> {
    if text.len() <= limit {
        return text.into();
    }
    let boundary = |at: &usize| text.is_char_boundary(*at);
    let head = (0..=limit / 2).rev().find(boundary).unwrap_or(0);
    let tail = (text.len() - limit / 2..=text.len()).find(boundary).unwrap_or(text.len());
    format!("{}\n[{} bytes left out]\n{}", &text[..head], tail - head, &text[tail..]).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escape("<a href=\"x\">&'\u{1b}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}");
    }

    #[test]
    fn escape_sequences_are_left_out() {
        for (text, shown) in [
            ("plain", "plain"),
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{9b}31mred", "red"),
            ("a \u{6db}b", "a \u{6db}b"),
        ] {
            assert_eq!(without_escapes(text), shown);
        }
    }

    proptest::proptest! {
        #[test]
        fn a_text_comes_out_as_its_characters_do(text: String) {
            let by_character: String = text.replace("\r\n", "\n").chars().map(|c| escape(&c.to_string())).collect();
            proptest::prop_assert_eq!(escape(&text), by_character);
        }
    }

    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(cut_middle("0123456789", 10), "0123456789");
        assert_eq!(cut_middle("0123456789", 4), "01\n[6 bytes left out]\n89");
        assert_eq!(cut_middle("ééééé", 5), "é\n[6 bytes left out]\né");
    }
}
