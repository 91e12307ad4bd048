use std::fs;
use std::io::Write;

use serde_json::json;
use tar::{Builder, EntryType, Header};

use super::*;
use crate::tree::LinkedFolders;

/// A tar archive of files with these texts; a name that ends with `/` is a folder.
fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, data) in files {
        let mut header = Header::new_gnu();
        header.set_entry_type(if name.ends_with('/') { EntryType::Directory } else { EntryType::Regular });
        header.set_mode(0o755);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        builder.append_data(&mut header, name, *data).expect("memory");
    }
    builder.into_inner().expect("memory")
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

fn sum(data: &[u8]) -> String {
    digest::of_reader(data).expect("memory")
}

/// The files of an OCI layout with these layers. `spoilt` changes a layer behind the manifest's back.
fn layout(layers: &[Vec<u8>], platform: &str, spoilt: bool) -> Vec<(String, Vec<u8>)> {
    let blob = |data: &[u8]| (format!("blobs/sha256/{}", sum(data)), data.to_vec());
    let descriptors: Vec<_> = layers
        .iter()
        .map(|layer| json!({"digest": format!("sha256:{}", sum(layer)), "size": layer.len()}))
        .collect();
    let manifest = json!({"schemaVersion": 2, "layers": descriptors}).to_string().into_bytes();
    let inner = json!({"manifests": [
        {"digest": format!("sha256:{}", sum(&manifest)), "platform": {"os": "linux", "architecture": platform}},
        {"digest": format!("sha256:{}", "0".repeat(64)), "platform": {"os": "unknown", "architecture": "unknown"}},
    ]});
    let inner = inner.to_string().into_bytes();
    let index =
        json!({"manifests": [{"digest": format!("sha256:{}", sum(&inner))}]}).to_string().into_bytes();
    let mut files = vec![("oci-layout".to_string(), b"{}".to_vec()), ("index.json".to_string(), index)];
    files.extend([blob(&manifest), blob(&inner)]);
    files.extend(layers.iter().map(|layer| blob(layer)));
    if spoilt && let Some((_, data)) = files.last_mut() {
        data.push(0);
    }
    files
}

fn packed(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let files: Vec<(&str, &[u8])> =
        files.iter().map(|(name, data)| (name.as_str(), data.as_slice())).collect();
    tar(&files)
}

fn unpacked(file: &HostPath) -> Result<String, String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut blobs = Blobs::in_folder(folder.path().join("blobs")).expect("it is writable");
    let mut tree = Tree::new(LinkedFolders::Replaced);
    unpack(&mut tree, &mut blobs, file, "amd64", &Watch::default())
        .map_err(|error| error.to_string().replace(&file.display().to_string(), "FILE"))?;
    let names = ["bin/sh", "etc/one", "etc/two", "etc/three", "opt/a", "opt/b"];
    let found: Vec<String> = names
        .iter()
        .filter_map(|name| Some(format!("{name}={}", tree.text(name).expect("it is readable")?)))
        .collect();
    Ok(found.join(" "))
}

/// Digests are those of what the compressor makes of the test's data.
fn without_digests(text: &str) -> String {
    let mut text = text.to_string();
    let digests: Vec<String> = text
        .split(|c: char| !c.is_ascii_hexdigit())
        .filter(|word| word.len() == 64)
        .map(String::from)
        .collect();
    for digest in digests {
        text = text.replace(&digest, "SUM");
    }
    text
}

fn layers() -> Vec<Vec<u8>> {
    vec![
        gzip(&tar(&[("bin/sh", b"sh"), ("etc/one", b"1"), ("etc/two", b"2"), ("opt/a", b"a")])),
        tar(&[
            ("etc/.wh.one", b""),
            ("etc/two", b"2b"),
            ("etc/three", b"3"),
            ("opt/b", b"b"),
            ("opt/.wh..wh..opq", b""),
        ]),
    ]
}

const WHOLE: &str = "bin/sh=sh etc/two=2b etc/three=3 opt/b=b";

#[test]
fn layers_are_laid_over_each_other_in_all_forms_of_an_image() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let files = layout(&layers(), "amd64", false);
    let place = folder.path().join("layout");
    for (name, data) in &files {
        let path = place.join(name);
        fs::create_dir_all(path.parent().expect("it is below")).expect("it is writable");
        fs::write(path, data).expect("it is writable");
    }
    assert!(is_layout(&place) && !is_layout(folder.path()));
    assert_eq!(unpacked(&place).as_deref(), Ok(WHOLE));
    for (name, data) in [("image.tar", packed(&files)), ("image.tar.gz", gzip(&packed(&files)))] {
        let path = folder.path().join(name);
        fs::write(&path, data).expect("it is writable");
        assert_eq!(unpacked(&path).as_deref(), Ok(WHOLE), "{name}");
    }
}

