//! Forms in which patches are sent and kept, each with what becomes of it on one small tree, beside `git apply`, which must
//! take what is taken here and give the same, but where a row says otherwise.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use mail_patch::{Application, Folder, Input, Options, Outcome, PatchMail, apply, show};

use super::oracle::is_there;

const PUMP: &str = "#include <pump.h>\n\nstatic int fill(int x)\n{\n\tint err;\n\n\terr = open_valve(x);\n\tif (err)\n\t\treturn err;\n\n\treturn 0;\n}\n\nstatic int drain(int x)\n{\n\tint err;\n\n\terr = close_valve(x);\n\tif (err)\n\t\treturn err;\n\n\tflush(x);\n\treturn 0;\n}\n";

/// The change of most rows, below its names.
const HUNK: &str = "@@ -5,6 +5,6 @@ static int fill(int x)\n \tint err;\n \n-\terr = open_valve(x);\n+\terr = open_valve(x + 1);\n \tif (err)\n \t\treturn err;\n \n";

fn tree(folder: &Path) {
    for (path, text) in [
        ("hw/pump.c", PUMP.as_bytes()),
        ("doc/ends.txt", b"x\ny\n"),
        ("doc/open.txt", b"x\ny"),
        ("doc/old.txt", b"one\ntwo\n"),
        ("doc/there.txt", b"alpha\n"),
        ("doc/dash.txt", b"x\n-\n\n- \n\ny\n"),
        ("doc/latin.txt", b"na\xefve\nb\nc\nd\n"),
        ("doc/utf8.txt", "naïve\nb\nc\nd\n".as_bytes()),
    ] {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

fn applied(folder: &Path, patch: &[u8], options: Options) -> Application {
    let patches = PatchMail::all(&Input::read("p", patch).unwrap());
    assert!(!patches.is_empty());
    apply(&patches.iter().collect::<Vec<_>>(), &Folder::new(folder), options)
}

fn one(patch: &[u8], options: Options) -> Application {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    applied(folder.path(), patch, options)
}

/// Whether `git apply` takes it, and the file at this path then.
fn of_git(patch: &[u8], path: &str) -> Option<Option<Vec<u8>>> {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    std::fs::write(folder.path().join("p"), patch).unwrap();
    let output = Command::new("git")
        .args(["apply", "p"])
        .current_dir(folder.path())
        .env("GIT_CEILING_DIRECTORIES", folder.path().parent().unwrap())
        .output()
        .unwrap();
    output.status.success().then(|| std::fs::read(folder.path().join(path)).ok())
}

const PLAIN: Options = Options { repair: false, fuzz: 0 };
const REPAIR: Options = Options { repair: true, fuzz: 0 };

/// What git says to a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Git {
    /// The same.
    Same,
    /// It refuses: it knows no tree that could say what is meant, or asks for more.
    Refuses,
    /// It drops a folder that the tree has, and makes the file beside it.
    Elsewhere,
}

/// Name, patch, the path to look at, the result, git's.
type Row = (&'static str, String, &'static str, Outcome, Git);

fn named(old: &str, new: &str) -> String {
    format!("--- {old}\n+++ {new}\n{HUNK}")
}

fn rows() -> Vec<Row> {
    use Git::*;
    use Outcome::*;
    let git = |old: &str, new: &str| {
        format!("diff --git {old} {new}\nindex 1111111..2222222 100644\n{}", named(old, new))
    };
    let pump = "hw/pump.c";
    let header = |header: &str| {
        let (_, lines) = HUNK.split_once('\n').unwrap();
        format!("--- a/hw/pump.c\n+++ b/hw/pump.c\n{header}\n{lines}")
    };
    let below = |text: &str| named("a/hw/pump.c", "b/hw/pump.c") + text;
    let new = |old: &str, new: &str| {
        format!(
            "{}--- {old}\n+++ {new}\n@@ -0,0 +1 @@\n+int b;\n",
            named("linux-6.1.orig/hw/pump.c", "linux-6.1/hw/pump.c")
        )
    };
    vec![
        ("usual", git("a/hw/pump.c", "b/hw/pump.c"), pump, Clean, Same),
        ("mnemonic", git("i/hw/pump.c", "w/hw/pump.c"), pump, Clean, Same),
        ("mnemonic, no git line", named("c/hw/pump.c", "w/hw/pump.c"), pump, Clean, Same),
        ("own prefixes", git("before/hw/pump.c", "after/hw/pump.c"), pump, Clean, Same),
        ("no prefix", git("hw/pump.c", "hw/pump.c"), pump, Clean, Refuses),
        ("no prefix, no git line", named("hw/pump.c", "hw/pump.c"), pump, Clean, Refuses),
        ("dot", named("./hw/pump.c", "./hw/pump.c"), pump, Clean, Same),
        ("two folders", named("linux.orig/hw/pump.c", "linux/hw/pump.c"), pump, Clean, Same),
        ("the same folder", named("linux-6.1/hw/pump.c", "linux-6.1/hw/pump.c"), pump, Clean, Same),
        ("kept as .orig", named("a/hw/pump.c.orig", "b/hw/pump.c"), pump, Clean, Same),
        ("kept as ~", named("a/hw/pump.c~", "b/hw/pump.c"), pump, Clean, Same),
        ("made as .new", named("a/hw/pump.c", "b/hw/pump.c.new"), pump, Clean, Same),
        ("dates", named("a/hw/pump.c\t2020-01-01 10:00:00.5 +0100", "b/hw/pump.c\t2020-01-02 10:00:00.5 +0100"), pump, Clean, Same),
        ("new file in a stripped folder", new("/dev/null", "linux-6.1/hw/b.c"), "hw/b.c", Clean, Same),
        ("new file of the epoch", new("linux-6.1.orig/hw/b.c\t1970-01-01 00:00:00.000000000 +0000", "linux-6.1/hw/b.c\t2020-01-01 10:00:00.0 +0000"), "hw/b.c", Clean, Same),
        ("new file of the epoch elsewhere", new("linux-6.1.orig/hw/b.c\t1970-01-01 01:00:00.000000000 +0100", "linux-6.1/hw/b.c\t2020-01-01 10:00:00.0 +0100"), "hw/b.c", Clean, Same),
        ("new file without a date", new("linux-6.1.orig/hw/b.c", "linux-6.1/hw/b.c"), "hw/b.c", Clean, Same),
        ("new file, no prefix", "diff --git hw/b.c hw/b.c\nnew file mode 100644\nindex 0000000..1111111\n--- /dev/null\n+++ hw/b.c\n@@ -0,0 +1 @@\n+int b;\n".into(), "hw/b.c", Clean, Elsewhere),
        ("of Subversion", format!("Index: hw/pump.c\n{}\n{}", "=".repeat(67), named("hw/pump.c\t(revision 12)", "hw/pump.c\t(working copy)")), pump, Clean, Refuses),
        ("of Subversion, the tab lost", named("hw/pump.c (revision 12)", "hw/pump.c (working copy)"), pump, Clean, Refuses),
        ("of Subversion, new", "Index: hw/b.c\n===\n--- hw/b.c\t(revision 0)\n+++ hw/b.c\t(revision 12)\n@@ -0,0 +1 @@\n+int b;\n".into(), "hw/b.c", Clean, Elsewhere),
        ("of Subversion, gone", "Index: doc/old.txt\n===\n--- doc/old.txt\t(revision 12)\n+++ doc/old.txt\t(nonexistent)\n@@ -1,2 +0,0 @@\n-one\n-two\n".into(), "doc/old.txt", Clean, Refuses),
        ("of Subversion, with a property", format!("Index: hw/pump.c\n===\n{}\nProperty changes on: hw/pump.c\n____\nAdded: svn:eol-style\n## -0,0 +1 ##\n+native\n\\ No newline at end of property\n", named("a/hw/pump.c\t(revision 1)", "b/hw/pump.c\t(working copy)")), pump, Clean, Same),
        ("of Mercurial", format!("# HG changeset patch\n# User A <a@example.org>\n# Date 1700000000 0\n# Node ID 0123456789ab\npump: open\n\ndiff -r 0123456789ab -r 123456789abc hw/pump.c\n{}", named("a/hw/pump.c\tThu Jan 01 00:00:00 2015 +0000", "b/hw/pump.c\tWed Nov 15 10:00:00 2023 +0100")), pump, Clean, Same),
        ("of Mercurial, new", "diff -r 0123456789ab hw/b.c\n--- /dev/null\tThu Jan 01 00:00:00 1970 +0000\n+++ b/hw/b.c\tWed Nov 15 10:00:00 2023 +0100\n@@ -0,0 +1,1 @@\n+int b;\n".into(), "hw/b.c", Clean, Same),
        ("of CVS", format!("Index: hw/pump.c\n===\nRCS file: /cvs/hw/pump.c,v\nretrieving revision 1.1\ndiff -u -p -r1.1 pump.c\n{}", named("hw/pump.c\t1 Jan 2020 00:00:00 -0000\t1.1", "hw/pump.c\t2 Jan 2020 00:00:00 -0000")), pump, Clean, Refuses),
        ("binary, with its contents", "diff --git a/doc/x.bin b/doc/x.bin\nnew file mode 100644\nindex 0000000000000000000000000000000000000000..1a23e4be731d2f539deeea324686d000ccdfbfcd\nGIT binary patch\nliteral 4\nLcmYdfNa6wj0#*Rd\n\nliteral 0\nHcmV?d00001\n\n".into(), "doc/x.bin", DoesNotApply, Same),
        ("binary, without", "diff --git a/doc/x.bin b/doc/x.bin\nnew file mode 100644\nindex 0000000..1111111\nBinary files /dev/null and b/doc/x.bin differ\n".into(), "doc/x.bin", DoesNotApply, Refuses),
        ("signed by cgit", below("-- \ncgit 1.2.3-korg\n\n"), pump, Clean, Same),
        ("signed by somebody", below("-- \nAnn Author\n"), pump, Clean, Same),
        ("quoted name", "diff --git \"a/doc/na\\303\\257ve x\" \"b/doc/na\\303\\257ve x\"\nnew file mode 100644\nindex 0000000..1\n--- /dev/null\n+++ \"b/doc/na\\303\\257ve x\"\n@@ -0,0 +1 @@\n+a\n".into(), "doc/naïve x", Clean, Same),
        ("list behind", below(" - for 6.1 too\n - thanks\n"), pump, Clean, Same),
        ("list without blanks behind", below("- for 6.1 too\n- thanks\n"), pump, Clean, Same),
        ("text behind", below("Thanks,\nA Maker\n"), pump, Clean, Same),
        ("one more line of the source behind", below(" \treturn 0;\n"), pump, Damaged, Same),
        ("an added line behind", below("+\tmore(x);\n"), pump, Damaged, Same),
        ("an added line behind an empty one", below("\n+\tmore(x);\n"), pump, Damaged, Same),
        ("an @ lost", header("@@ -5,6 +5,6 @"), pump, Damaged, Refuses),
        ("an @ lost in front", header("@ -5,6 +5,6 @@"), pump, Damaged, Refuses),
        ("a blank lost", header("@@-5,6 +5,6 @@"), pump, Damaged, Refuses),
        ("a blank lost inside", header("@@ -5,6+5,6 @@"), pump, Damaged, Refuses),
        ("a blank lost behind", header("@@ -5,6 +5,6@@"), pump, Damaged, Refuses),
        ("a blank gained", header(" @@ -5,6 +5,6 @@"), pump, Damaged, Refuses),
        ("a blank gained inside", header("@@ -5,6  +5,6 @@"), pump, Damaged, Refuses),
        ("a plus lost", header("@@ -5,6 5,6 @@"), pump, Damaged, Refuses),
        ("only marks left", header("@@ @@"), pump, Damaged, Refuses),
        ("the second header indented", below(" @@ -19,4 +19,4 @@\n \tif (err)\n-\t\treturn err;\n+\t\treturn -err;\n \n \tflush(x);\n"), pump, Damaged, Same),
        ("the second header gone", below(" \tif (err)\n-\t\treturn err;\n+\t\treturn -err;\n \n \tflush(x);\n"), pump, Damaged, Same),
        ("nothing below the names", "--- a/hw/pump.c\n+++ b/hw/pump.c\n".into(), pump, Damaged, Refuses),
        ("nothing below git's line", "diff --git a/hw/pump.c b/hw/pump.c\nindex 1111111..2222222 100644\n".into(), pump, Damaged, Refuses),
        ("second file without hunks", below("diff --git a/doc/old.txt b/doc/old.txt\nindex 1111111..2222222 100644\n--- a/doc/old.txt\n+++ b/doc/old.txt\n"), pump, Damaged, Refuses),
        ("new file without its lines", "diff --git a/hw/b.c b/hw/b.c\nnew file mode 100644\nindex 0000000..1111111\n".into(), "hw/b.c", Damaged, Same),
        ("new and empty", "diff --git a/hw/b.c b/hw/b.c\nnew file mode 100644\nindex 0000000..e69de29\n".into(), "hw/b.c", Clean, Same),
        ("of a merge", "diff --cc hw/pump.c\nindex 1111111,2222222..3333333\n--- a/hw/pump.c\n+++ b/hw/pump.c\n@@@ -5,3 -5,3 +5,3 @@@\n  \tint err;\n  \n- \terr = open_valve(x);\n -\terr = open_valve(x + 1);\n++\terr = open_valve(x + 2);\n".into(), pump, DoesNotApply, Refuses),
        ("rename onto a file", "diff --git a/doc/old.txt b/doc/there.txt\nsimilarity index 100%\nrename from doc/old.txt\nrename to doc/there.txt\n".into(), "doc/there.txt", DoesNotApply, Refuses),
        ("two files change places", "diff --git a/doc/old.txt b/doc/there.txt\nsimilarity index 100%\nrename from doc/old.txt\nrename to doc/there.txt\ndiff --git a/doc/there.txt b/doc/old.txt\nsimilarity index 100%\nrename from doc/there.txt\nrename to doc/old.txt\n".into(), "doc/old.txt", Clean, Same),
        ("deletes more than it knows", "diff --git a/doc/old.txt b/doc/old.txt\ndeleted file mode 100644\nindex 1111111..0000000\n--- a/doc/old.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n".into(), "doc/old.txt", DoesNotApply, Refuses),
        ("deletes all", "diff --git a/doc/old.txt b/doc/old.txt\ndeleted file mode 100644\nindex 1111111..0000000\n--- a/doc/old.txt\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-one\n-two\n".into(), "doc/old.txt", Clean, Same),
        ("new file that is there", "--- /dev/null\n+++ b/doc/there.txt\n@@ -0,0 +1 @@\n+beta\n".into(), "doc/there.txt", DoesNotApply, Refuses),
        ("new file that is there already", "--- /dev/null\n+++ b/doc/there.txt\n@@ -0,0 +1 @@\n+alpha\n".into(), "doc/there.txt", AlreadyApplied, Refuses),
        ("end without newline", "--- a/doc/ends.txt\n+++ b/doc/ends.txt\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+z\n".into(), "doc/ends.txt", DoesNotApply, Refuses),
        ("end with newline", "--- a/doc/open.txt\n+++ b/doc/open.txt\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n".into(), "doc/open.txt", DoesNotApply, Refuses),
        ("newline gained", "--- a/doc/open.txt\n+++ b/doc/open.txt\n@@ -1,2 +1,2 @@\n x\n-y\n\\ No newline at end of file\n+y\n".into(), "doc/open.txt", Clean, Same),
        ("newline lost", "--- a/doc/ends.txt\n+++ b/doc/ends.txt\n@@ -1,2 +1,2 @@\n x\n-y\n+y\n\\ No newline at end of file\n".into(), "doc/ends.txt", Clean, Same),
        ("line 1 is elsewhere", "--- a/hw/pump.c\n+++ b/hw/pump.c\n@@ -1,3 +1,4 @@\n+/* top */\n static int drain(int x)\n {\n \tint err;\n".into(), pump, DoesNotApply, Refuses),
        ("the end is elsewhere", "--- a/hw/pump.c\n+++ b/hw/pump.c\n@@ -9,4 +9,5 @@\n \t\treturn err;\n \n \treturn 0;\n }\n+/* end */\n".into(), pump, DoesNotApply, Refuses),
        ("a new file's hunk behind another", below("@@ -0,0 +1,2 @@\n+int a;\n+int b;\n"), pump, DoesNotApply, Refuses),
        ("a dash above a blank line goes", "--- a/doc/dash.txt\n+++ b/doc/dash.txt\n@@ -1,6 +1,4 @@\n x\n--\n \n-- \n \n y\n".into(), "doc/dash.txt", Clean, Same),
        ("a hunk of no lines", "--- a/hw/pump.c\n+++ b/hw/pump.c\n@@ -5,0 +5,0 @@\n".into(), pump, Damaged, Refuses),
        ("a hunk of no lines behind another", below("@@ -19,0 +19,0 @@\n"), pump, Damaged, Refuses),
        ("a mode of words", "diff --git a/hw/pump.c b/hw/pump.c\nold mode 100644\nnew mode rwxr-xr-x\n".into(), pump, DoesNotApply, Refuses),
        ("a mode of a group's", "diff --git a/hw/pump.c b/hw/pump.c\nold mode 100664\nnew mode 100775\n".into(), pump, Clean, Same),
        ("a submodule", "diff --git a/lib b/lib\nnew file mode 160000\nindex 0000000..1111111\n--- /dev/null\n+++ b/lib\n@@ -0,0 +1 @@\n+Subproject commit 1111111111111111111111111111111111111111\n".into(), "lib", DoesNotApply, Same),
        ("into git's own folder", "--- /dev/null\n+++ b/.git/info/x\n@@ -0,0 +1 @@\n+x\n".into(), ".git/info/x", DoesNotApply, Refuses),
        ("into git's own folder, in capitals", "--- /dev/null\n+++ b/doc/.GIT/x\n@@ -0,0 +1 @@\n+x\n".into(), "doc/.GIT/x", DoesNotApply, Refuses),
        ("without context, beyond the end", "--- a/hw/pump.c\n+++ b/hw/pump.c\n@@ -907,0 +908 @@\n+\tmore(x);\n".into(), pump, DoesNotApply, Same),
    ]
}

#[test]
fn every_form_comes_to_what_git_makes_of_it() {
    let mut wrong = Vec::new();
    for (name, patch, path, outcome, git) in rows() {
        let ours = one(patch.as_bytes(), PLAIN);
        if ours.outcome != outcome {
            wrong.push(format!("{name}: {:?} and not {outcome:?}: {}", ours.outcome, ours.why()));
        }
        if !is_there("git") {
            continue;
        }
        match (of_git(patch.as_bytes(), path), git) {
            (None, Git::Refuses) | (Some(_), Git::Same) if !ours.outcome.applies() => {}
            (None, Git::Refuses) | (Some(None), Git::Elsewhere) => {}
            (Some(theirs), Git::Same) => {
                if ours.contents.get(path) != Some(&theirs) {
                    wrong.push(format!("{name}: git gives something else"));
                }
            }
            (theirs, _) => wrong.push(format!("{name}: git takes it: {}", theirs.is_some())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_header_is_repaired_by_its_numbers() {
    let want = one(named("a/hw/pump.c", "b/hw/pump.c").as_bytes(), PLAIN).contents;
    let mut seen = 0;
    for (name, patch, ..) in rows() {
        if name.starts_with("an @") || name.starts_with("a blank") {
            let result = one(patch.as_bytes(), REPAIR);
            assert_eq!((result.outcome, &result.contents), (Outcome::Repaired, &want), "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 7);
}

#[test]
fn what_is_there_already_is_not_added_again() {
    let folder = tempfile::tempdir().unwrap();
    tree(folder.path());
    let line = "\tflush(x);\n";
    let twice = PUMP.replace("\tflush(x);\n\treturn 0;\n", "\tflush(x);\n\tdry(x);\n\treturn 0;\n");
    std::fs::write(folder.path().join("hw/pump.c"), &twice).unwrap();
    // its own context ends where the added line stands now
    let patch = format!(
        "--- a/hw/pump.c\n+++ b/hw/pump.c\n@@ -20,5 +20,6 @@ static int drain(int x)\n \t\treturn err;\n \n {line}+\tdry(x);\n \treturn 0;\n }}\n"
    );
    for fuzz in 0..=3 {
        let result = applied(folder.path(), patch.as_bytes(), Options { repair: false, fuzz });
        assert_eq!(result.outcome, Outcome::AlreadyApplied, "fuzz {fuzz}");
    }
}

#[test]
fn hunks_that_fit_only_as_a_pair_are_applied() {
    let block =
        |name: &str| format!("static int {name}(int x)\n{{\n\tint err;\n\n\terr = 0;\n\treturn err;\n}}\n\n");
    let text = block("one") + "int mark;\n\n" + &block("two") + "int other;\n";
    let files: BTreeMap<&str, &str> = BTreeMap::from([("hw/pump.c", text.as_str())]);
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in &files {
        std::fs::create_dir_all(folder.path().join(path).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(path), text).unwrap();
    }
    // the first hunk fits in both functions, the second only behind the first of them
    let patch = "--- a/hw/pump.c\n+++ b/hw/pump.c\n@@ -103,4 +103,4 @@\n \tint err;\n \n-\terr = 0;\n+\terr = 1;\n \treturn err;\n@@ -108,3 +108,3 @@\n \n-int mark;\n+int mark2;\n \n";
    let result = applied(folder.path(), patch.as_bytes(), PLAIN);
    assert_eq!(result.outcome, Outcome::WithOffset, "{}", result.why());
    let got = String::from_utf8(result.contents["hw/pump.c"].clone().unwrap()).unwrap();
    assert_eq!(got, text.replacen("err = 0", "err = 1", 1).replace("mark", "mark2"));
}

#[test]
fn bytes_are_those_of_the_mail() {
    let mail = |file: &str, charset: &str, encoding: &str, word: &[u8], context: &[u8]| {
        let mut mail = format!("From: A Maker <a@example.org>\nSubject: [PATCH] doc: x\n{charset}{encoding}\nwhy\n---\n--- a/doc/{file}\n+++ b/doc/{file}\n@@ -1,4 +1,5 @@\n ").into_bytes();
        mail.extend_from_slice(context);
        mail.extend_from_slice(b"\n b\n c\n+");
        mail.extend_from_slice(word);
        mail.extend_from_slice(b"\n d\n");
        mail
    };
    let latin = "Content-Type: text/plain; charset=iso-8859-1\n";
    let quoted = "MIME-Version: 1.0\nContent-Transfer-Encoding: quoted-printable\n";
    for (name, mail) in [
        ("raw", mail("latin.txt", "", "", b"caf\xe9", b"na\xefve")),
        ("declared", mail("latin.txt", latin, "", b"caf\xe9", b"na\xefve")),
        ("quoted-printable", mail("latin.txt", latin, quoted, b"caf=E9", b"na=EFve")),
    ] {
        let result = one(&mail, PLAIN);
        assert_eq!(result.outcome, Outcome::Clean, "{name}: {}", result.why());
        assert_eq!(
            result.contents["doc/latin.txt"].as_deref(),
            Some(&b"na\xefve\nb\nc\ncaf\xe9\nd\n"[..]),
            "{name}"
        );
    }
    // a mail client that sent another character set than the file's
    let other = mail("utf8.txt", latin, "", b"caf\xe9", b"na\xefve");
    assert_eq!(one(&other, PLAIN).outcome, Outcome::DoesNotApply);
    let result = one(&other, REPAIR);
    assert_eq!(result.outcome, Outcome::Repaired);
    assert_eq!(result.contents["doc/utf8.txt"].as_deref(), Some("naïve\nb\nc\ncafé\nd\n".as_bytes()));
}

#[test]
fn a_mail_that_was_cut_between_hunks_says_so() {
    let mail = format!(
        "From: A Maker <a@example.org>\nSubject: [PATCH] hw: x\n\nwhy\n---\n hw/pump.c | 4 ++--\n 1 file changed, 2 insertions(+), 2 deletions(-)\n\n{}",
        named("a/hw/pump.c", "b/hw/pump.c")
    );
    let result = one(mail.as_bytes(), PLAIN);
    assert_eq!(result.outcome, Outcome::Clean);
    insta::assert_snapshot!(show::application("tree", &result), @r"
    tree: applies
      doubtful: line 7: not what the diffstat says: the mail says 1 file, 2 insertions and 2 deletions, and the diff has 1 file, 1 insertion and 1 deletion; not repairable: a part of the patch may be missing; compare with the raw mail
      hw/pump.c: hunk of line 11: applied at line 5
    ");
}

#[test]
fn what_is_refused_says_why() {
    let shown = [
        "an @ lost",
        "only marks left",
        "nothing below the names",
        "of a merge",
        "binary, with its contents",
        "binary, without",
        "deletes more than it knows",
        "end without newline",
        "line 1 is elsewhere",
        "the end is elsewhere",
        "one more line of the source behind",
    ];
    let all: String = rows()
        .into_iter()
        .filter(|row| shown.contains(&row.0))
        .map(|row| show::application(row.0, &one(row.1.as_bytes(), PLAIN)))
        .collect();
    insta::assert_snapshot!(all, @r"
    binary, with its contents: does not apply
      doc/x.bin: a binary patch (`GIT binary patch`), which is not read; `git apply` does
    binary, without: does not apply
      doc/x.bin: the diff says that a binary file differs, and not how; `git diff --binary` makes one that does
    one more line of the source behind: damaged
      hw/pump.c: hunk of line 3: damaged: line 3: line count wrong: the hunk announces 6 old and 6 new lines, and the line below them is the source's next one; not repairable: what belongs to the hunk is not known; fetch the raw mail
    an @ lost: damaged
      hw/pump.c: hunk of line 3: damaged: line 3: hunk header damaged: a blank or an `@` too few or too many, and all four numbers are there; repairable: read by its numbers, which the lines below it bear out
    only marks left: damaged
      hw/pump.c: damaged: line 3: hunk header damaged: `@@ @@` begins like a hunk's header and is none; not repairable: expected `@@ -LINE,COUNT +LINE,COUNT @@`; fetch the raw mail
    nothing below the names: damaged
      hw/pump.c: damaged: line 1: no hunk below the header: nothing below the file's names says what changes; not repairable: the hunks are nowhere in the input; fetch the whole mail
    of a merge: does not apply
      hw/pump.c: a combined diff shows a merge and is no patch; `git diff PARENT MERGE` makes one
    deletes more than it knows: does not apply
      doc/old.txt: the patch deletes this file, but the source's has 1 line more than the patch removes
      doc/old.txt: hunk of line 6: applied at line 1
    end without newline: does not apply
      doc/ends.txt: hunk of line 3: it fits only at line 1, but the source's file has a newline at its end, and the patch says none
    line 1 is elsewhere: does not apply
      hw/pump.c: hunk of line 3: it fits only at line 14, but a hunk of line 1 belongs to the start of the file
    the end is elsewhere: does not apply
      hw/pump.c: hunk of line 3: it fits only at line 9, but a hunk without context below its changes, or without a newline, belongs to the end of the file
    ");
}

#[test]
fn what_applies_as_sent_is_not_repaired() {
    for (name, patch, _, outcome, _) in rows() {
        if outcome.applies() {
            let (plain, repair) = (one(patch.as_bytes(), PLAIN), one(patch.as_bytes(), REPAIR));
            assert_eq!((plain.outcome, plain.contents), (repair.outcome, repair.contents), "{name}");
        }
    }
}

#[test]
fn repair_puts_no_hunk_where_git_refuses_it() {
    let mut seen = 0;
    for (name, patch, ..) in rows() {
        if ["line 1 is elsewhere", "the end is elsewhere", "end without newline", "end with newline"]
            .contains(&name)
        {
            assert_eq!(one(patch.as_bytes(), REPAIR).outcome, Outcome::DoesNotApply, "{name}");
            seen += 1;
        }
    }
    assert_eq!(seen, 4);
}

#[test]
fn modes_are_those_that_git_knows() {
    for (stated, mode) in
        [("100755", "100755"), ("100775", "100755"), ("100700", "100755"), ("100664", "100644")]
    {
        let patch = format!("diff --git a/hw/pump.c b/hw/pump.c\nold mode 100644\nnew mode {stated}\n");
        assert_eq!(one(patch.as_bytes(), PLAIN).modes["hw/pump.c"], mode, "{stated}");
    }
}
