//! A root file system as a tree in memory, whose files' contents lie in a folder of the host under numbers.
//!
//! Paths are resolved within the tree, links included, as a process sees them whose root it is. Nothing of an archive is
//! ever a path of the host.

mod blobs;
mod path;

pub(crate) use blobs::{Blob, Blobs, text_of};
pub(crate) use path::{Path, is_writable, shown};

use std::collections::BTreeMap;

/// How many links a path may go through, as in the kernel (`MAXSYMLINKS`).
const MAX_LINKS: usize = 40;

/// How many files a tree may have: a full desktop has half a million.
const MAX_NODES: usize = 4 << 20;

/// A file, by its place in [`Tree::nodes`].
pub(crate) type Id = usize;

/// The root folder.
pub(crate) const ROOT: Id = 0;

/// What every kind of file has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    /// Permissions, with the set-user-ID, set-group-ID and sticky bits.
    pub mode: u32,
    pub user: u32,
    pub group: u32,
    /// Of the last change, seconds since 1970.
    pub mtime: u64,
    /// File capabilities as the kernel stores them (`security.capability`).
    pub capability: Option<Vec<u8>>,
}

impl Attributes {
    /// Of a file of root's.
    pub(crate) fn of_root(mode: u32) -> Attributes {
        Attributes { mode, user: 0, group: 0, mtime: 0, capability: None }
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kind {
    Folder(BTreeMap<Vec<u8>, Id>),
    File(Blob),
    Link(Vec<u8>),
    Device { block: bool, major: u32, minor: u32 },
    Pipe,
}

/// A file. One with several names is there once.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub attributes: Attributes,
    pub kind: Kind,
    /// The layer that brought it, or that changed it last.
    layer: u32,
}

/// What a folder does that comes where a link to a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LinkedFolders {
    /// The link stays, as with dpkg: that is how a package whose files are in `/bin` gets into `/usr/bin`.
    Stay,
    /// The folder takes its place, as in layers of images.
    Replaced,
}

/// Why something has no place in a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    #[error("leads through more than 40 links")]
    Loop,
    #[error("lies below something that is no folder")]
    NotAFolder,
    #[error("would take the place of a folder with files")]
    FullFolder,
    #[error("is a second name of a file that is not there")]
    NoTarget,
    #[error("is a second name of a folder")]
    FolderTarget,
    #[error("is one too many: there are more than 4 million files")]
    TooMany,
}

/// A root file system.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    layer: u32,
    linked_folders: LinkedFolders,
}

impl Tree {
    /// Nothing but a root.
    pub(crate) fn new(linked_folders: LinkedFolders) -> Tree {
        let root =
            Node { attributes: Attributes::of_root(0o755), kind: Kind::Folder(BTreeMap::new()), layer: 0 };
        Tree { nodes: vec![root], layer: 0, linked_folders }
    }

    /// What comes from now on is of the next layer.
    pub(crate) fn next_layer(&mut self) {
        self.layer += 1;
    }

    pub(crate) fn node(&self, id: Id) -> &Node {
        &self.nodes[id]
    }

    pub(crate) fn attributes_mut(&mut self, id: Id) -> &mut Attributes {
        &mut self.nodes[id].attributes
    }

    /// What is in a folder; nothing for all else.
    pub(crate) fn entries(&self, id: Id) -> impl Iterator<Item = (&[u8], Id)> {
        let entries = match &self.nodes[id].kind {
            Kind::Folder(entries) => Some(entries),
            _ => None,
        };
        entries.into_iter().flatten().map(|(name, id)| (name.as_slice(), *id))
    }

    fn entry(&self, folder: Id, name: &[u8]) -> Option<Id> {
        match &self.nodes[folder].kind {
            Kind::Folder(entries) => entries.get(name).copied(),
            _ => None,
        }
    }

    fn is_folder(&self, id: Id) -> bool {
        matches!(self.nodes[id].kind, Kind::Folder(_))
    }

