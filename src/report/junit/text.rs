//! Text that XML 1.0 can carry. A console has every byte; XML has no form, not even an escaped one, for most control
//! characters (<https://www.w3.org/TR/xml/#charsets>).

/// Whether a character may stand in an XML 1.0 document.
fn allowed(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

/// `text` for an attribute: forbidden characters are replaced, line ends become spaces as a reader would make them.
/// Cut to `limit` characters.
pub(super) fn attribute(text: &str, limit: usize) -> String {
    let safe = text.chars().map(|c| match c {
        '\t' | '\n' | '\r' => ' ',
        c if allowed(c) => c,
        _ => '\u{fffd}',
    });
    let mut out: String = safe.take(limit).collect();
    if text.chars().nth(limit).is_some() {
        out.pop();
        out.push('…');
    }
    out
}

/// `text` for the inside of one CDATA section, cut in the middle to about `limit` bytes: its beginning and its end
/// are what people look for.
pub(super) fn cdata(text: &str, limit: usize) -> String {
    let cut = cut_middle(text, limit);
    let safe: String = cut.chars().map(|c| if allowed(c) { c } else { '\u{fffd}' }).collect();
    // The end mark is split over two sections, which a reader joins again.
    safe.replace("]]>", "]]]]><![CDATA[>")
}

/// The beginning and the end of `text`, with a note of what is missing between them when it is longer than `limit`
/// bytes.
fn cut_middle(text: &str, limit: usize) -> std::borrow::Cow<'_, str> {
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
    fn forbidden_characters_are_replaced() {
        let cases = [
            ("plain", "plain"),
            ("a\u{0}b\u{1b}[31m", "a\u{fffd}b\u{fffd}[31m"),
            ("\u{ffff}\u{fffe}", "\u{fffd}\u{fffd}"),
            ("tab\tline\n", "tab\tline\n"),
            ("a]]>b]]>", "a]]]]><![CDATA[>b]]]]><![CDATA[>"),
            ("🐧", "🐧"),
        ];
        for (text, expected) in cases {
            assert_eq!(cdata(text, 100), expected);
        }
        assert_eq!(attribute("a\nb\u{0}", 100), "a b\u{fffd}");
        assert_eq!(attribute("ééééé", 3), "éé…");
        assert_eq!(attribute("ééé", 3), "ééé");
    }

    #[test]
    fn long_text_keeps_its_beginning_and_its_end() {
        assert_eq!(cut_middle("0123456789", 10), "0123456789");
        assert_eq!(cut_middle("0123456789", 4), "01\n[6 bytes left out]\n89");
        assert_eq!(cut_middle("ééééé", 5), "é\n[6 bytes left out]\né");
    }
}
