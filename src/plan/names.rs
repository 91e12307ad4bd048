//! Tests by their names, as the words of a command line say it.

use globset::{GlobBuilder, GlobMatcher};

/// Which tests are meant: a name matches when it contains a word, or fits it as a glob; a word with `!` in front takes tests
/// away.
#[derive(Clone, Debug, Default)]
pub struct NameFilter {
    words: Vec<Word>,
    without: Vec<Word>,
}

#[derive(Clone, Debug)]
struct Word {
    text: String,
    glob: Option<GlobMatcher>,
    exact: bool,
}

/// A filter that is no glob.
#[derive(Debug, thiserror::Error)]
#[error(
    "filter {word:?} is not a valid pattern: {reason}; write a part of a test's name, or a glob such as 'block::*'"
)]
pub struct FilterError {
    /// What was given.
    pub word: String,
    /// What is wrong with it.
    pub reason: String,
}

impl NameFilter {
    /// A filter of these words; without any, or with none but such as take tests away, every other test is meant. `exact`:
    /// a word is a whole name, `suite::test` or the test's alone.
    ///
    /// # Errors
    /// A word with glob characters is not a valid glob, or nothing stands behind a `!`.
    pub fn new(words: &[String], exact: bool) -> Result<NameFilter, FilterError> {
        let mut filter = NameFilter::default();
        for word in words {
            match word.strip_prefix('!') {
                Some("") => {
                    let reason = "nothing stands behind the `!`".to_owned();
                    return Err(FilterError { word: word.clone(), reason });
                }
                Some(rest) => filter.without.push(Word::new(rest, exact)?),
                None => filter.words.push(Word::new(word, exact)?),
            }
        }
        Ok(filter)
    }

    /// Whether a test's full name is meant.
    pub fn is_match(&self, name: &str) -> bool {
        let any = |words: &[Word]| words.iter().any(|word| word.is_match(name));
        (self.words.is_empty() || any(&self.words)) && !any(&self.without)
    }
}

impl Word {
    fn new(text: &str, exact: bool) -> Result<Word, FilterError> {
        let is_glob = !exact && text.contains(['*', '?', '[', '{']);
        let glob = is_glob
            .then(|| GlobBuilder::new(text).build().map(|g| g.compile_matcher()))
            .transpose()
            .map_err(|e| FilterError { word: text.to_owned(), reason: e.kind().to_string() })?;
        Ok(Word { text: text.to_owned(), glob, exact })
    }

    fn is_match(&self, name: &str) -> bool {
        match &self.glob {
            Some(glob) => glob.is_match(name),
            None if self.exact => {
                name == self.text || name.split_once("::").is_some_and(|(_, test)| test == self.text)
            }
            None => name.contains(&self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(words: &[&str], exact: bool) -> Result<NameFilter, FilterError> {
        NameFilter::new(&words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>(), exact)
    }

    #[test]
    fn filters_are_parts_or_globs() {
        let name = "block::elevator-switch-race";
        let table: &[(&[&str], bool)] = &[
            (&[], true),
            (&["elevator"], true),
            (&["block::elevator-switch-race"], true),
            (&["cifs", "switch"], true),
            (&["cifs"], false),
            (&["block::*"], true),
            (&["elevator*"], false),
            (&["*race"], true),
            (&["!cifs"], true),
            (&["!race"], false),
            (&["block", "!switch"], false),
            (&["block", "!*leak"], true),
            (&["cifs", "!leak"], false),
        ];
        for (words, expected) in table {
            assert_eq!(filter(words, false).unwrap().is_match(name), *expected, "{words:?}");
        }
    }

    #[test]
    fn an_exact_word_is_a_whole_name() {
        let table = [
            ("elevator", false),
            ("elevator-switch-race", true),
            ("block::elevator-switch-race", true),
            ("block::*", false),
            ("!elevator", true),
            ("!elevator-switch-race", false),
        ];
        for (word, expected) in table {
            let filter = filter(&[word], true).unwrap();
            assert_eq!(filter.is_match("block::elevator-switch-race"), expected, "{word}");
        }
    }

    #[test]
    fn a_broken_word_says_so() {
        let said = |word: &str| filter(&[word], false).unwrap_err().to_string();
        insta::assert_snapshot!(said("block::["), @r#"filter "block::[" is not a valid pattern: unclosed character class; missing ']'; write a part of a test's name, or a glob such as 'block::*'"#);
        insta::assert_snapshot!(said("!"), @r#"filter "!" is not a valid pattern: nothing stands behind the `!`; write a part of a test's name, or a glob such as 'block::*'"#);
    }
}
