//! The script that fills an empty file system.

use std::collections::BTreeMap;
use std::path::Path as HostPath;

use crate::error::UserlandError;
use crate::tree::{Attributes, Id, Kind, Node, ROOT, Tree, is_writable, shown};

/// How long a line of a script may be, bytes: debugfs reads 8191.
const MAX_LINE: usize = 8000;

/// Times that ext4 keeps without its extra bits, seconds since 1970.
const MAX_TIME: u64 = i32::MAX as u64;

/// What debugfs is given.
pub(super) struct Script {
    pub text: Vec<u8>,
    /// What the files take in blocks, folders included.
    pub bytes: u64,
}

struct Writer<'a> {
    tree: &'a Tree,
    script: Script,
    /// The first path of what may have several, and how many it has by now.
    seen: BTreeMap<Id, (Vec<u8>, u32)>,
    image: &'a HostPath,
}

/// The commands that make a tree, in the order of the names.
pub(super) fn of(tree: &Tree, image: &HostPath) -> Result<Script, UserlandError> {
    let script = Script { text: Vec::new(), bytes: 0 };
    let mut writer = Writer { tree, script, seen: BTreeMap::new(), image };
    let mut todo = vec![(Vec::new(), ROOT)];
    writer.attributes(b"/", tree.node(ROOT))?;
    while let Some((at, folder)) = todo.pop() {
        let inner = writer.folder(&at, folder)?;
        todo.extend(inner.into_iter().rev());
    }
    let several = std::mem::take(&mut writer.seen);
    for (path, names) in several.into_values().filter(|(_, names)| *names > 1) {
        writer.line(&[b"sif", &path, b"links_count", names.to_string().as_bytes()])?;
    }
    Ok(writer.script)
}

impl Writer<'_> {
    /// Makes what is in a folder, and answers the folders among that.
    fn folder(&mut self, at: &[u8], folder: Id) -> Result<Vec<(Vec<u8>, Id)>, UserlandError> {
        let tree = self.tree;
        let mut inner = Vec::new();
        let mut names = 0;
        self.line(&[b"cd", if at.is_empty() { b"/" } else { at }])?;
        for (name, id) in tree.entries(folder) {
            names += 264;
            let path = [at, b"/", name].concat();
            let node = tree.node(id);
            if let Kind::Folder(_) = node.kind {
                // mke2fs has made it in the root
                if path != b"/lost+found" {
                    self.line(&[b"mkdir", name])?;
                }
                self.attributes(&path, node)?;
                inner.push((path, id));
                continue;
            }
            if let Some((first, names)) = self.seen.get_mut(&id) {
                *names += 1;
                let first = first.clone();
                self.line(&[b"ln", &first, name])?;
                continue;
            }
            self.seen.insert(id, (path.clone(), 1));
            match &node.kind {
                Kind::File(blob) => {
                    self.script.bytes += blob.size.next_multiple_of(super::BLOCK);
                    self.line(&[b"write", blob.file.as_os_str().as_encoded_bytes(), name])?;
                }
                Kind::Link(target) => {
                    self.script.bytes += super::BLOCK;
                    self.line(&[b"symlink", name, target])?;
                }
                Kind::Device { block, major, minor } => {
                    let (major, minor) = (major.to_string(), minor.to_string());
                    let kind: &[u8] = if *block { b"b" } else { b"c" };
                    self.line(&[b"mknod", name, kind, major.as_bytes(), minor.as_bytes()])?;
                }
                Kind::Pipe => self.line(&[b"mknod", name, b"p"])?,
                Kind::Folder(_) => {}
            }
            self.attributes(&path, node)?;
        }
        self.script.bytes += super::BLOCK + names;
        Ok(inner)
    }

    fn attributes(&mut self, path: &[u8], node: &Node) -> Result<(), UserlandError> {
        let Attributes { mode, user, group, mtime, capability } = &node.attributes;
        let kind = match node.kind {
            Kind::Folder(_) => 0o040_000,
            Kind::File(_) => 0o100_000,
            Kind::Link(_) => 0o120_000,
            Kind::Device { block: true, .. } => 0o060_000,
            Kind::Device { block: false, .. } => 0o020_000,
            Kind::Pipe => 0o010_000,
        };
        let mode = if kind == 0o120_000 { 0o777 } else { *mode };
        self.set(path, "mode", &format!("0{:o}", kind | mode))?;
        self.set(path, "uid", &user.to_string())?;
        self.set(path, "gid", &group.to_string())?;
        self.set(path, "mtime", &format!("@{}", (*mtime).min(MAX_TIME)))?;
        if let Some(value) = capability {
            let value: String = value.iter().map(|byte| format!("\\x{byte:02x}")).collect();
            self.line(&[b"ea_set", path, b"security.capability", value.as_bytes()])?;
        }
        Ok(())
    }

    fn set(&mut self, path: &[u8], field: &str, value: &str) -> Result<(), UserlandError> {
        self.line(&[b"sif", path, field.as_bytes(), value.as_bytes()])
    }

    /// A command with its words, each in quotes; a quote within is doubled.
    fn line(&mut self, words: &[&[u8]]) -> Result<(), UserlandError> {
        let begin = self.script.text.len();
        for (index, word) in words.iter().enumerate() {
            if !is_writable(word) {
                return Err(UserlandError::Entry {
                    path: self.image.to_path_buf(),
                    entry: shown(word),
                    what: "has a zero byte or the end of a line in its name".into(),
                });
            }
            if index > 0 {
                self.script.text.extend(b" \"");
            }
            for byte in *word {
                self.script.text.push(*byte);
                if *byte == b'"' {
                    self.script.text.push(b'"');
                }
            }
            if index > 0 {
                self.script.text.push(b'"');
            }
        }
        if self.script.text.len() - begin > MAX_LINE {
            return Err(UserlandError::Entry {
                path: self.image.to_path_buf(),
                entry: shown(words[1]),
                what: "has too long a path".into(),
            });
        }
        self.script.text.push(b'\n');
        Ok(())
    }
}
