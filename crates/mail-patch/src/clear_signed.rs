//! Texts that carry their OpenPGP signature around them (RFC 9580, 7: the cleartext signature framework). Every line that
//! begins with a dash has `- ` before it there, those of a diff too, which `git am` takes for what was sent.

use super::text::Line;

const BEGIN: &str = "-----BEGIN PGP SIGNED MESSAGE-----";
const END: &str = "-----BEGIN PGP SIGNATURE-----";

/// The text that was signed, with what stands before it; as they are, where nothing is signed so.
pub fn text(lines: Vec<Line>) -> Vec<Line> {
    let is = |line: &Line, mark: &str| line.text.trim_end() == mark;
    let Some(begin) = lines.iter().position(|line| is(line, BEGIN)) else { return lines };
    let Some(end) = lines[begin..].iter().position(|line| is(line, END)).map(|end| begin + end) else {
        return lines;
    };
    // headers such as `Hash: SHA256`, up to an empty line
    let Some(start) = lines[begin..end].iter().position(|line| line.text.trim().is_empty()) else {
        return lines;
    };
    let signed = lines[begin + start + 1..end]
        .iter()
        .map(|line| Line::new(line.number, line.text.strip_prefix("- ").unwrap_or(&line.text)));
    lines[..begin].iter().cloned().chain(signed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines;

    #[test]
    fn dashes_are_as_they_were_signed() {
        let signed = format!(
            "hello\n{BEGIN}\nHash: SHA256\n\nwhy\n- ---\n- --- a/x\n+++ b/x\n@@ -1 +1 @@\n- -a\n+b\n{END}\n\nabc\n"
        );
        let texts: Vec<String> = text(lines(&signed, 1)).into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["hello", "why", "---", "--- a/x", "+++ b/x", "@@ -1 +1 @@", "-a", "+b"]);
        let cut = signed.replace(END, "");
        assert_eq!(text(lines(&cut, 1)), lines(&cut, 1));
    }
}
