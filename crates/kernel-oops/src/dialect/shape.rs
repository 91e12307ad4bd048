//! What stands before the kernel's words in a log: a shape that is learned from lines whose words are known.

use memchr::memmem;

/// A prefix that is longer than this is none.
pub(super) const MAX_PREFIX: usize = 240;

/// A part of a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    /// Decimal digits.
    Digits,
    /// Letters, digits and bytes beyond ASCII; only this one if given.
    Word(Option<Vec<u8>>),
    /// Blanks and tabs, one or more.
    Blanks,
    /// Any other byte.
    Mark(u8),
}

/// The shape of a prefix: the same kinds of parts in the same order. Times and the names of months, weekdays and levels
/// change from line to line; the name of whoever printed the line (`kernel:`) does not, nor do names with numbers in them
/// (`host01`, `uart0`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    tokens: Vec<Token>,
    /// So many blanks at the end belong to the prefix; what follows them is the message's.
    last_blanks: usize,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn run(text: &[u8], wanted: impl Fn(u8) -> bool) -> usize {
    text.iter().take_while(|byte| wanted(**byte)).count()
}

impl Shape {
    /// The shape of this prefix, unless it is none: empty, too long, or the hypervisor's.
    pub(super) fn of(prefix: &[u8]) -> Option<Shape> {
        // `(XEN) ` is printed by Xen itself, which is another kernel
        if prefix.is_empty() || prefix.len() > MAX_PREFIX || memmem::find(prefix, b"(XEN)").is_some() {
            return None;
        }
        let last_blanks = run_back(prefix);
        let body = &prefix[..prefix.len() - last_blanks];
        let mut tokens = Vec::new();
        let mut at = 0;
        let mut last_name = None;
        while at < body.len() {
            let rest = &body[at..];
            let byte = rest[0];
            if is_blank(byte) {
                at += run(rest, is_blank);
                let inside = matches!(tokens.last(), Some(Token::Mark(b'[' | b'(')));
                if !inside && !matches!(body.get(at), Some(b']' | b')')) {
                    tokens.push(Token::Blanks);
                }
            } else if is_word(byte) {
                let len = run(rest, is_word);
                let word = &rest[..len];
                at += len;
                if word.iter().all(u8::is_ascii_digit) {
                    tokens.push(Token::Digits);
                    continue;
                }
                let named = byte.is_ascii_alphabetic() && len > 1;
                let numbered = named && word.iter().any(u8::is_ascii_digit);
                if named {
                    last_name = Some((tokens.len(), word));
                }
                tokens.push(Token::Word(numbered.then(|| word.to_vec())));
            } else {
                tokens.push(Token::Mark(byte));
                at += 1;
            }
        }
        if let Some((at, word)) = last_name {
            tokens[at] = Token::Word(Some(word.to_vec()));
        }
        Some(Shape { tokens, last_blanks })
    }

    /// How long the prefix of this shape is that the line begins with.
    pub(super) fn len_in(&self, line: &[u8]) -> Option<usize> {
        let mut at = 0;
        for token in &self.tokens {
            let rest = line.get(at..)?;
            match token {
                Token::Digits => {
                    let len = run(rest, |byte| byte.is_ascii_digit());
                    if len == 0 || rest.get(len).is_some_and(|byte| is_word(*byte)) {
                        return None;
                    }
                    at += len;
                }
                Token::Word(wanted) => {
                    let len = run(rest, is_word);
                    if len == 0 || wanted.as_ref().is_some_and(|wanted| wanted != &rest[..len]) {
                        return None;
                    }
                    at += len;
                }
                Token::Blanks => {
                    let len = run(rest, is_blank);
                    if len == 0 {
                        return None;
                    }
                    at += len;
                }
                Token::Mark(wanted) => {
                    // `grep` puts a dash where a line is shown only because it is near a match
                    let same =
                        |byte: u8| byte == *wanted || matches!((byte, *wanted), (b'-', b':') | (b':', b'-'));
                    let blanks = if matches!(wanted, b']' | b')') { run(rest, is_blank) } else { 0 };
                    if !rest.get(blanks).is_some_and(|byte| same(*byte)) {
                        return None;
                    }
                    at += blanks + 1;
                    if matches!(wanted, b'[' | b'(') {
                        at += run(&line[at..], is_blank);
                    }
                }
            }
            if at > MAX_PREFIX {
                return None;
            }
        }
        let blanks = run(line.get(at..)?, is_blank);
        // a line without a message may have lost its last blanks
        (blanks >= self.last_blanks || at + blanks == line.len()).then(|| at + blanks.min(self.last_blanks))
    }