/// What `docker save` wrote before it wrote layouts, with the second layer as a link.
fn saved(diff_ids: &[String], images: usize) -> Vec<u8> {
    let layers = layers();
    let entry = json!({"Config": "c.json", "RepoTags": ["x:1"], "Layers": ["a/layer.tar", "b/layer.tar"]});
    let manifest = serde_json::Value::Array(vec![entry; images]).to_string();
    let config = json!({"rootfs": {"type": "layers", "diff_ids": diff_ids}}).to_string();
    let mut builder = Builder::new(tar(&[
        ("a/layer.tar", &layers[0]),
        ("real/layer.tar", &layers[1]),
        ("c.json", config.as_bytes()),
        ("manifest.json", manifest.as_bytes()),
    ]));
    // behind the files, in the place of the end
    let bytes = builder.get_mut();
    bytes.truncate(bytes.len() - 1024);
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Symlink);
    header.set_size(0);
    builder.append_link(&mut header, "b/layer.tar", "../real/layer.tar").expect("memory");
    builder.into_inner().expect("memory")
}

#[test]
fn what_docker_saved_is_held_against_its_configuration() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("saved.tar");
    let plain = tar(&[("bin/sh", b"sh"), ("etc/one", b"1"), ("etc/two", b"2"), ("opt/a", b"a")]);
    let good = [format!("sha256:{}", sum(&plain)), format!("sha256:{}", sum(&layers()[1]))];
    let swapped = [good[1].clone(), good[0].clone()];
    let mut said = Vec::new();
    for data in [saved(&good, 1), saved(&swapped, 1), saved(&good[..1], 1), saved(&good, 2)] {
        fs::write(&path, data).expect("it is writable");
        said.push(unpacked(&path).unwrap_or_else(|error| error));
    }
    insta::assert_snapshot!(said.join("\n"), @r"
    bin/sh=sh etc/two=2b etc/three=3 opt/b=b
    FILE: the layer a/layer.tar has not the digest that the image names
    FILE: it has 2 layers and digests of 1
    FILE: there are 2 images in it: x:1, x:1; save one of them
    ");
}

#[test]
fn images_that_are_damaged_or_none_are_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("file");
    let good = packed(&layout(&layers(), "amd64", false));
    let evil = vec![tar(&[("bin/sh", b"x")]), {
        let mut bytes = tar(&[("x/passwd", b"x")]);
        // in place of the name, with its sum set right again
        bytes[..10].copy_from_slice(b"../passwd\0");
        let mut header = Header::from_byte_slice(&bytes[..512]).clone();
        header.set_cksum();
        bytes[..512].copy_from_slice(header.as_bytes());
        bytes
    }];
    let table: Vec<Vec<u8>> = vec![
        packed(&layout(&layers(), "arm64", false)),
        packed(&layout(&layers(), "amd64", true)),
        packed(&layout(&[], "amd64", false)),
        packed(&layout(&evil, "amd64", false)),
        good[..good.len() / 2].to_vec(),
        tar(&[
            ("oci-layout", b"{}"),
            ("index.json", b"{\"manifests\": [{\"digest\": \"sha256:../../etc\"}]}"),
        ]),
        tar(&[("manifest.json", b"[{\"Config\": \"../../etc/passwd\", \"Layers\": []}]")]),
        b"no archive at all".to_vec(),
        Vec::new(),
    ];
    let mut said = Vec::new();
    for data in table {
        fs::write(&path, data).expect("it is writable");
        let text = unpacked(&path).expect_err("no good image");
        said.push(text);
    }
    insta::assert_snapshot!(without_digests(&said.join("\n")), @r"
    FILE: there is no image for linux/amd64 in it
    FILE: sha256:SUM is not the SHA-256 of what is stored under it
    FILE: the image has no layers
    FILE/blobs/sha256/SUM: the entry `../passwd` leads out of the file system by `..`
    FILE: sha256:SUM is not the SHA-256 of what is stored under it
    FILE: sha256:../../etc is no SHA-256 digest
    FILE: the file name `../../etc/passwd` leads out of the file system by `..`
    FILE: it is neither an image nor a tarball: expected an OCI image layout, what `docker save` writes, or a tar archive of a root file system
    FILE: it is neither an image nor a tarball: expected an OCI image layout, what `docker save` writes, or a tar archive of a root file system
    ");
}