    /// The file that a path leads to, through all links, if it is there.
    pub(crate) fn find(&self, path: &str) -> Option<Id> {
        self.find_path(&Path::parse(path.as_bytes()).ok()?)
    }

    /// As [`Tree::find`].
    pub(crate) fn find_path(&self, path: &Path) -> Option<Id> {
        self.walk(path.parts(), true).ok()?
    }

    /// Whether there is something under this name, and be it a link that leads nowhere.
    pub(crate) fn has_name(&self, path: &str) -> bool {
        Path::parse(path.as_bytes()).is_ok_and(|path| matches!(self.walk(path.parts(), false), Ok(Some(_))))
    }

    /// Follows names from the root; the last one through a link only if `follow`.
    fn walk(&self, parts: &[Vec<u8>], follow: bool) -> Result<Option<Id>, NoPlace> {
        let mut todo: Vec<Vec<u8>> = parts.iter().rev().cloned().collect();
        // folders on the way, for `..` in links
        let mut way = vec![ROOT];
        let mut links = 0;
        while let Some(name) = todo.pop() {
            let here = way[way.len() - 1];
            match name.as_slice() {
                b"" | b"." => continue,
                b".." => {
                    if way.len() > 1 {
                        way.pop();
                    }
                    continue;
                }
                _ => {}
            }
            if !self.is_folder(here) {
                return Err(NoPlace::NotAFolder);
            }
            let Some(id) = self.entry(here, &name) else { return Ok(None) };
            match &self.nodes[id].kind {
                Kind::Link(target) if follow || !todo.is_empty() => {
                    links += 1;
                    if links > MAX_LINKS {
                        return Err(NoPlace::Loop);
                    }
                    if target.starts_with(b"/") {
                        way.truncate(1);
                    }
                    todo.extend(target.split(|byte| *byte == b'/').rev().map(<[u8]>::to_vec));
                }
                _ => way.push(id),
            }
        }
        Ok(way.last().copied())
    }

    fn add_node(&mut self, node: Node) -> Result<Id, NoPlace> {
        if self.nodes.len() >= MAX_NODES {
            return Err(NoPlace::TooMany);
        }
        self.nodes.push(node);
        Ok(self.nodes.len() - 1)
    }

    /// The folder at a path, made with those above it where they are missing.
    fn folder(&mut self, parts: &[Vec<u8>]) -> Result<Id, NoPlace> {
        for end in 1..=parts.len() {
            match self.walk(&parts[..end], true)? {
                Some(id) if self.is_folder(id) => {}
                Some(_) => return Err(NoPlace::NotAFolder),
                None => {
                    let above = self.walk(&parts[..end - 1], true)?.ok_or(NoPlace::NotAFolder)?;
                    if self.entry(above, &parts[end - 1]).is_some() {
                        // a link that leads nowhere
                        return Err(NoPlace::NotAFolder);
                    }
                    let layer = self.layer;
                    let kind = Kind::Folder(BTreeMap::new());
                    let id = self.add_node(Node { attributes: Attributes::of_root(0o755), kind, layer })?;
                    self.link(above, &parts[end - 1], id);
                }
            }
        }
        self.walk(parts, true)?.ok_or(NoPlace::NotAFolder)
    }

    fn link(&mut self, folder: Id, name: &[u8], id: Id) {
        if let Kind::Folder(entries) = &mut self.nodes[folder].kind {
            entries.insert(name.to_vec(), id);
        }
    }

