//! Texts of collections in the forms that a suite has.

/// The longest name of a test.
const LONGEST_NAME: usize = 64;

/// The longest summary, characters.
const LONGEST_SUMMARY: usize = 160;

/// A name as tests have it: lower-case letters, digits and `-`.
pub fn kebab(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        match c {
            'a'..='z' | '0'..='9' => name.push(c),
            _ if name.is_empty() || name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    name.truncate(LONGEST_NAME);
    name.trim_end_matches('-').to_owned()
}

/// The first sentence of a description in reStructuredText: its first paragraph, up to a full stop, without markup.
pub fn summary<'l>(lines: impl IntoIterator<Item = &'l str>) -> Option<String> {
    let lines = lines.into_iter().map(str::trim).skip_while(|line| line.is_empty());
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    let text = unmarked(&paragraph.join(" "));
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut sentence = words.join(" ");
    if let Some(end) = sentence_end(&sentence) {
        sentence.truncate(end);
    }
    let short = shortened(sentence.trim_end_matches([':', '.', ',', ';', ' ']));
    (!short.is_empty()).then_some(short)
}

/// A line that is not longer than a summary may be.
pub fn shortened(line: &str) -> String {
    let short: String = line.chars().take(LONGEST_SUMMARY).collect();
    match short.len() < line.len() {
        true => format!("{}…", short.rsplit_once(' ').map_or(short.as_str(), |(start, _)| start)),
        false => short,
    }
}

/// Where the first sentence ends: at a full stop before a capital letter.
fn sentence_end(text: &str) -> Option<usize> {
    let ends = text.match_indices(". ").map(|(place, _)| place);
    ends.into_iter().find(|&place| text[place + 2..].starts_with(|c: char| c.is_uppercase()))
}

/// Takes roles (`:manpage:`) and quotes of code away.
fn unmarked(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(place) = rest.find('`') {
        let (before, quoted) = (&rest[..place], rest[place..].trim_start_matches('`'));
        let role = before.strip_suffix(':').and_then(|start| {
            let colon = start.rfind(':')?;
            let role = &start[colon + 1..];
            (!role.is_empty() && role.chars().all(|c| c.is_ascii_alphanumeric())).then_some(colon)
        });
        plain.push_str(role.map_or(before, |colon| &before[..colon]));
        match quoted.find('`') {
            Some(end) => {
                plain.push_str(&quoted[..end]);
                rest = quoted[end..].trim_start_matches('`');
            }
            None => rest = quoted,
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_kebab_case() {
        for (text, name) in
            [("af_alg08", "af-alg08"), ("CVE-2020-1__x.sh", "cve-2020-1-x-sh"), ("__", ""), ("-a-", "a")]
        {
            assert_eq!(kebab(text), name);
        }
    }

    #[test]
    fn a_summary_is_the_first_sentence_without_markup() {
        let table: [(&[&str], Option<&str>); 6] = [
            (
                &["Checks that :manpage:`open(2)` sets", "``errno``. Then more."],
                Some("Checks that open(2) sets errno"),
            ),
            (&["", "Fixed in v4.1.2 by:", "", "more"], Some("Fixed in v4.1.2 by")),
            (&["An `open quote"], Some("An open quote")),
            (&[], None),
            (&["", " "], None),
            (&["a: b"], Some("a: b")),
        ];
        for (lines, expected) in table {
            assert_eq!(summary(lines.iter().copied()).as_deref(), expected, "{lines:?}");
        }
        let long = "word ".repeat(100);
        assert!(summary([long.as_str()]).unwrap().ends_with("word…"));
    }

    proptest! {
        #[test]
        fn any_text_has_a_bounded_summary(text in "\\PC{0,400}") {
            let summary = summary(text.lines()).unwrap_or_default();
            prop_assert!(summary.chars().count() <= LONGEST_SUMMARY + 1 && !summary.contains('\n'));
        }
    }
}
