//! Sections of `MAINTAINERS`, and those that a file is in.

use super::contact::{Contact, Role, mailbox, name};
use super::mailmap::Mailmap;
use super::pattern::{FilePattern, WordPattern};

/// The script leaves out whom all mails reach anyway: Linus Torvalds, whom the last section names.
const CHIEF: &str = "torvalds@linux-foundation.org";

/// The section that every file is in.
const THE_REST: &str = "THE REST";

/// One subsystem.
#[derive(Debug, Default)]
pub struct Section {
    /// Its name: `EXT4 FILE SYSTEM`.
    pub name: String,
    /// What `S:` says: `Maintained`, `Orphan` …
    pub status: Option<String>,
    contacts: Vec<(Role, String)>,
    excluded: Vec<FilePattern>,
    files: Vec<FileRule>,
    words: Vec<WordPattern>,
}

#[derive(Debug)]
enum FileRule {
    Pattern(FilePattern),
    Name(WordPattern),
}

impl Section {
    /// How specifically the section is about this file, if it is: as many levels of folders as its last rule that fits.
    fn depth(&self, file: &str) -> Option<i64> {
        if self.excluded.iter().any(|pattern| pattern.fits(file)) {
            return None;
        }
        self.files.iter().rev().find_map(|rule| match rule {
            FileRule::Pattern(pattern) => pattern.fits(file).then_some(pattern.depth),
            FileRule::Name(words) => words.fits(file).then_some(0),
        })
    }

    /// Whether a text has one of the section's words (`K:`).
    pub fn has_word_of(&self, text: &str) -> bool {
        self.words.iter().any(|words| words.fits(text))
    }
}

/// All sections of a `MAINTAINERS` file.
#[derive(Debug, Default)]
pub struct Maintainers(Vec<Section>);

impl Maintainers {
    /// Reads the file. Lines that are neither empty nor of the form `F: …` are the names of sections; there is no text
    /// that is no `MAINTAINERS` file, only one without sections. `is_folder` says of a path whether the tree has a
    /// folder there.
    pub fn parse(text: &str, is_folder: impl Fn(&str) -> bool) -> Maintainers {
        let is_folder: &dyn Fn(&str) -> bool = &is_folder;
        let mut sections = Vec::new();
        let mut current = Section::default();
        let mut any = false;
        for line in text.lines() {
            let Some((letter, value)) = entry(line) else {
                let line = line.trim_end();
                if line.is_empty() || line.trim_start().starts_with('#') {
                    continue;
                }
                let before =
                    std::mem::replace(&mut current, Section { name: line.to_owned(), ..Section::default() });
                if std::mem::take(&mut any) {
                    sections.push(before);
                }
                continue;
            };
            any = true;
            match letter {
                'M' => current.contacts.push((Role::Maintainer, value.to_owned())),
                'R' => current.contacts.push((Role::Reviewer, value.to_owned())),
                'L' => current.contacts.extend(list(value).map(|list| (Role::List, list))),
                'S' => current.status = Some(value.to_owned()),
                'X' => current.excluded.push(FilePattern::new(value, is_folder)),
                'F' => current.files.push(FileRule::Pattern(FilePattern::new(value, is_folder))),
                'N' => current.files.push(FileRule::Name(WordPattern::new(value))),
                'K' => current.words.push(WordPattern::new(value)),
                _ => {}
            }
        }
        if any {
            sections.push(current);
        }
        Maintainers(sections)
    }

    /// With the people's addresses as this `.mailmap` has them. Lists stay.
    pub fn with_mailmap(mut self, text: &str) -> Maintainers {
        let map = Mailmap::parse(text);
        for (role, address) in self.0.iter_mut().flat_map(|section| &mut section.contacts) {
            if *role != Role::List {
                *address = map.map(address);
            }
        }
        self
    }

    /// Whether there are no sections.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The sections that a file is in, the most specific one first, otherwise in the order of the file. `file` is a path
    /// from the root of the tree, `fs/ext4/inode.c`.
    pub fn sections_of(&self, file: &str) -> Vec<&Section> {
        let mut found: Vec<(i64, &Section)> =
            self.0.iter().filter_map(|section| Some((section.depth(file)?, section))).collect();
        found.sort_by_key(|(depth, _)| std::cmp::Reverse(*depth));
        found.into_iter().map(|(_, section)| section).collect()
    }

    /// The sections whose words (`K:`) a text has, in the order of the file. The script asks that of patches, and of
    /// files only where `--keywords-in-file` wants it.
    pub fn sections_by_words(&self, text: &str) -> Vec<&Section> {
        self.0.iter().filter(|section| section.has_word_of(text)).collect()
    }

