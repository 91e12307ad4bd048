//! tar archives into a tree: of packages, of layers, of whole root file systems.

use std::io::{self, Read};
use std::path::Path as HostPath;

use tar::{Archive, Entry, EntryType};

use crate::error::UserlandError;
use crate::tree::{Attributes, Blobs, Kind, Path, Tree, is_writable, shown};
use crate::watch::Watch;

/// Marks of layers: the file of that name in lower layers is gone, or all of the folder's (OCI image specification, layer.md).
const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";

/// How an archive is unpacked.
pub(crate) struct Unpack<'a> {
    pub tree: &'a mut Tree,
    pub blobs: &'a mut Blobs,
    /// What it is called in errors.
    pub name: &'a HostPath,
    /// Whether names that begin with `.wh.` take away what earlier layers have.
    pub whiteouts: bool,
    /// Which paths are left out.
    pub left_out: &'a dyn Fn(&Path) -> bool,
    pub watch: &'a Watch<'a>,
}

impl Unpack<'_> {
    /// Puts everything of an uncompressed archive into the tree.
    ///
    /// # Errors
    /// It is damaged, ends too early, or has an entry that cannot be in a root file system.
    pub(crate) fn archive(&mut self, source: impl Read) -> Result<(), UserlandError> {
        let mut archive = Archive::new(source);
        let damaged = |name: &HostPath, error: &io::Error| UserlandError::damaged(name, error.to_string());
        let name = self.name;
        for entry in archive.entries().map_err(|error| damaged(name, &error))? {
            self.watch.check()?;
            let entry = entry.map_err(|error| damaged(name, &error))?;
            let shown = shown(&entry.path_bytes());
            self.entry(entry).map_err(|problem| match problem {
                Problem::Entry(what) => UserlandError::Entry { path: name.to_path_buf(), entry: shown, what },
                Problem::Io(error) => damaged(name, &error),
            })?;
        }
        Ok(())
    }

    fn entry(&mut self, mut entry: Entry<impl Read>) -> Result<(), Problem> {
        let kind = entry.header().entry_type();
        if matches!(kind, EntryType::XGlobalHeader | EntryType::XHeader) {
            return Ok(());
        }
        let path = Path::parse(&entry.path_bytes()).map_err(|bad| Problem::Entry(bad.to_string()))?;
        if (self.left_out)(&path) {
            return Ok(());
        }
        if self.whiteouts
            && let Some(name) = path.name().filter(|name| name.starts_with(WHITEOUT))
        {
            let above = path.above();
            match name == OPAQUE {
                true => self.tree.make_opaque(&above),
                false => self.tree.white_out(&checked(above.with(&name[WHITEOUT.len()..]))?),
            }
            return Ok(());
        }
        let attributes = attributes_of(&mut entry)?;
        let kind = match kind {
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let size = entry.size();
                let blob = self.blobs.store(&mut entry)?;
                if blob.size != size {
                    return Err(Problem::Entry(format!("is cut off after {} of {size} bytes", blob.size)));
                }
                Kind::File(blob)
            }
            EntryType::Directory => Kind::Folder(Default::default()),
            EntryType::Symlink => Kind::Link(link_of(&entry)?),
            EntryType::Link => {
                let target = link_of(&entry)?;
                let target = Path::parse(&target).map_err(|bad| {
                    Problem::Entry(format!("is a second name of {}, which {bad}", shown(&target)))
                })?;
                return self.tree.put_second(&path, &target).map_err(Problem::no_place);
            }
            EntryType::Block | EntryType::Char => Kind::Device {
                block: kind == EntryType::Block,
                major: number(entry.header().device_major()?),
                minor: number(entry.header().device_minor()?),
            },
            EntryType::Fifo => Kind::Pipe,
            other => {
                return Err(Problem::Entry(format!(
                    "is of a type that is not known ({:?})",
                    char::from(other.as_byte())
                )));
            }
        };
        self.tree.put(&path, attributes, kind).map_err(Problem::no_place)
    }
}

enum Problem {
    Entry(String),
    Io(io::Error),
}

