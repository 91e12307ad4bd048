//! A new import into a file that was written before and may have been changed since.

use std::collections::{BTreeMap, BTreeSet};

use crate::draft::{SuiteDraft, TestDraft};
use crate::write::{self, MARK, NAMES, digest};

/// A file after a new import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// The text to write.
    pub text: String,
    /// What is different from before, or was kept.
    pub changes: Vec<Change>,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is new.
    Added(String),
    /// It was as it had been imported, and is now as the collection has it.
    Updated {
        /// The test, or the file's head.
        entry: String,
        /// The text before.
        before: String,
        /// The text now.
        now: String,
    },
    /// A person changed it, and the collection has it otherwise now: it stays as it is.
    Kept {
        /// The test, or the file's head.
        entry: String,
        /// The text that stays.
        here: String,
        /// What the import would have written.
        imported: String,
    },
    /// A person removed it, and it stays away.
    StaysRemoved(String),
    /// The collection has it no more, and nobody changed it: it is removed.
    Gone(String),
}

/// A file, taken apart.
struct Parts<'t> {
    head: &'t str,
    /// Names and texts of the tests, in their order.
    entries: Vec<(&'t str, &'t str)>,
    /// Everything that earlier imports wrote.
    imported: BTreeSet<&'t str>,
}

/// Takes a new import into the text of a file. What a person wrote stays as it is.
pub fn merge(existing: &str, suite: &SuiteDraft, by: &str) -> Merged {
    let parts = parts(existing);
    let mut changes = Vec::new();
    let new_head = write::head(suite, by);
    let head = chosen("the head of the file", parts.head, &new_head, &mut changes);
    let new: BTreeMap<&str, &TestDraft> = suite.tests.iter().map(|test| (test.name.as_str(), test)).collect();
    let mut known: BTreeSet<&str> = parts.imported.clone();
    let mut texts: Vec<(String, String)> = Vec::new();
    for (name, here) in &parts.entries {
        match new.get(name) {
            Some(test) => {
                texts.push(((*name).to_owned(), chosen(name, here, &write::entry(test), &mut changes)));
            }
            None if is_as_imported(here) => changes.push(Change::Gone((*name).to_owned())),
            None => texts.push(((*name).to_owned(), trimmed(here))),
        }
    }
    let here: BTreeSet<&str> = parts.entries.iter().map(|(name, _)| *name).collect();
    for (name, test) in &new {
        if here.contains(name) {
            known.insert(name);
        } else if parts.imported.contains(name) {
            changes.push(Change::StaysRemoved((*name).to_owned()));
        } else {
            known.insert(name);
            changes.push(Change::Added((*name).to_owned()));
            let place = texts.iter().position(|(other, _)| other.as_str() > *name).unwrap_or(texts.len());
            texts.insert(place, ((*name).to_owned(), write::entry(test)));
        }
    }
    let mut text = head;
    for (_, entry) in &texts {
        text.push('\n');
        text += entry;
    }
    known.retain(|name| new.contains_key(name));
    text.push('\n');
    text += &write::names(known.into_iter());
    Merged { text, changes }
}

/// The text that an entry gets.
fn chosen(entry: &str, here: &str, imported: &str, changes: &mut Vec<Change>) -> String {
    let entry = entry.to_owned();
    if mark(here) == mark(imported) {
        // the collection says what it said before, whoever changed it here
        return trimmed(here);
    }
    if is_as_imported(here) {
        changes.push(Change::Updated { entry, before: trimmed(here), now: imported.to_owned() });
        return imported.to_owned();
    }
    if unmarked(here) == unmarked(imported) {
        return imported.to_owned();
    }
    changes.push(Change::Kept { entry, here: trimmed(here), imported: imported.to_owned() });
    trimmed(here)
}

/// The digest that an import wrote behind it.
fn mark(text: &str) -> Option<&str> {
    text.lines().rev().find_map(|line| line.trim().strip_prefix(MARK)).map(str::trim)
}

fn unmarked(text: &str) -> String {
    let lines = text.lines().map(str::trim_end);
    let lines = lines.filter(|line| !line.is_empty() && !line.trim_start().starts_with(MARK));
    lines.map(|line| format!("{line}\n")).collect()
}

fn is_as_imported(text: &str) -> bool {
    mark(text).is_some_and(|mark| mark == digest(&unmarked(text)))
}

/// Without empty lines at its end.
fn trimmed(text: &str) -> String {
    format!("{}\n", text.trim_end())
}

