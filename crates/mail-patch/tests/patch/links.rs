//! Symbolic links in patches, beside `git apply` and `patch`.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use mail_patch::{Folder, GitTree, Input, Options, Outcome, PatchMail, Source, apply, unified};

use super::oracle::is_there;

/// What is below a folder: a file's text, or a link's target behind an arrow.
fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap().flatten() {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if kind.is_symlink() {
                found.insert(name, format!("-> {}", std::fs::read_link(path).unwrap().display()));
            } else if kind.is_dir() && entry.file_name() != ".git" {
                folders.push(path);
            } else if kind.is_file() {
                let executable = std::fs::metadata(&path).unwrap().permissions().mode() & 0o100 != 0;
                let mark = if executable { "* " } else { "" };
                found.insert(name, format!("{mark}{}", std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    found
}

/// A folder with a file, an executable one, a folder and links to all of them and to nothing.
fn before(folder: &Path) {
    std::fs::create_dir_all(folder.join("dir")).unwrap();
    std::fs::write(folder.join("file.c"), "one\ntwo\n").unwrap();
    std::fs::write(folder.join("dir/in.c"), "in\n").unwrap();
    std::fs::write(folder.join("run.sh"), "#!\n").unwrap();
    std::fs::set_permissions(folder.join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    for (link, to) in [("to-file", "file.c"), ("to-dir", "dir"), ("to-nothing", "no/where")] {
        symlink(to, folder.join(link)).unwrap();
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null"];
    let output = Command::new("git").args(identity).args(arguments).current_dir(folder).output().unwrap();
    output.status.success().then_some(output.stdout)
}

/// A repository of [`before`] with a commit.
fn repository(folder: &Path) {
    before(folder);
    git(folder, &["init", "-q"]).unwrap();
    git(folder, &["add", "-A"]).unwrap();
    git(folder, &["commit", "-q", "-m", "before"]).unwrap();
}

fn relink(folder: &Path, link: &str, to: &str) {
    std::fs::remove_file(folder.join(link)).unwrap();
    symlink(to, folder.join(link)).unwrap();
}

type Change = fn(&Path);

const CHANGES: [(&str, Change); 9] = [
    ("made", |folder| symlink("../elsewhere", folder.join("dir/new")).unwrap()),
    ("changed", |folder| relink(folder, "to-file", "run.sh")),
    ("changed that leads to nothing", |folder| relink(folder, "to-nothing", "still/no/where")),
    ("deleted", |folder| std::fs::remove_file(folder.join("to-file")).unwrap()),
    ("to a folder, deleted", |folder| std::fs::remove_file(folder.join("to-dir")).unwrap()),
    ("renamed", |folder| std::fs::rename(folder.join("to-file"), folder.join("dir/renamed")).unwrap()),
    ("becomes a file", |folder| {
        std::fs::remove_file(folder.join("to-file")).unwrap();
        std::fs::write(folder.join("to-file"), "now a file\n").unwrap();
    }),
    ("takes a file's place", |folder| {
        std::fs::remove_file(folder.join("run.sh")).unwrap();
        symlink("file.c", folder.join("run.sh")).unwrap();
    }),
    ("beside a file that changes", |folder| {
        relink(folder, "to-dir", "file.c");
        std::fs::write(folder.join("file.c"), "one\n2\n").unwrap();
    }),
];

#[test]
fn links_are_applied_as_git_does_and_the_own_diff_makes_the_same() {
    if !is_there("git") || !is_there("patch") {
        return;
    }
    for (what, change) in CHANGES {
        let made = tempfile::tempdir().unwrap();
        repository(made.path());
        let commit = GitTree::new(made.path(), "HEAD").unwrap();
        change(made.path());
        git(made.path(), &["add", "-A"]).unwrap();
        let diff = git(made.path(), &["diff", "--cached", "-M", "HEAD"]).unwrap();
        let wanted = tree(made.path());

        let folder = tempfile::tempdir().unwrap();
        before(folder.path());
        let sources: [&dyn Source; 2] = [&Folder::new(folder.path()), &commit];
        let patches = PatchMail::all(&Input::read("p", &diff).unwrap());
        let mut own = Vec::new();
        for source in sources {
            let result = apply(&patches.iter().collect::<Vec<_>>(), source, Options::default());
            assert_eq!(result.outcome, Outcome::Clean, "{what}: {result:?}");
            own.push(unified(source, &result));
        }
        assert_eq!(own[0], own[1], "{what}: a folder and a commit of the same");
        let own = std::str::from_utf8(&own[0]).unwrap();
        for (program, arguments) in [
            ("git", &["apply", "../p"][..]),
            ("patch", &["-p1", "--batch", "--forward", "--fuzz=0", "-i", "../p"]),
        ] {
            let place = tempfile::tempdir().unwrap();
            std::fs::write(place.path().join("p"), own).unwrap();
            let there = place.path().join("tree");
            before(&there);
            let output = Command::new(program)
                .args(arguments)
                .current_dir(&there)
                .env("GIT_CEILING_DIRECTORIES", place.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
            assert!(output.status.success(), "{what}: {program}: {said}\n{own}");
            assert_eq!(tree(&there), wanted, "{what}: {program}: {said}\n{own}");
        }
    }
}

#[test]
fn a_file_is_no_link_and_nothing_is_reached_through_one() {
    if !is_there("git") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    repository(folder.path());
    let commit = GitTree::new(folder.path(), "HEAD").unwrap();
    let of = |path: &str, index: &str, old: &str| {
        format!(
            "diff --git a/{path} b/{path}\nindex 1111111..2222222{index}\n--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-{old}\n+new\n"
        )
    };
    let cases = [
        of("to-file", " 100644", "one"),
        of("file.c", " 120000", "one\n\\ No newline at end of file"),
        of("to-dir/in.c", " 100644", "in"),
        of("to-file", "", "one"),
    ];
    let mut said = String::new();
    for text in &cases {
        let patches = PatchMail::all(&Input::read("p", text.as_bytes()).unwrap());
        let sources: [&dyn Source; 2] = [&Folder::new(folder.path()), &commit];
        let results =
            sources.map(|source| apply(&patches.iter().collect::<Vec<_>>(), source, Options::default()));
        assert_eq!(results[0].why(), results[1].why());
        assert!(!results[0].outcome.applies(), "{text}");
        std::fs::write(folder.path().join(".git/p"), text).unwrap();
        assert!(git(folder.path(), &["apply", "--check", ".git/p"]).is_none(), "git takes {text}");
        said += &format!("{}\n", results[0].why());
    }
    insta::assert_snapshot!(said, @r"
    to-file: the patch changes a file, but the source has a symbolic link there
    file.c: the patch changes a symbolic link, but the source has a file there
    to-dir/in.c: no such file; renamed? of the same name: dir/in.c
    to-file, hunk of line 5: context differs; nothing like it is in the file
    ");
}
