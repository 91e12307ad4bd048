//! Images as files: OCI image layouts, what `docker save` writes, and tarballs of a root file system.
//!
//! An image is layers, each a tar archive, laid over each other in order (OCI image specification, image-layout.md, manifest.md,
//! layer.md). What the image names by a digest is held against it. Nothing of its configuration (commands, variables) is
//! of use to a guest.

mod members;

use std::fs::File;
use std::path::Path as HostPath;

use serde::Deserialize;

use crate::archive::Unpack;
use crate::compression;
use crate::digest;
use crate::error::UserlandError;
use crate::tree::{Blobs, LinkedFolders, Tree};
use crate::watch::{Progress, Watch};
use members::{Members, is_packed};

/// How deep an index may be in another one.
const MAX_DEPTH: usize = 4;

/// How large a manifest or configuration may be, bytes: registries refuse more than 4 MiB.
const MAX_DOCUMENT: u64 = 4 << 20;

/// What names the parts of an image, among the files of one.
const INDEX: &str = "index.json";
const DOCKER: &str = "manifest.json";

#[derive(Debug, Deserialize)]
struct Descriptor {
    digest: String,
    #[serde(default)]
    platform: Option<Platform>,
    #[serde(default)]
    annotations: std::collections::BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct Platform {
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    os: String,
}

/// An index has manifests, a manifest has layers.
#[derive(Debug, Deserialize)]
struct Document {
    #[serde(default)]
    manifests: Vec<Descriptor>,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// An entry of what `docker save` writes.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Debug, Deserialize)]
struct RootFs {
    diff_ids: Vec<String>,
}

/// Whether a folder is an image and no root file system.
pub(crate) fn is_layout(folder: &HostPath) -> bool {
    folder.join(INDEX).is_file() && folder.join("oci-layout").is_file() || folder.join(DOCKER).is_file()
}

/// How many files, and bytes of files, a root file system of an image or a tarball has. `scratch` is a folder that is made for
/// its contents; nothing of the image decides where in it they lie.
///
/// # Errors
/// It cannot be read, is damaged, or has what cannot be in a root file system; or the folder cannot be made.
pub fn size_of(
    source: &HostPath,
    architecture: &str,
    scratch: &HostPath,
) -> Result<(usize, u64), UserlandError> {
    let mut tree = Tree::new(LinkedFolders::Replaced);
    let blobs = Blobs::in_folder(scratch.to_path_buf()).map_err(UserlandError::io("create", scratch));
    unpack(&mut tree, &mut blobs?, source, architecture, &Watch::default())?;
    Ok(tree.size())
}

/// Unpacks an image or a tarball into an empty tree.
pub(crate) fn unpack(
    tree: &mut Tree,
    blobs: &mut Blobs,
    source: &HostPath,
    architecture: &str,
    watch: &Watch,
) -> Result<(), UserlandError> {
    let members = match source.is_dir() {
        true => Members::of_folder(source),
        false if is_packed(source).map_err(UserlandError::io("read", source))? => {
            // packed around the layers, or a root file system: which one is known when all names are
            let file = File::open(source).map_err(UserlandError::io("read", source))?;
            let plain = compression::reader(file).and_then(|plain| blobs.store(plain));
            let plain = plain.map_err(|error| UserlandError::damaged(source, error.to_string()))?;
            Members::of_tar(source, &plain.file, watch)?
        }
        false => Members::of_tar(source, source, watch)?,
    };
    let layers = if members.has(INDEX) && members.has("oci-layout") {
        layers_of_layout(&members, architecture)?
    } else if members.has(DOCKER) {
        layers_of_docker(&members)?
    } else {
        let whole = members.whole()?;
        let left_out = &|_: &_| false;
        return Unpack { tree, blobs, name: source, whiteouts: false, left_out, watch }.archive(whole);
    };
    for (index, layer) in layers.iter().enumerate() {
        watch.tell(Progress::Unpacking { name: layer, done: index, total: layers.len() });
        tree.next_layer();
        let plain = compression::reader(members.open(layer)?)
            .map_err(|error| UserlandError::damaged(source, format!("{layer}: {error}")))?;
        let left_out = &|_: &_| false;
        let name = &source.join(layer);
        Unpack { tree, blobs, name, whiteouts: true, left_out, watch }.archive(plain)?;
    }
    Ok(())
}

/// The layers of an OCI layout, each held against its digest.
fn layers_of_layout(members: &Members, architecture: &str) -> Result<Vec<String>, UserlandError> {
    let index: Document = members.json(INDEX)?;
    let mut found = Vec::new();
    manifests(members, index.manifests, architecture, 0, &mut found)?;
    let manifest = match found.as_slice() {
        [one] => one,
        [] => {
            let what = format!("there is no image for linux/{architecture} in it");
            return Err(UserlandError::damaged(members.source(), what));
        }
        several => {
            let names: Vec<&str> = several.iter().map(name_of).collect();
            let what = format!("there are several images in it: {}; save one of them", names.join(", "));
            return Err(UserlandError::damaged(members.source(), what));
        }
    };
    let manifest: Document = members.json(&verified(members, &manifest.digest)?)?;
    if manifest.layers.is_empty() {
        return Err(UserlandError::damaged(members.source(), "the image has no layers"));
    }
    manifest.layers.iter().map(|layer| verified(members, &layer.digest)).collect()
}

fn name_of(descriptor: &Descriptor) -> &str {
    let name = descriptor.annotations.get("io.containerd.image.name");
    name.or_else(|| descriptor.annotations.get("org.opencontainers.image.ref.name"))
        .unwrap_or(&descriptor.digest)
}

/// The manifests below an index that are for this architecture, or do not say what they are for.
fn manifests(
    members: &Members,
    descriptors: Vec<Descriptor>,
    architecture: &str,
    depth: usize,
    found: &mut Vec<Descriptor>,
) -> Result<(), UserlandError> {
    for descriptor in descriptors {
        let fits = descriptor.platform.as_ref().is_none_or(|platform| {
            platform.os == "linux" && platform.architecture == named_in_images(architecture)
        });
        if !fits {
            continue;
        }
        let path = verified(members, &descriptor.digest)?;
        let document: Document = members.json(&path)?;
        if document.manifests.is_empty() {
            found.push(descriptor);
        } else if depth < MAX_DEPTH {
            manifests(members, document.manifests, architecture, depth + 1, found)?;
        } else {
            return Err(UserlandError::damaged(members.source(), "its indexes are in each other too deeply"));
        }
    }
    Ok(())
}

/// What Go, and so images, call one of Debian's architectures.
fn named_in_images(architecture: &str) -> &str {
    match architecture {
        "i386" => "386",
        "armhf" | "armel" => "arm",
        "ppc64el" => "ppc64le",
        same => same,
    }
}

/// The path of a blob whose contents are those of its digest.
fn verified(members: &Members, digest: &str) -> Result<String, UserlandError> {
    let wrong = |what: &str| UserlandError::damaged(members.source(), format!("{digest} {what}"));
    let hexadecimal = digest
        .strip_prefix("sha256:")
        .filter(|text| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .ok_or_else(|| wrong("is no SHA-256 digest"))?;
    let path = format!("blobs/sha256/{hexadecimal}");
    let sum = digest::of_reader(members.open(&path)?).map_err(|error| wrong(&error.to_string()))?;
    if sum == hexadecimal { Ok(path) } else { Err(wrong("is not the SHA-256 of what is stored under it")) }
}

/// The layers of what `docker save` wrote before version 25, held against the digests in its configuration.
fn layers_of_docker(members: &Members) -> Result<Vec<String>, UserlandError> {
    let saved: Vec<Saved> = members.json(DOCKER)?;
    let wrong = |what: String| UserlandError::damaged(members.source(), what);
    let [saved] = saved.as_slice() else {
        let names: Vec<String> = saved
            .iter()
            .map(|saved| saved.repo_tags.iter().flatten().cloned().collect::<Vec<_>>().join(" "))
            .collect();
        return Err(wrong(format!(
            "there are {} images in it: {}; save one of them",
            saved.len(),
            names.join(", ")
        )));
    };
    let config: Config = members.json(&saved.config)?;
    let digests = &config.rootfs.diff_ids;
    if digests.len() != saved.layers.len() || digests.is_empty() {
        return Err(wrong(format!("it has {} layers and digests of {}", saved.layers.len(), digests.len())));
    }
    for (layer, expected) in saved.layers.iter().zip(digests) {
        let sum = compression::reader(members.open(layer)?).and_then(digest::of_reader);
        let sum = sum.map_err(|error| wrong(format!("{layer}: {error}")))?;
        if expected.strip_prefix("sha256:") != Some(&sum) {
            return Err(wrong(format!("the layer {layer} has not the digest that the image names")));
        }
    }
    Ok(saved.layers.clone())
}

#[cfg(test)]
mod tests;