impl Problem {
    fn no_place(none: crate::tree::NoPlace) -> Problem {
        Problem::Entry(none.to_string())
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Problem {
        Problem::Io(error)
    }
}

fn number(field: Option<u32>) -> u32 {
    field.unwrap_or_default()
}

/// A path that was put together, held against the rules again.
fn checked(path: Path) -> Result<Path, Problem> {
    let joined = path.parts().join(&b'/');
    Path::parse(&joined).map_err(|bad| Problem::Entry(bad.to_string()))
}

fn link_of(entry: &Entry<impl Read>) -> Result<Vec<u8>, Problem> {
    let target = entry.link_name_bytes().unwrap_or_default().into_owned();
    if target.is_empty() || target.len() > 4095 || !is_writable(&target) {
        return Err(Problem::Entry(
            "is a link whose target is empty, too long or has the end of a line".into(),
        ));
    }
    Ok(target)
}

/// What the header says, and the extended header where there is one.
fn attributes_of(entry: &mut Entry<impl Read>) -> Result<Attributes, Problem> {
    let header = entry.header();
    let mut attributes = Attributes {
        mode: header.mode()? & 0o7777,
        user: u32::try_from(header.uid()?).unwrap_or(u32::MAX),
        group: u32::try_from(header.gid()?).unwrap_or(u32::MAX),
        mtime: header.mtime()?,
        capability: None,
    };
    for extension in entry.pax_extensions()?.into_iter().flatten() {
        let extension = extension?;
        let number = || extension.value().ok().and_then(|value| value.split('.').next()?.parse::<u64>().ok());
        match extension.key_bytes() {
            b"uid" => attributes.user = number().and_then(|n| n.try_into().ok()).unwrap_or(attributes.user),
            b"gid" => attributes.group = number().and_then(|n| n.try_into().ok()).unwrap_or(attributes.group),
            b"mtime" => attributes.mtime = number().unwrap_or(attributes.mtime),
            b"SCHILY.xattr.security.capability" => {
                attributes.capability = Some(extension.value_bytes().to_vec());
            }
            key if key.starts_with(b"GNU.sparse.") => {
                return Err(Problem::Entry(
                    "is a sparse file in the form of pax, which is not read here; pack it without --sparse"
                        .into(),
                ));
            }
            _ => {}
        }
    }
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;
    use crate::tree::LinkedFolders;

    /// An entry of any name, as no tool would write it.
    fn entry(builder: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, link: &str, data: &[u8]) {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(0o104755);
        header.set_uid(7);
        header.set_gid(70_000);
        header.set_mtime(12);
        header.set_device_major(1).expect("it is of GNU's form");
        header.set_device_minor(3).expect("it is of GNU's form");
        header.set_size(data.len() as u64);
        header.set_cksum();
        builder.append(&header, data).expect("memory");
    }

    type Line<'a> = (EntryType, &'a str, &'a str);

    fn unpacked(lines: &[Line], cut: usize) -> (tempfile::TempDir, Tree, Result<(), UserlandError>) {
        let mut builder = Builder::new(Vec::new());
        for (kind, name, link) in lines {
            let data: &[u8] = if *kind == EntryType::Regular { b"data" } else { b"" };
            entry(&mut builder, *kind, name, link, data);
        }
        let bytes = builder.into_inner().expect("memory");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut tree = Tree::new(LinkedFolders::Replaced);
        let mut blobs = Blobs::in_folder(folder.path().join("blobs")).expect("it is writable");
        let mut unpack = Unpack {
            tree: &mut tree,
            blobs: &mut blobs,
            name: HostPath::new("x.tar"),
            whiteouts: false,
            left_out: &|path| path.name() == Some(b"docs"),
            watch: &Watch::default(),
        };
        let result = unpack.archive(&bytes[..bytes.len() - cut]);
        (folder, tree, result)
    }

    #[test]
    fn owners_modes_and_kinds_are_kept() {
        use EntryType::{Char, Directory, Fifo, Link, Regular, Symlink};
        let lines: &[Line] = &[
            (Directory, "./", ""),
            (Regular, "./bin/su", ""),
            (Link, "./bin/again", "./bin/su"),
            (Symlink, "sh", "/bin/su"),
            (Char, "null", ""),
            (Fifo, "pipe", ""),
            (Directory, "docs", ""),
        ];
        let (_folder, tree, result) = unpacked(lines, 0);
        result.expect("a good archive");
        let su = tree.node(tree.find("sh").expect("it is there"));
        assert_eq!((su.attributes.mode, su.attributes.user, su.attributes.group), (0o4755, 7, 70_000));
        assert_eq!(tree.text("bin/again").expect("it is readable").as_deref(), Some("data"));
        assert!(!tree.has_name("docs"));
        assert_eq!(tree.size(), (6, 4));
    }

    #[test]
    fn what_cannot_be_in_a_root_file_system_is_refused() {
        use EntryType::{Directory, Link, Regular, Symlink};
        let table: &[(&[Line], usize)] = &[
            (&[(Regular, "../../etc/passwd", "")], 0),
            (&[(Symlink, "a", "../../../etc"), (Regular, "a/../../passwd", "")], 0),
            (&[(Link, "a", "../../etc/shadow")], 0),
            (&[(Link, "a", "/etc/shadow")], 0),
            (&[(Symlink, "a", "a"), (Regular, "a/b", "")], 0),
            (&[(Symlink, "a", "x\ny")], 0),
            (&[(Regular, "a\nsif / mode 0", "")], 0),
            (&[(Directory, "d", ""), (Regular, "d/x", ""), (Regular, "d", "")], 0),
            (&[(EntryType::new(b'V'), "label", "")], 0),
            (&[(Regular, "a", "")], 1024 + 510),
        ];
        let said: Vec<String> = table
            .iter()
            .map(|(lines, cut)| unpacked(lines, *cut).2.expect_err("no good archive").to_string())
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        x.tar: the entry `../../etc/passwd` leads out of the file system by `..`
        x.tar: the entry `a/../../passwd` leads out of the file system by `..`
        x.tar: the entry `a` is a second name of ../../etc/shadow, which leads out of the file system by `..`
        x.tar: the entry `a` is a second name of a file that is not there
        x.tar: the entry `a/b` leads through more than 40 links
        x.tar: the entry `a` is a link whose target is empty, too long or has the end of a line
        x.tar: the entry `a\nsif / mode 0` has a zero byte or the end of a line in its name
        x.tar: the entry `d` would take the place of a folder with files
        x.tar: the entry `label` is of a type that is not known ('V')
        x.tar: the entry `a` is cut off after 2 of 4 bytes
        ");
    }
}
