//! From what is resolved to an image.

use std::fs::{self, File};
use std::path::Path;

use super::{IMAGE, Image, MANIFEST, Manifest, Userlands, remove};
use crate::archive::Unpack;
use crate::deb;
use crate::digest;
use crate::error::UserlandError;
use crate::finish;
use crate::folder;
use crate::image_file;
use crate::oci;
use crate::resolve::Resolved;
use crate::spec::Source;
use crate::tree::{self, Blobs, Kind, LinkedFolders, Tree};
use crate::watch::{Progress, Watch};

impl Userlands {
    /// The image of a userland: the one that was made before, or else a new one.
    ///
    /// # Errors
    /// Packages cannot be fetched, something is damaged, the disk is full, or the caller cancelled. Nothing is left then.
    pub fn build(&self, resolved: &Resolved, watch: &Watch) -> Result<Image, UserlandError> {
        let _lock = self.lock(resolved.key(), watch)?;
        if let Some(image) = self.existing(resolved, watch)? {
            return Ok(image);
        }
        let new = self.new_folder(resolved.key());
        // of one that was killed
        remove(&new)?;
        fs::create_dir_all(&new).map_err(UserlandError::io("create", &new))?;
        let made = self.make(resolved, &new, watch);
        if made.is_err() {
            let _ = fs::remove_dir_all(&new);
        }
        made
    }

    fn make(&self, resolved: &Resolved, new: &Path, watch: &Watch) -> Result<Image, UserlandError> {
        let contents_folder = new.join("contents");
        let mut blobs = Blobs::in_folder(contents_folder.clone())
            .map_err(UserlandError::io("create", &contents_folder))?;
        let mut tree = self.tree(resolved, &mut blobs, watch)?;
        for (place, source) in &resolved.spec.files {
            let wrong = |what: String| UserlandError::BadPath { path: place.clone(), what };
            let path = tree::Path::parse(place.as_bytes()).map_err(|bad| wrong(format!("it {bad}")))?;
            tree.next_layer();
            folder::put(&mut tree, &mut blobs, &path, source, watch)?;
        }
        let (files, bytes) = tree.size();
        watch.tell(Progress::Writing { files, bytes });
        let image = new.join(IMAGE);
        let size = image_file::write(&tree, &image, resolved.key(), watch)?;
        remove(&contents_folder)?;
        let sum = digest::of_sparse(&image).map_err(UserlandError::io("read", &image))?;
        let (packages, summary) = (resolved.packages.clone(), resolved.spec.to_string());
        let manifest = Manifest { sum, size, contents: bytes, packages, summary };
        let manifest_file = new.join(MANIFEST);
        serde_json::to_vec_pretty(&manifest)
            .map_err(Into::into)
            .and_then(|text| fs::write(&manifest_file, text))
            .map_err(UserlandError::io("write", &manifest_file))?;
        for path in [&image, &manifest_file] {
            File::open(path).and_then(|file| file.sync_all()).map_err(UserlandError::io("write", path))?;
        }
        let folder = self.folder(resolved.key());
        fs::rename(new, &folder).map_err(UserlandError::io("write", &folder))?;
        let Manifest { size, contents, packages, .. } = manifest;
        let hold = self.hold(resolved.key())?;
        Ok(Image { path: folder.join(IMAGE), key: resolved.key().into(), size, contents, packages, hold })
    }

    fn tree(&self, resolved: &Resolved, blobs: &mut Blobs, watch: &Watch) -> Result<Tree, UserlandError> {
        let users = &resolved.spec.users;
        match &resolved.spec.source {
            Source::Packages(_) => {
                let files = self.fetch(&resolved.packages, watch)?;
                let mut tree = Tree::new(LinkedFolders::Stay);
                finish::begin(&mut tree).map_err(finish::failed)?;
                let mut controls = Vec::new();
                for (index, (package, file)) in resolved.packages.iter().zip(&files).enumerate() {
                    let progress =
                        Progress::Unpacking { name: &package.name, done: index, total: files.len() };
                    watch.tell(progress);
                    controls.push(deb::control(file)?);
                    // what one package takes over from another is no second file of the same layer
                    tree.next_layer();
                    let left_out = &finish::is_left_out;
                    Unpack { tree: &mut tree, blobs, name: file, whiteouts: false, left_out, watch }
                        .archive(deb::data(file)?)?;
                }
                finish::packages(&mut tree, blobs, &controls, users)?;
                Ok(tree)
            }
            Source::Image(file) => {
                let mut tree = Tree::new(LinkedFolders::Replaced);
                if is_root_folder(file) {
                    let root = tree::Path::parse(b"/")
                        .map_err(|bad| UserlandError::BadPath { path: "/".into(), what: bad.to_string() })?;
                    folder::put(&mut tree, blobs, &root, file, watch)?;
                } else {
                    oci::unpack(&mut tree, blobs, file, &self.settings().architecture, watch)?;
                }
                let has_programs = ["bin", "usr/bin", "sbin"].iter().any(|folder| {
                    tree.find(folder).is_some_and(|id| matches!(tree.node(id).kind, Kind::Folder(_)))
                });
                if !has_programs {
                    return Err(UserlandError::damaged(
                        file,
                        "there is no root file system in it: expected bin or usr/bin at its top",
                    ));
                }
                finish::image(&mut tree, blobs, users)?;
                Ok(tree)
            }
        }
    }
}

/// Whether this is a folder that is a root file system, and not that of an image.
fn is_root_folder(path: &Path) -> bool {
    path.is_dir() && !oci::is_layout(path)
}
