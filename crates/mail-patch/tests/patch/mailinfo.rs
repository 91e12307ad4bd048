//! What a mail's diff is, beside `git mailinfo`, which `git am` is made of.

use std::io::Write;
use std::process::{Command, Stdio};

use mail_patch::input::Input;

use super::oracle::is_there;

/// What git writes as the patch of a mail.
fn of_git(mail: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut git = Command::new("git")
        .args(["mailinfo", "message", "patch"])
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    git.stdin.take().unwrap().write_all(mail).unwrap();
    assert!(git.wait().unwrap().success());
    // the last line lacks its newline where it flows
    let patch = std::fs::read(folder.path().join("patch")).unwrap();
    patch.strip_suffix(b"\n").unwrap_or(&patch).to_vec()
}

/// The same lines as they are read here: from the one that ends the description on.
fn own(mail: &[u8]) -> Vec<u8> {
    let input = Input::read("mail", mail).unwrap();
    let lines = &input.messages[0].parts[0].lines;
    let from = lines.iter().position(|line| line.text == "---").unwrap();
    let texts = lines[from..].iter().map(|line| mail_patch::bytes(&line.text));
    texts.collect::<Vec<_>>().join(&b'\n')
}

fn mail(kind: &str, body: &[u8]) -> Vec<u8> {
    let headers = "From: A <a@example.org>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: [PATCH] x\nMIME-Version: 1.0\n";
    [headers.as_bytes(), kind.as_bytes(), b"\n\nwhy\n---\n", body].concat()
}

/// One mail in another, headers without the empty line below them, and a text that is signed around itself.
#[test]
fn mails_in_other_clothes_are_read() {
    let body = "why\n---\n--- a/f.c\n+++ b/f.c\n@@ -1 +1 @@\n-a\n+b\n";
    let headers = "From: A <a@example.org>\nSubject: [PATCH] x: y\n";
    let forward = format!(
        "From: F <f@example.org>\nSubject: Fwd: x\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\nsee below\n--B\nContent-Type: message/rfc822\n\n{headers}\n{body}--B--\n"
    );
    let unended = format!("{headers}commit 0123456789ab upstream.\n\n{body}");
    let signed = format!(
        "{headers}\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{}-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n",
        body.lines()
            .map(|line| if line.starts_with('-') { format!("- {line}\n") } else { format!("{line}\n") })
            .collect::<String>()
    );
    for (what, mail) in [("forward", forward), ("headers without an end", unended), ("signed", signed)] {
        let input = Input::read("mail", mail.as_bytes()).unwrap();
        let patches = mail_patch::PatchMail::all(&input);
        let [patch] = patches.as_slice() else { panic!("{what}: {} patches", patches.len()) };
        let line = mail.lines().position(|line| line.ends_with("--- a/f.c")).unwrap() + 1;
        assert_eq!((patch.title(), patch.line, patch.decoded.is_whole()), ("x: y", line, true), "{what}");
        assert_eq!(patch.decoded.files[0].changed(), (1, 1), "{what}");
        assert!(patch.damages.is_empty(), "{what}: {:?}", patch.damages);
        assert_eq!(patch.tags.upstream.is_some(), what.starts_with("headers"), "{what}");
    }
}

#[test]
fn a_diff_is_what_git_mailinfo_takes_it_for() {
    if !is_there("git") {
        return;
    }
    let diff = "  f.c | 2 +-\n  1 file changed, 1 insertion(+), 1 deletion(-)\n\ndiff --git a/f.c b/f.c\n--- a/f.c\n+++ b/f.c\n\
        @@ -1,6 +1,6 @@\n  \ta;\n\n-\tb; \n long\n+\tc;\n+\td; \nand more\n   x\n  \n  y\n";
    let plain = "Content-Type: text/plain; charset=";
    let cases: [(&str, String, Vec<u8>); 8] = [
        ("flowed", format!("{plain}utf-8; format=flowed"), diff.into()),
        ("flowed, DelSp", format!("{plain}utf-8; format=flowed; delsp=yes"), diff.into()),
        ("flowed, signed", format!("{plain}utf-8; format=flowed"), format!("{diff}-- \n2.47.0\n").into()),
        ("flowed at the end", format!("{plain}utf-8; format=flowed"), format!("{diff}+x \n").into()),
        ("fixed", format!("{plain}utf-8; format=fixed"), diff.into()),
        ("Latin 1", format!("{plain}iso-8859-1"), b"--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+caf\xe9\n".to_vec()),
        ("no character set", "X-A: b".into(), b"--- a/f\n+++ b/f\n@@ -0,0 +1 @@\n+caf\xe9\n".to_vec()),
        (
            "quoted-printable in Latin 1",
            format!("{plain}iso-8859-1\nContent-Transfer-Encoding: quoted-printable"),
            b"--- a/f\n+++ b/f\n@@ -0,0 +1,2 @@\n+caf=E9 =\nau lait\n+=3D=20\n".to_vec(),
        ),
    ];
    for (what, kind, body) in cases {
        let mail = mail(&kind, &body);
        let (git, own) = (of_git(&mail), own(&mail));
        assert_eq!(String::from_utf8_lossy(&own), String::from_utf8_lossy(&git), "{what}");
        assert_eq!(own, git, "{what}");
    }
}
