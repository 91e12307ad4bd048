//! quilt's `series` file: one patch a line, in order, with `-pN` and `-R` behind it and `#` before comments (quilt(1),
//! and as Debian's source format 3.0 and the stable queue use it).

use std::path::{Path, PathBuf};

use crate::diff::{Diff, HunkLine, Kind};

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The patch's name, relative to the folder.
    pub name: String,
    /// Its line in the file.
    pub line: usize,
    /// How many folders are taken from its paths; absent: those that the diff's prefixes ask for.
    pub strip: Option<usize>,
    /// Whether it is applied in reverse.
    pub reverse: bool,
    /// A condition before its name, as SUSE's `series.conf` has it: `+needs-work`.
    pub guard: Option<String>,
}

/// The series file of a folder: its own, that of its `patches`, or that of a Debian source.
pub fn find(folder: &Path) -> Option<PathBuf> {
    ["series", "patches/series", "debian/patches/series"]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

/// Reads the file's text.
///
/// # Errors
/// A line holds something that is neither a name nor an option; the message names line and column.
pub fn parse(text: &str) -> Result<Vec<Entry>, String> {
    let mut entries = Vec::new();
    for (line, text) in (1..).zip(text.lines()) {
        let said = match text.find('#') {
            Some(0) => "",
            Some(at) if text[..at].ends_with([' ', '\t']) => &text[..at],
            _ => text,
        };
        let mut entry: Option<Entry> = None;
        let mut guard = None;
        let mut words = said.split_whitespace();
        while let Some(word) = words.next() {
            let Some(entry) = &mut entry else {
                match word.strip_prefix(['+', '-']) {
                    Some(_) => guard = Some(word.to_owned()),
                    None => {
                        let guard = guard.take();
                        entry =
                            Some(Entry { name: word.to_owned(), line, strip: None, reverse: false, guard });
                    }
                }
                continue;
            };
            match word {
                "-R" | "--reverse" => entry.reverse = true,
                "-pab" => entry.strip = None,
                _ => {
                    let digits = word.strip_prefix("-p").or_else(|| word.strip_prefix("--strip="));
                    let digits = match digits {
                        Some("") => words.next(),
                        digits => digits,
                    };
                    entry.strip = Some(digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| {
                        let column = text.find(word).unwrap_or(0) + 1;
                        format!("line {line}, column {column}: `{word}` behind a patch's name; expected -pN, -R or a comment behind `#`")
                    })?);
                }
            }
        }
        entries.extend(entry);
    }
    Ok(entries)
}

/// The change in the other direction.
pub fn reversed(mut diff: Diff) -> Diff {
    use crate::diff::Body;
    let turned = |line: &HunkLine| HunkLine {
        kind: match line.kind {
            Kind::Add => Kind::Remove,
            Kind::Remove => Kind::Add,
            Kind::Context => Kind::Context,
        },
        ..line.clone()
    };
    diff.files.reverse();
    for file in &mut diff.files {
        std::mem::swap(&mut file.old_path, &mut file.new_path);
        std::mem::swap(&mut file.old_name, &mut file.new_name);
        std::mem::swap(&mut file.created, &mut file.deleted);
        std::mem::swap(&mut file.old_blob, &mut file.new_blob);
        std::mem::swap(&mut file.old_mode, &mut file.new_mode);
        for hunk in &mut file.hunks {
            std::mem::swap(&mut hunk.old, &mut hunk.new);
            if let Body::Whole(lines) = &mut hunk.body {
                *lines = lines.iter().map(turned).collect();
            }
        }
    }
    diff
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_file_is_read() {
        let text = "# comment\n\na.patch\nb/c.patch -p0 # why\n  d.patch\t-p 2 -R\n#e.patch\n+later f.patch\ng#1.patch -pab\n";
        let shown: Vec<String> = parse(text)
            .unwrap()
            .iter()
            .map(|entry| {
                let guard = entry.guard.as_deref().unwrap_or("-");
                format!("{} {} {:?} {} {guard}", entry.line, entry.name, entry.strip, entry.reverse)
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r"
        3 a.patch None false -
        4 b/c.patch Some(0) false -
        5 d.patch Some(2) true -
        7 f.patch None false +later
        8 g#1.patch None false -
        ");
        insta::assert_snapshot!(parse("a.patch\nb.patch -x\n").unwrap_err(), @"line 2, column 9: `-x` behind a patch's name; expected -pN, -R or a comment behind `#`");
    }
}
