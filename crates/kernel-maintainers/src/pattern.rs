//! Rules of a section: which files it is about.

use std::sync::OnceLock;

use regex::{Regex, RegexBuilder};

/// A file pattern of `F:` or `X:`. It fits from the beginning of a path; `*` and `?` stand for any letters, slashes
/// included. One that ends with a slash means everything below, any other as many slashes as it has itself.
#[derive(Debug)]
pub(crate) struct FilePattern {
    text: String,
    /// What every path that fits begins with.
    literal: String,
    /// Slashes of a path that fits, where that matters.
    slashes: Option<usize>,
    /// How specific it is: its slashes, one more where it names no folder, and -1 where it begins with `*`.
    pub(crate) depth: i64,
    wild: bool,
    regex: OnceLock<Option<Regex>>,
}

/// Letters that mean something else in the script, which lays patterns over as regular expressions.
const SPECIAL: [char; 12] = ['*', '?', '[', ']', '(', ')', '{', '}', '+', '|', '^', '$'];

impl FilePattern {
    /// `is_folder` tells whether the tree has a folder of this name: its slash may be missing.
    pub(crate) fn new(value: &str, is_folder: &dyn Fn(&str) -> bool) -> FilePattern {
        let mut text = value.to_owned();
        let plain = !text.contains(SPECIAL);
        // the script asks after it has escaped dots, so that a folder with one in its name needs the slash
        if plain && !text.ends_with('/') && !text.is_empty() && !text.contains('.') && is_folder(&text) {
            text.push('/');
        }
        let count = text.matches('/').count();
        let folder = text.ends_with('/');
        let depth = i64::try_from(count).unwrap_or(i64::MAX) + i64::from(!folder);
        let literal = text.split(SPECIAL).next().unwrap_or_default().to_owned();
        // a letter before `+` or `{` may be missing
        let literal = match text[literal.len()..].chars().next() {
            Some('+' | '{' | '|') => String::new(),
            _ => literal,
        };
        FilePattern {
            depth: if text.starts_with('*') { -1 } else { depth },
            slashes: (!folder).then_some(count),
            wild: !plain,
            regex: OnceLock::new(),
            literal,
            text,
        }
    }

    pub(crate) fn fits(&self, file: &str) -> bool {
        if !file.starts_with(&self.literal)
            || self.slashes.is_some_and(|slashes| file.matches('/').count() != slashes)
        {
            return false;
        }
        !self.wild || self.regex().is_some_and(|regex| regex.is_match(file))
    }

    fn regex(&self) -> Option<&Regex> {
        let compile = || {
            let pattern = self.text.replace('.', r"\.").replace('*', ".*").replace('?', ".");
            Regex::new(&format!("^(?s:{pattern})")).ok()
        };
        self.regex.get_or_init(compile).as_ref()
    }
}

/// A regular expression of `N:` (of a path) or `K:` (of a file's text), in which white space means nothing.
#[derive(Debug)]
pub(crate) struct WordPattern {
    text: String,
    regex: OnceLock<Option<Regex>>,
}

impl WordPattern {
    pub(crate) fn new(value: &str) -> WordPattern {
        WordPattern { text: value.to_owned(), regex: OnceLock::new() }
    }

    pub(crate) fn fits(&self, text: &str) -> bool {
        let compile = || RegexBuilder::new(&self.text).ignore_whitespace(true).build().ok();
        self.regex.get_or_init(compile).as_ref().is_some_and(|regex| regex.is_match(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_as_in_the_script() {
        let table: &[(&str, &str, bool)] = &[
            ("fs/ext4/", "fs/ext4/inode.c", true),
            ("fs/ext4/", "fs/ext4/sub/x.c", true),
            ("fs/ext4/", "fs/ext4", false),
            ("fs/*", "fs/aio.c", true),
            ("fs/*", "fs/ext4/inode.c", false),
            ("fs/*/*", "fs/ext4/inode.c", true),
            ("fs/aio.c", "fs/aio.c", true),
            // the end of a pattern is open
            ("fs/aio", "fs/aio.c", true),
            ("fs/aioxc", "fs/aio.c", false),
            ("drivers/*/x?.c", "drivers/a/xy.c", true),
            ("drivers/*/x?.c", "drivers/a/xyz.c", false),
            ("drivers/*/dts/", "drivers/a/b/dts/x", true),
            ("*", "Makefile", true),
            ("*/", "a/b/c", true),
            ("mm/[a-k]*", "mm/kasan.c", true),
            ("mm/[a-k]*", "mm/slub.c", false),
            ("block", "block/bio.c", true),
            ("block", "blocks", false),
        ];
        for (pattern, file, fits) in table {
            let pattern = FilePattern::new(pattern, &|name| name == "block");
            assert_eq!(pattern.fits(file), *fits, "{pattern:?} {file}");
        }
        assert!(WordPattern::new("[^a-z] tegra").fits("drivers/soc/tegra/x.c"));
        assert!(!WordPattern::new("(").fits("("));
    }

    proptest::proptest! {
        #[test]
        fn any_pattern_is_read(pattern in "\\PC{0,40}", file in "\\PC{0,40}") {
            FilePattern::new(&pattern, &|_| false).fits(&file);
            WordPattern::new(&pattern).fits(&file);
        }

        #[test]
        fn a_plain_path_fits_itself(file in "[a-z]{1,9}(/[a-z0-9_-]{1,9}){0,4}\\.[ch]") {
            proptest::prop_assert!(FilePattern::new(&file, &|_| false).fits(&file));
        }
    }
}
