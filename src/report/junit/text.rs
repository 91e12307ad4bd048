//! Text for attributes and CDATA sections.

use crate::report::text::{allowed, cut_middle, replace_forbidden};

/// `text` for an attribute: forbidden characters are replaced, line ends become spaces as a reader would make them.
/// Cut to `limit` characters.
pub(crate) fn attribute(text: &str, limit: usize) -> String {
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
    let safe = replace_forbidden(&cut);
    // The end mark is split over two sections, which a reader joins again.
    safe.replace("]]>", "]]]]><![CDATA[>")
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
}
