//! PAM's common files, which pam-auth-update(8) makes of the profiles of packages. Without them each program that asks PAM
//! (su, login, passwd) refuses whoever calls it.

use std::io;

use crate::tree::{Blobs, Tree};

/// That the package which has these files made is there: its templates.
const TEMPLATES: &str = "usr/share/pam";

/// Files below `etc/pam.d` and what they say with the profile `unix` of libpam-runtime, the one that every system has: accounts
/// by passwd and shadow, and nobody else.
const COMMON: &[(&str, &[&str])] = &[
    (
        "common-auth",
        &[
            "auth [success=1 default=ignore] pam_unix.so nullok",
            "auth requisite pam_deny.so",
            "auth required pam_permit.so",
        ],
    ),
    (
        "common-account",
        &[
            "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so",
            "account requisite pam_deny.so",
            "account required pam_permit.so",
        ],
    ),
    (
        "common-password",
        &[
            "password [success=1 default=ignore] pam_unix.so obscure yescrypt",
            "password requisite pam_deny.so",
            "password required pam_permit.so",
        ],
    ),
    ("common-session", SESSION),
    ("common-session-noninteractive", SESSION),
];

const SESSION: &[&str] = &[
    "session [default=1] pam_permit.so",
    "session requisite pam_deny.so",
    "session required pam_permit.so",
    "session required pam_unix.so",
];

/// Writes those that are not there.
pub(super) fn apply(tree: &mut Tree, blobs: &mut Blobs) -> io::Result<()> {
    if tree.find(TEMPLATES).is_none() {
        return Ok(());
    }
    for (name, lines) in COMMON {
        let path = format!("etc/pam.d/{name}");
        if !tree.has_name(&path) {
            tree.put_text(blobs, &path, 0o644, lines.join("\n") + "\n")?;
        }
    }
    Ok(())
}