    /// Puts a file into the place that its path says, in place of what is there. Folders are merged.
    pub(crate) fn put(&mut self, path: &Path, attributes: Attributes, kind: Kind) -> Result<(), NoPlace> {
        let layer = self.layer;
        let Some((name, above)) = path.parts().split_last() else {
            // the root, which some archives have
            self.nodes[ROOT].attributes = attributes;
            return Ok(());
        };
        let above = self.folder(above)?;
        let is_folder = matches!(kind, Kind::Folder(_));
        if let Some(old) = self.entry(above, name) {
            let merged = match &self.nodes[old].kind {
                Kind::Folder(_) if is_folder => Some(old),
                Kind::Link(_) if is_folder && self.linked_folders == LinkedFolders::Stay => {
                    self.walk(path.parts(), true)?.filter(|id| self.is_folder(*id))
                }
                _ => None,
            };
            if let Some(id) = merged {
                if id == old {
                    self.nodes[id].attributes = attributes;
                }
                self.nodes[id].layer = layer;
                return Ok(());
            }
            let full = self.entries(old).any(|(_, id)| self.nodes[id].layer == layer);
            if full {
                return Err(NoPlace::FullFolder);
            }
        }
        let id = self.add_node(Node { attributes, kind, layer })?;
        self.link(above, name, id);
        Ok(())
    }

    /// Gives a file a second name.
    pub(crate) fn put_second(&mut self, path: &Path, target: &Path) -> Result<(), NoPlace> {
        let id = self.walk(target.parts(), false)?.ok_or(NoPlace::NoTarget)?;
        if self.is_folder(id) {
            return Err(NoPlace::FolderTarget);
        }
        let (name, above) = path.parts().split_last().ok_or(NoPlace::FullFolder)?;
        let above = self.folder(above)?;
        if self.entry(above, name).is_some_and(|old| self.is_folder(old)) {
            return Err(NoPlace::FullFolder);
        }
        self.nodes[id].layer = self.layer;
        self.link(above, name, id);
        Ok(())
    }

    /// Takes away what earlier layers brought under this name.
    pub(crate) fn white_out(&mut self, path: &Path) {
        let Some((name, above)) = path.parts().split_last() else { return };
        let Ok(Some(above)) = self.walk(above, true) else { return };
        self.white_out_entry(above, name);
    }

    /// Takes away what earlier layers brought into this folder.
    pub(crate) fn make_opaque(&mut self, path: &Path) {
        let Ok(Some(folder)) = self.walk(path.parts(), true) else { return };
        let names: Vec<Vec<u8>> = self.entries(folder).map(|(name, _)| name.to_vec()).collect();
        for name in names {
            self.white_out_entry(folder, &name);
        }
    }

    fn white_out_entry(&mut self, folder: Id, name: &[u8]) {
        let mut todo = vec![(folder, name.to_vec())];
        while let Some((folder, name)) = todo.pop() {
            let Some(id) = self.entry(folder, &name) else { continue };
            if self.nodes[id].layer == self.layer {
                // of this layer, but what is below may not be
                todo.extend(self.entries(id).map(|(name, _)| (id, name.to_vec())));
            } else if self.has_of_this_layer(id) {
                self.nodes[id].layer = self.layer;
                todo.extend(self.entries(id).map(|(name, _)| (id, name.to_vec())));
            } else if let Kind::Folder(entries) = &mut self.nodes[folder].kind {
                entries.remove(&name);
            }
        }
    }

    fn has_of_this_layer(&self, id: Id) -> bool {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            if self.nodes[id].layer == self.layer {
                return true;
            }
            todo.extend(self.entries(id).map(|(_, id)| id));
        }
        false
    }

    /// The files that there are, and the bytes in them.
    pub(crate) fn size(&self) -> (usize, u64) {
        let mut seen = vec![false; self.nodes.len()];
        let (mut files, mut bytes) = (0, 0);
        let mut todo = vec![ROOT];
        while let Some(id) = todo.pop() {
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            files += 1;
            if let Kind::File(blob) = &self.nodes[id].kind {
                bytes += blob.size;
            }
            todo.extend(self.entries(id).map(|(_, id)| id));
        }
        (files, bytes)
    }
}

#[cfg(test)]
mod tests;
