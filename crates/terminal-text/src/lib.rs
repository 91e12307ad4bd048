//! Text of others for a terminal: what a guest, a log, a mail or a repository says must not move the cursor, change a window's title, turn the
//! text around it, or look like a line of its own.

/// What takes the place of a character that is not shown.
const HIDDEN: char = '\u{fffd}';

/// `text` as one line. Blanks at its ends are left out.
pub fn line(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\r' | '\t' => ' ',
        c => visible(c),
    };
    text.trim().chars().map(shown).collect()
}

/// `text` with the lines and tabs that it has.
pub fn lines(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' | '\t' => c,
        c => visible(c),
    };
    text.chars().map(shown).collect()
}

/// The character, or what takes its place where a terminal would obey it or a reader be deceived.
pub fn visible(c: char) -> char {
    if c.is_control() || is_deceptive(c) { HIDDEN } else { c }
}

/// Whether a character reorders or hides the text around it, or is itself hidden: direction marks, joiners and spaces of no
/// width, separators of lines, annotations, tags.
pub fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_others_reaches_a_terminal() {
        let text = "\ta \u{1b}]0;title\u{7}b\u{9b}\u{202e}\r\nc ";
        assert_eq!(line(text), "a \u{fffd}]0;title\u{fffd}b\u{fffd}\u{fffd}  c");
        assert_eq!(lines(text), "\ta \u{fffd}]0;title\u{fffd}b\u{fffd}\u{fffd}\u{fffd}\nc ");
    }
}
