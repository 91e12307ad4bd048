//! `/etc/passwd`, `group` and their shadows: from what the package base-passwd brings, from `sysusers.d` of packages, and the
//! users that the caller wants. Nobody has a password, and nobody can log in by one.

use std::io;

use super::failed;
use crate::error::UserlandError;
use crate::tree::{Attributes, Blobs, Kind, Path, Tree, text_of};

/// Where no package has any. The numbers are Debian's.
const PASSWD: &str = include_str!("../data/passwd");
const GROUP: &str = include_str!("../data/group");

/// Numbers of the users that the caller wants: from here on.
const FIRST_USER: u32 = 1000;

/// Numbers of users of packages, downwards from here, as systemd-sysusers gives them.
const LAST_SYSTEM: u32 = 999;

/// A day in 2020 on which all passwords were changed; the same in every image.
const DAY: u32 = 18_262;

struct Accounts {
    passwd: String,
    group: String,
}

/// Writes the files of accounts, unless an image has them, and adds the users.
pub(super) fn apply(tree: &mut Tree, blobs: &mut Blobs, users: &[String]) -> Result<(), UserlandError> {
    let mut accounts = existing(tree).map_err(failed)?;
    for line in sysusers(tree).map_err(failed)? {
        accounts.add_system(&line);
    }
    let shell = if tree.find("/bin/bash").is_some() { "/bin/bash" } else { "/bin/sh" };
    for user in users {
        if has(&accounts.passwd, user) {
            return Err(UserlandError::BadUser(user.clone()));
        }
        let number = accounts.free(FIRST_USER, u32::MAX);
        accounts.group += &format!("{user}:x:{number}:\n");
        accounts.passwd += &format!("{user}:x:{number}:{number}::/home/{user}:{shell}\n");
        let home = Path::parse(format!("home/{user}").as_bytes())
            .map_err(|_| UserlandError::BadUser(user.clone()))?;
        let attributes = Attributes { user: number, group: number, ..Attributes::of_root(0o755) };
        tree.put(&home, attributes, Kind::Folder(Default::default()))
            .map_err(|none| failed(io::Error::other(format!("/home/{user} {none}"))))?;
    }
    accounts.write(tree, blobs).map_err(failed)
}

fn existing(tree: &Tree) -> io::Result<Accounts> {
    let first = |own: &str, master: &str, built_in: &str| -> io::Result<String> {
        let mut text = match tree.text(own)? {
            Some(text) => text,
            // as update-passwd does with the passwords of the master files
            None => tree.text(master)?.unwrap_or_else(|| built_in.to_string()).replace(":*:", ":x:"),
        };
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Ok(text)
    };
    Ok(Accounts {
        passwd: first("etc/passwd", "usr/share/base-passwd/passwd.master", PASSWD)?,
        group: first("etc/group", "usr/share/base-passwd/group.master", GROUP)?,
    })
}

/// The lines of all files of `sysusers.d`.
fn sysusers(tree: &Tree) -> io::Result<Vec<String>> {
    let mut lines = Vec::new();
    let Some(folder) = tree.find("usr/lib/sysusers.d") else { return Ok(lines) };
    for (name, id) in tree.entries(folder) {
        if name.ends_with(b".conf")
            && let Some(text) = text_of(tree.node(id))?
        {
            lines.extend(text.lines().map(String::from));
        }
    }
    Ok(lines)
}

/// Whether a file of accounts has this name.
fn has(text: &str, name: &str) -> bool {
    text.lines().any(|line| line.split(':').next() == Some(name))
}

fn number_of(text: &str, name: &str) -> Option<u32> {
    let line = text.lines().find(|line| line.split(':').next() == Some(name))?;
    line.split(':').nth(2)?.parse().ok()
}

impl Accounts {
    /// A number that no user and no group has, the first one from `from` on, or the last one up to `to`.
    fn free(&self, from: u32, to: u32) -> u32 {
        let taken = |number: u32| {
            let number = number.to_string();
            self.passwd.lines().chain(self.group.lines()).any(|line| line.split(':').nth(2) == Some(&number))
        };
        let mut upwards = (from..to).filter(|number| !taken(*number));
        match to {
            u32::MAX => upwards.next(),
            _ => (from..=to).rev().find(|number| !taken(*number)),
        }
        .unwrap_or(from)
    }

    /// A line of sysusers.d(5): `u name id "comment" home shell`, `g name id`, `m user group`.
    fn add_system(&mut self, line: &str) {
        let words = words_of(line);
        let word = |index: usize| words.get(index).map(String::as_str).filter(|word| *word != "-");
        let Some(name) = word(1).filter(|name| !name.contains([':', '%'])) else { return };
        let asked = word(2).and_then(|id| id.split(':').next()?.parse().ok());
        match words[0].trim_end_matches('!') {
            "u" if !has(&self.passwd, name) => {
                let number = asked.unwrap_or_else(|| self.free(100, LAST_SYSTEM));
                if !has(&self.group, name) {
                    self.group += &format!("{name}:x:{number}:\n");
                }
                let group = number_of(&self.group, name).unwrap_or(number);
                let (comment, home) = (word(3).unwrap_or_default(), word(4).unwrap_or("/"));
                let shell = word(5).unwrap_or("/usr/sbin/nologin");
                self.passwd += &format!("{name}:x:{number}:{group}:{comment}:{home}:{shell}\n");
            }
            "g" if !has(&self.group, name) => {
                let number = asked.unwrap_or_else(|| self.free(100, LAST_SYSTEM));
                self.group += &format!("{name}:x:{number}:\n");
            }
            _ => {}
        }
    }

    fn write(self, tree: &mut Tree, blobs: &mut Blobs) -> io::Result<()> {
        let locked = |text: &str, end: &str| -> String {
            let names =
                text.lines().filter_map(|line| line.split(':').next()).filter(|name| !name.is_empty());
            names.map(|name| format!("{name}:*:{end}\n")).collect()
        };
        let shadow = locked(&self.passwd, &format!("{DAY}:0:99999:7:::"));
        let gshadow = locked(&self.group, ":");
        // an image's own say how its users log in
        if !tree.has_name("etc/shadow") {
            tree.put_text(blobs, "etc/shadow", 0o640, shadow)?;
        }
        if !tree.has_name("etc/gshadow") {
            tree.put_text(blobs, "etc/gshadow", 0o640, gshadow)?;
        }
        if let Some(group) = number_of(&self.group, "shadow") {
            for path in ["etc/shadow", "etc/gshadow"] {
                if let Some(id) = tree.find(path) {
                    tree.attributes_mut(id).group = group;
                }
            }
        }
        tree.put_text(blobs, "etc/passwd", 0o644, self.passwd)?;
        tree.put_text(blobs, "etc/group", 0o644, self.group)
    }
}

/// The words of a line, those in double quotes together.
fn words_of(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.split('#').next().unwrap_or_default().trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => rest.split_once(char::is_whitespace).unwrap_or((rest, "")),
        };
        words.push(word.to_string());
        rest = after.trim_start();
    }
    words
}