    /// How many parts the prefix has.
    pub(super) fn parts(&self) -> usize {
        self.tokens.len()
    }

    /// Whether the prefix ends in a quotation mark, so that the message ends in one, too (`"MESSAGE" : "…",`).
    pub(super) fn quotes(&self) -> bool {
        self.last_blanks == 0 && self.tokens.last() == Some(&Token::Mark(b'"'))
    }
}

/// How many blanks a text ends in.
fn run_back(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| is_blank(**byte)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_known_again() {
        let table: &[(&str, &str, Option<&str>)] = &[
            ("Dez 22 15:19:11 host kernel: ", "Jan  1 00:00:01 host kernel:  <TASK>", Some(" <TASK>")),
            ("Dez 22 15:19:11 host kernel: ", "Dez 22 15:19:11 host sshd[12]: Accepted", None),
            ("12月 22 15:19:11 host kernel: ", "1月 03 15:19:11 host kernel: x", Some("x")),
            ("Thu 2026-11-26 15:19:11 CET pc kernel: ", "Fri 2026-11-27 00:00:00 CET pc kernel: ", Some("")),
            (
                "<4>1 2026-11-26T15:19:11.5+01:00 pc kernel - - - ",
                "<6>1 2026-11-27T01:19:11.25+01:00 pc kernel - - - x",
                Some("x"),
            ),
            ("[guest0/uart0] ", "[guest0/uart0]  f+0x1/0x2", Some(" f+0x1/0x2")),
            ("[guest0/uart0] ", "[guest1/uart0] x", None),
            ("console.log:", "console.log-[   12.3] x", Some("[   12.3] x")),
            ("console.log:77:", "console.log-101-x", Some("x")),
            ("    7.910564@0] ", "   77.910564@1] x", Some("x")),
            ("[    7.910564@0] ", "[  777.9@3] x", Some("x")),
            (
                "[   12.345678]  [0:      swapper/0:    1] ",
                "[   12.345678]  [3:      swapper/3: 1234] x",
                Some("x"),
            ),
            ("\t\"MESSAGE\" : \"", "\t\"MESSAGE\" : \"x\",", Some("x\",")),
            ("    MESSAGE=", "    MESSAGE= <TASK>", Some(" <TASK>")),
            ("    MESSAGE=", "    PRIORITY=4", None),
            ("> ", ">  <TASK>", Some(" <TASK>")),
            (
                "01-02 03:04:05.678     0     0 W         : ",
                "01-02 03:04:05.679     0     0 I         : x",
                Some("x"),
            ),
            ("1700000000.123 ", "1700000001.5 x", Some("x")),
            ("10.0.0.7 ", "10.0.0.7 x", Some("x")),
            ("  12  ", " 113  x", Some("x")),
        ];
        for (prefix, line, wanted) in table {
            let shape = Shape::of(prefix.as_bytes()).unwrap();
            let found = shape.len_in(line.as_bytes()).map(|len| &line[len..]);
            assert_eq!(found, *wanted, "{prefix:?} {line:?}");
        }
        assert_eq!(Shape::of(b""), None);
        assert_eq!(Shape::of(b"(XEN) "), None);
    }
}
