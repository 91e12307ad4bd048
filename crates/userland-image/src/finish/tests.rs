use super::*;
use crate::tree::LinkedFolders;

/// A tree with files of these texts, completed as packages are.
fn completed(files: &[(&str, &str)], scripts: &[&str], users: &[&str]) -> (tempfile::TempDir, Tree) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut blobs = Blobs::in_folder(folder.path().join("blobs")).expect("it is writable");
    let mut tree = Tree::new(LinkedFolders::Stay);
    begin(&mut tree).expect("an empty tree");
    for (path, text) in files {
        tree.put_text(&mut blobs, path, 0o755, text).expect("a place");
    }
    let controls: Vec<Control> = scripts
        .iter()
        .enumerate()
        .map(|(index, script)| Control {
            fields: format!("Package: p{index}\nVersion: 1\n"),
            postinst: (*script).to_string(),
        })
        .collect();
    let users: Vec<String> = users.iter().map(|user| (*user).to_string()).collect();
    packages(&mut tree, &mut blobs, &controls, &users).expect("it can be completed");
    (folder, tree)
}

fn text(tree: &Tree, path: &str) -> String {
    tree.text(path).expect("it is readable").unwrap_or_else(|| panic!("{path} is not there"))
}

fn target(tree: &Tree, path: &str) -> Option<String> {
    let path = Path::parse(path.as_bytes()).expect("a good path");
    let above = tree.find_path(&path.above())?;
    let (_, id) = tree.entries(above).find(|(name, _)| Some(*name) == path.name())?;
    match &tree.node(id).kind {
        Kind::Link(target) => Some(String::from_utf8_lossy(target).into_owned()),
        _ => None,
    }
}

#[test]
fn names_get_the_best_program_that_is_there() {
    let script = "update-alternatives --install /usr/bin/awk awk /usr/bin/gawk 10 \\\n --slave /usr/bin/nawk nawk /usr/bin/gawk";
    let files =
        [("bin/bash", ""), ("usr/bin/mawk", ""), ("usr/bin/nc.traditional", ""), ("usr/bin/more", "")];
    let (_folder, tree) = completed(&files, &[script], &[]);
    let shown = |tree: &Tree| {
        let of = |name: &str| {
            let target = target(tree, &format!("etc/alternatives/{name}")).unwrap_or_else(|| "none".into());
            format!("{name} {target}")
        };
        ["awk", "nawk", "sh", "nc", "pager", "editor"].map(of).join("; ")
    };
    insta::assert_snapshot!(shown(&tree), @"awk /usr/bin/mawk; nawk /usr/bin/mawk; sh /usr/bin/bash; nc /usr/bin/nc.traditional; pager /usr/bin/more; editor none");
    assert_eq!(tree.find("/bin/sh"), tree.find("/usr/bin/bash"), "it leads there through both links");
    let with_gawk = [files.as_slice(), &[("usr/bin/gawk", ""), ("bin/sh", "#!")]].concat();
    let (_folder, tree) = completed(&with_gawk, &[script], &[]);
    insta::assert_snapshot!(shown(&tree), @"awk /usr/bin/gawk; nawk /usr/bin/gawk; sh none; nc /usr/bin/nc.traditional; pager /usr/bin/more; editor none");
    assert_eq!(text(&tree, "bin/sh"), "#!", "a file of a package stays");
}

