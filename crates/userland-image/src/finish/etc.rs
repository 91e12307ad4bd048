//! Files of `/etc` and below `/var` that no package brings and scripts would have written.

use std::io;

use crate::deb::Control;
use crate::tree::{Blobs, Tree, text_of};

/// Files that are written where there is none.
const FILES: &[(&str, &str)] = &[
    ("etc/hostname", "kregress\n"),
    (
        "etc/hosts",
        "127.0.0.1\tlocalhost kregress\n::1\tlocalhost ip6-localhost ip6-loopback\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n",
    ),
    ("etc/resolv.conf", ""),
    ("etc/fstab", "# the agent has mounted what there is\n"),
    ("etc/machine-id", ""),
    (
        "etc/nsswitch.conf",
        "passwd: files\ngroup: files\nshadow: files\ngshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\nethers: files\nrpc: files\n",
    ),
    ("etc/shells", "/bin/sh\n"),
    ("var/log/wtmp", ""),
    ("var/log/btmp", ""),
    ("var/log/lastlog", ""),
];

/// Files that scripts copy from where packages bring them: from, to.
const COPIED: &[(&str, &str)] = &[
    ("usr/share/base-files/profile", "etc/profile"),
    ("usr/share/base-files/dot.profile", "root/.profile"),
    ("usr/share/base-files/dot.bashrc", "root/.bashrc"),
    ("usr/share/base-files/motd", "etc/motd"),
    ("usr/share/libc-bin/nsswitch.conf", "etc/nsswitch.conf"),
    ("usr/share/base-files/nsswitch.conf", "etc/nsswitch.conf"),
    ("usr/share/debianutils/shells", "etc/shells"),
];

/// Links that scripts make: from, to.
const LINKS: &[(&str, &str)] = &[
    ("etc/mtab", "../proc/self/mounts"),
    ("etc/os-release", "../usr/lib/os-release"),
    ("etc/localtime", "/usr/share/zoneinfo/Etc/UTC"),
    ("var/run", "/run"),
    ("var/lock", "/run/lock"),
    ("var/spool/mail", "../mail"),
];

/// Where ca-certificates brings what its script puts together.
const CERTIFICATES: &str = "usr/share/ca-certificates/mozilla";

/// What every guest has.
pub(super) fn files(tree: &mut Tree, blobs: &mut Blobs) -> io::Result<()> {
    for (from, to) in COPIED {
        if !tree.has_name(to)
            && let Some(text) = tree.text(from)?
        {
            tree.put_text(blobs, to, 0o644, text)?;
        }
    }
    for (path, text) in FILES {
        // in an image a folder may be a link to nowhere
        if !tree.has_name(path) {
            tree.put_text(blobs, path, 0o644, text)?;
        }
    }
    for (path, target) in LINKS {
        tree.put_link_if_missing(path, target)?;
    }
    Ok(())
}

/// What packages alone leave to their scripts.
pub(super) fn of_packages(tree: &mut Tree, blobs: &mut Blobs, controls: &[Control]) -> io::Result<()> {
    tree.put_text(blobs, "etc/default/locale", 0o644, "LANG=C.UTF-8\n")?;
    tree.put_text(blobs, "etc/timezone", 0o644, "Etc/UTC\n")?;
    shells(tree, blobs)?;
    certificates(tree, blobs)?;
    // so that dpkg and what asks it know what is there
    let installed = |control: &Control| {
        let fields = control.fields.trim_end();
        match fields.split_once('\n') {
            Some((first, rest)) => format!("{first}\nStatus: install ok installed\n{rest}\n"),
            None => format!("{fields}\nStatus: install ok installed\n"),
        }
    };
    let status: Vec<String> = controls.iter().map(installed).collect();
    tree.put_text(blobs, "var/lib/dpkg/status", 0o644, status.join("\n"))?;
    tree.put_text(blobs, "var/lib/dpkg/available", 0o644, "")?;
    tree.put_folder_if_missing("var/lib/dpkg/info", 0o755)?;
    tree.put_folder_if_missing("var/lib/dpkg/updates", 0o755)
}

/// The shells of all packages (update-shells(8)).
fn shells(tree: &mut Tree, blobs: &mut Blobs) -> io::Result<()> {
    let mut text = tree.text("etc/shells")?.unwrap_or_default();
    if let Some(folder) = tree.find("usr/share/debianutils/shells.d") {
        for (_, id) in tree.entries(folder) {
            for shell in text_of(tree.node(id))?.unwrap_or_default().lines() {
                if !text.lines().any(|line| line == shell) {
                    text += shell;
                    text.push('\n');
                }
            }
        }
    }
    tree.put_text(blobs, "etc/shells", 0o644, text)
}

/// One file with all certificates, as update-ca-certificates(8) makes it.
fn certificates(tree: &mut Tree, blobs: &mut Blobs) -> io::Result<()> {
    let Some(folder) = tree.find(CERTIFICATES) else { return Ok(()) };
    let mut bundle = String::new();
    for (_, id) in tree.entries(folder) {
        bundle += &text_of(tree.node(id))?.unwrap_or_default();
    }
    tree.put_text(blobs, "etc/ssl/certs/ca-certificates.crt", 0o644, bundle)
}