    /// Whom to write to about a file: people first, then lists, each once. Somebody with several addresses is written to
    /// at the first of them.
    pub fn contacts_of(&self, file: &str) -> Vec<Contact> {
        let sections = self.sections_of(file);
        let mut contacts: Vec<Contact> = Vec::new();
        for lists in [false, true] {
            for section in &sections {
                let wanted = section.contacts.iter().filter(|(role, _)| (*role == Role::List) == lists);
                for (role, address) in wanted {
                    let (mailbox, name) = (mailbox(address), name(address));
                    let is_same = |contact: &Contact| {
                        contact.mailbox() == mailbox
                            || name.is_some() && super::contact::name(&contact.address) == name
                    };
                    if mailbox != CHIEF && !contacts.iter().any(is_same) {
                        let (role, section) = (*role, section.name.clone());
                        contacts.push(Contact { address: address.clone(), role, section });
                    }
                }
            }
        }
        contacts
    }

    /// The subsystem that a file belongs to: the most specific section but the last, which everything is in.
    pub fn subsystem_of(&self, file: &str) -> Option<&Section> {
        self.sections_of(file).into_iter().find(|section| section.name != THE_REST)
    }
}

/// A letter and what stands behind it: `F:`, `fs/ext4/`.
fn entry(line: &str) -> Option<(char, &str)> {
    let mut letters = line.chars();
    let letter = letters.next().filter(char::is_ascii_uppercase)?;
    let rest = letters.as_str().strip_prefix(':')?;
    Some((letter, rest.trim_start()))
}

/// The address of a list, unless only its subscribers may write to it.
fn list(value: &str) -> Option<String> {
    let (address, remark) = value.split_once(char::is_whitespace).unwrap_or((value, ""));
    (!remark.contains("subscribers-only")).then(|| address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
List of who does what
=====================

\tM: *Mail* is explained here

A FILE SYSTEM
M:\tAnn <ann@example.org>
M:\t\"Bo, B.\" <Bo@example.org>
R:\tCy <cy@example.org>
L:\tfs-a@lists.example.org
L:\tfs-closed@lists.example.org (subscribers-only)
S:\tMaintained
F:\tfs/a/
F:\tinclude/linux/a*
X:\tfs/a/old/
K:\t\\ba_mount\\b

EVERYTHING IN FS
L:\tfs@lists.example.org (moderated for others)
S:\tOdd Fixes
F:\tfs/*
F:\tfs/

NAMES
R:\tAnn Again <ANN@example.org>
R:\tANN AGAIN <elsewhere@example.org>
N:\ta_[a-z]+

THE REST
M:\tLinus Torvalds <torvalds@linux-foundation.org>
L:\tall@lists.example.org
F:\t*
F:\t*/
";

    fn told(file: &str) -> String {
        let maintainers = Maintainers::parse(TEXT, |_| false);
        let contacts: Vec<String> = maintainers
            .contacts_of(file)
            .iter()
            .map(|contact| format!("{} ({}, {})", contact.address, contact.role.word(), contact.section))
            .collect();
        let subsystem = maintainers.subsystem_of(file).map_or("-", |section| section.name.as_str());
        format!("{file}: {subsystem}\n  {}\n", contacts.join("\n  "))
    }

    #[test]
    fn the_most_specific_section_comes_first() {
        let files = ["fs/a/x.c", "fs/a/old/x.c", "fs/namei.c", "lib/a_mount.c", "Makefile"];
        insta::assert_snapshot!(files.map(told).concat(), @r#"
        fs/a/x.c: A FILE SYSTEM
          Ann <ann@example.org> (maintainer, A FILE SYSTEM)
          "Bo, B." <Bo@example.org> (maintainer, A FILE SYSTEM)
          Cy <cy@example.org> (reviewer, A FILE SYSTEM)
          fs-a@lists.example.org (list, A FILE SYSTEM)
          fs@lists.example.org (list, EVERYTHING IN FS)
          all@lists.example.org (list, THE REST)
        fs/a/old/x.c: EVERYTHING IN FS
          fs@lists.example.org (list, EVERYTHING IN FS)
          all@lists.example.org (list, THE REST)
        fs/namei.c: EVERYTHING IN FS
          fs@lists.example.org (list, EVERYTHING IN FS)
          all@lists.example.org (list, THE REST)
        lib/a_mount.c: NAMES
          Ann Again <ANN@example.org> (reviewer, NAMES)
          all@lists.example.org (list, THE REST)
        Makefile: -
          all@lists.example.org (list, THE REST)
        "#);
        let maintainers = Maintainers::parse(TEXT, |_| false);
        let named = |text| {
            maintainers
                .sections_by_words(text)
                .iter()
                .map(|section| section.name.as_str())
                .collect::<Vec<_>>()
        };
        assert_eq!(named("int a_mount(void)"), ["A FILE SYSTEM"]);
        assert!(named("a_mounted").is_empty());
        assert!(Maintainers::parse("no sections\n", |_| false).is_empty());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read(text in "([A-Z]:[ \t]\\PC{0,20}|\\PC{0,20}|\n){0,40}", file in "\\PC{0,30}") {
            let maintainers = Maintainers::parse(&text, |_| true);
            maintainers.contacts_of(&file);
            maintainers.sections_by_words(&file);
        }
    }
}