/// Takes a file apart at the lines that begin a test.
fn parts(text: &str) -> Parts<'_> {
    let mut starts: Vec<(usize, &str)> = Vec::new();
    let mut place = 0;
    let mut end = text.len();
    let mut imported = BTreeSet::new();
    for line in text.split_inclusive('\n') {
        if let Some(name) = line.trim_start().strip_prefix("- name:") {
            let name = name.split('#').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
            starts.push((place, name));
        } else if let Some(names) = line.strip_prefix(NAMES) {
            end = end.min(place);
            imported.extend(names.split_whitespace());
        }
        place += line.len();
    }
    starts.retain(|(start, _)| *start < end);
    let ends = starts.iter().skip(1).map(|(start, _)| *start).chain([end]);
    let entries = starts.iter().zip(ends).map(|(&(start, name), end)| (name, &text[start..end]));
    let head = &text[..starts.first().map_or(end, |(start, _)| *start)];
    Parts { head, entries: entries.collect(), imported }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draft::ProgramValue;
    use proptest::prelude::*;

    fn test(name: &str, summary: &str) -> TestDraft {
        TestDraft {
            name: name.into(),
            summary: summary.into(),
            program: vec![("ltp", ProgramValue::Text("p".into()))],
            symptom: "{exit: {code: 1}}".into(),
            ..TestDraft::default()
        }
    }

    fn suite(tests: &[(&str, &str)]) -> SuiteDraft {
        let tests = tests.iter().map(|(name, summary)| test(name, summary)).collect();
        SuiteDraft {
            name: "s".into(),
            summary: "all of them".into(),
            memory_mib: 1024,
            tests,
            ..SuiteDraft::default()
        }
    }

    #[test]
    fn an_import_of_the_same_changes_nothing() {
        let suite = suite(&[("a", "one"), ("b", "two")]);
        let text = write::write(&suite, "import");
        assert_eq!(merge(&text, &suite, "import"), Merged { text: text.clone(), changes: Vec::new() });
    }

    #[test]
    fn what_was_changed_or_removed_stays_so_and_the_rest_follows_the_collection() {
        let old =
            write::write(&suite(&[("a", "one"), ("b", "two"), ("c", "three"), ("e", "five")]), "import");
        // b is changed, c removed, a test of one's own added
        let own = "  - name: mine\n    summary: own\n";
        let start = old.find("  - name: c").unwrap();
        let end = old.find("  - name: e").unwrap();
        let text =
            format!("{}{own}\n{}", &old[..start], &old[end..]).replace("summary: two", "summary: mine now");
        let new = suite(&[("a", "first"), ("b", "second"), ("c", "third"), ("d", "fourth")]);
        let merged = merge(&text, &new, "import");
        let said: Vec<String> = merged
            .changes
            .iter()
            .map(|change| match change {
                Change::Added(name) => format!("added {name}"),
                Change::Updated { entry, .. } => format!("updated {entry}"),
                Change::Kept { entry, .. } => format!("kept {entry}"),
                Change::StaysRemoved(name) => format!("still removed {name}"),
                Change::Gone(name) => format!("gone {name}"),
            })
            .collect();
        assert_eq!(said, ["updated a", "kept b", "gone e", "still removed c", "added d"]);
        for (wanted, there) in [
            ("summary: first", true),
            ("summary: mine now", true),
            ("summary: own", true),
            ("summary: fourth", true),
            ("third", false),
            ("- name: e", false),
            ("# imported: a b c d\n", true),
        ] {
            assert_eq!(merged.text.contains(wanted), there, "{wanted}\n{}", merged.text);
        }
        // and once more nothing but what was kept
        let again = merge(&merged.text, &new, "import");
        assert_eq!(again.text, merged.text);
        assert!(again.changes.iter().all(|c| matches!(c, Change::Kept { .. } | Change::StaysRemoved(_))));
    }

    #[test]
    fn a_change_is_kept_in_silence_while_the_collection_says_the_same() {
        let suite = suite(&[("a", "one")]);
        let text = write::write(&suite, "import").replace("summary: one", "summary: better");
        let merged = merge(&text, &suite, "import");
        assert_eq!((merged.text.as_str(), merged.changes.len()), (text.as_str(), 0));
    }

    proptest! {
        #[test]
        fn any_file_is_merged_without_a_panic_and_keeps_its_lines(
            text in "(  - name: [ab]\n|    summary: x\n|# imported: a\n|    # import 00\n|suite: s\n|\n|é){0,20}"
        ) {
            let merged = merge(&text, &suite(&[("a", "one"), ("c", "three")]), "import");
            let again = merge(&merged.text, &suite(&[("a", "one"), ("c", "three")]), "import");
            prop_assert_eq!(again.text, merged.text);
        }
    }
}