#[test]
fn accounts_come_from_packages_and_from_the_caller() {
    let files = [
        (
            "usr/share/base-passwd/passwd.master",
            "root:*:0:0:root:/root:/bin/bash\nnobody:*:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
        ),
        ("usr/share/base-passwd/group.master", "root:*:0:\nshadow:*:42:\nnogroup:*:65534:\n"),
        (
            "usr/lib/sysusers.d/x.conf",
            "# a comment\nu messagebus - \"System bus\" /run/dbus\ng render -\nu fixed 77 - - /bin/sh\nm a b\n",
        ),
        ("bin/bash", ""),
    ];
    let (_folder, tree) = completed(&files, &[], &["fsgqa", "123456-fsgqa"]);
    let files = ["etc/passwd", "etc/group", "etc/shadow"].map(|path| text(&tree, path)).join("\n");
    insta::assert_snapshot!(files, @r"
    root:x:0:0:root:/root:/bin/bash
    nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
    messagebus:x:999:999:System bus:/run/dbus:/usr/sbin/nologin
    fixed:x:77:77::/:/bin/sh
    fsgqa:x:1000:1000::/home/fsgqa:/bin/bash
    123456-fsgqa:x:1001:1001::/home/123456-fsgqa:/bin/bash

    root:x:0:
    shadow:x:42:
    nogroup:x:65534:
    messagebus:x:999:
    render:x:998:
    fixed:x:77:
    fsgqa:x:1000:
    123456-fsgqa:x:1001:

    root:*:18262:0:99999:7:::
    nobody:*:18262:0:99999:7:::
    messagebus:*:18262:0:99999:7:::
    fixed:*:18262:0:99999:7:::
    fsgqa:*:18262:0:99999:7:::
    123456-fsgqa:*:18262:0:99999:7:::
    ");
    let home = tree.node(tree.find("home/fsgqa").expect("it is there"));
    assert_eq!((home.attributes.user, home.attributes.group), (1000, 1000));
    let shadow = tree.node(tree.find("etc/shadow").expect("it is there"));
    assert_eq!((shadow.attributes.mode, shadow.attributes.group), (0o640, 42));
}

#[test]
fn a_userland_without_those_packages_has_accounts_and_etc_too() {
    let (_folder, tree) = completed(&[("bin/busybox", "")], &[""], &[]);
    assert!(text(&tree, "etc/passwd").contains("nobody:x:65534:65534:"));
    assert!(text(&tree, "etc/hosts").starts_with("127.0.0.1\tlocalhost"));
    assert_eq!(text(&tree, "var/lib/dpkg/status"), "Package: p0\nStatus: install ok installed\nVersion: 1\n");
    assert_eq!(target(&tree, "etc/mtab").as_deref(), Some("../proc/self/mounts"));
    assert_eq!(target(&tree, "bin").as_deref(), Some("usr/bin"));
    let tmp = tree.node(tree.find("tmp").expect("it is there"));
    assert_eq!(tmp.attributes.mode, 0o1777);
}

#[test]
fn programs_that_ask_pam_are_answered_where_it_is_there() {
    let template = ("usr/share/pam/common-auth", "$auth_primary\n");
    let own = ("etc/pam.d/common-account", "account required pam_permit.so\n");
    let (_folder, tree) = completed(&[template, own], &[], &[]);
    insta::assert_snapshot!(text(&tree, "etc/pam.d/common-auth"), @r"
    auth [success=1 default=ignore] pam_unix.so nullok
    auth requisite pam_deny.so
    auth required pam_permit.so
    ");
    assert_eq!(text(&tree, "etc/pam.d/common-account"), own.1, "a file that is there stays");
    for name in ["password", "session", "session-noninteractive"] {
        assert!(text(&tree, &format!("etc/pam.d/common-{name}")).contains("pam_unix.so"), "{name}");
    }
    let (_folder, tree) = completed(&[("bin/busybox", "")], &[], &[]);
    assert!(tree.find("etc/pam.d/common-auth").is_none());
}

#[test]
fn documents_are_left_out_and_nothing_that_begins_alike() {
    for (path, expected) in [
        ("usr/share/doc", true),
        ("./usr/share/man/man1/x.1.gz", true),
        ("usr/share/docs", false),
        ("usr/share/terminfo/x", false),
        ("usr/share", false),
    ] {
        let path = Path::parse(path.as_bytes()).expect("a good path");
        assert_eq!(is_left_out(&path), expected, "{path:?}");
    }
}
