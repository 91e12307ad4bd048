//! Patches on a tree of our own: put on in order, taken off again, so that only the files that they touch change.
//!
//! The originals are kept beside the tree before anything is changed. What a killed process left half patched is put
//! right from them.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::patch::{Patch, PatchError};
use crate::kernel::store::write_whole;

/// Which patches are on a tree, and what was there before.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Applied {
    /// Digests of the patches, in order; empty while they are being put on.
    patches: Vec<String>,
    files: Vec<Original>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Original {
    path: PathBuf,
    /// Whether the tree had it; its text is kept under its own path.
    existed: bool,
}

/// A patched file: its path, what it holds, and since when.
pub(super) type Present = (PathBuf, Vec<u8>, SystemTime);

/// A tree of ours with the place for its originals.
pub(super) struct Patched<'a> {
    /// The source.
    pub tree: &'a Path,
    /// Where the originals are kept.
    pub kept: &'a Path,
    /// What the source is called in messages.
    pub name: &'a str,
}

impl Patched<'_> {
    fn applied(&self) -> Applied {
        let text = fs::read(self.kept.join("applied.json")).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    /// Gives the tree back as it was before the patches.
    pub(super) fn take_off(&self) -> io::Result<()> {
        if !self.kept.exists() {
            return Ok(());
        }
        let files = self.applied().files;
        // all of them first, as what was made may be in the way of what was there
        for Original { path, .. } in &files {
            let now = self.tree.join(path);
            match fs::symlink_metadata(&now) {
                Ok(found) if !found.is_dir() => fs::remove_file(&now)?,
                _ => {}
            }
        }
        for Original { path, .. } in files.iter().filter(|file| file.existed) {
            let (now, before) = (self.tree.join(path), self.kept.join("original").join(path));
            if let Some(folder) = now.parent() {
                fs::create_dir_all(folder)?;
            }
            // a folder that the patch made in its place, empty by now
            let _ = fs::remove_dir(&now);
            // a new file with a new time, so that make sees the change
            match fs::read_link(&before) {
                Ok(to) => symlink(to, &now)?,
                Err(_) => {
                    fs::write(&now, fs::read(&before)?)?;
                    fs::set_permissions(&now, fs::metadata(&before)?.permissions())?;
                }
            }
        }
        fs::remove_dir_all(self.kept)
    }

    /// Sees to it that exactly these patches are on the tree, in this order. `before` is what was [present](Patched::present)
    /// before anything was taken off.
    pub(super) fn put_on(&self, patches: &[Patch], before: &[Present]) -> Result<(), PatchError> {
        let digests: Vec<String> = patches.iter().map(Patch::digest).collect();
        if self.applied().patches == digests {
            return Ok(());
        }
        let first = patches.first().map_or_else(|| "(none)".to_string(), |patch| patch.name.clone());
        let io = |name: String| move |source| PatchError::Io { name, tree: self.name.to_string(), source };
        self.take_off().map_err(io(first.clone()))?;
        let mut applied = Applied::default();
        for patch in patches {
            let files = patch.files()?;
            self.keep(&files, &mut applied).map_err(io(patch.name.clone()))?;
            if let Err(error) = self.apply(patch) {
                self.take_off().map_err(io(patch.name.clone()))?;
                return Err(error);
            }
        }
        if !patches.is_empty() {
            applied.patches = digests;
            self.write(&applied).map_err(io(first))?;
        }
        self.keep_times(before);
        Ok(())
    }

    /// What the patched files hold now, and since when.
    pub(super) fn present(&self) -> Vec<Present> {
        let files = self.applied().files.into_iter();
        let present = |Original { path, .. }: Original| {
            let now = self.tree.join(&path);
            let found = fs::symlink_metadata(&now).ok().filter(fs::Metadata::is_file)?;
            Some((path, fs::read(&now).ok()?, found.modified().ok()?))
        };
        files.filter_map(present).collect()
    }

    /// Gives files that hold what they held before the time that they had, so that make compiles nothing for them again: of
    /// two states of a queue only what differs is compiled. A time that cannot be set costs a compilation.
    fn keep_times(&self, before: &[Present]) {
        for (path, held, since) in before {
            let now = self.tree.join(path);
            let is_file = fs::symlink_metadata(&now).is_ok_and(|found| found.is_file());
            if is_file && fs::read(&now).is_ok_and(|holds| holds == *held) {
                let file = fs::File::options().write(true).open(&now);
                let _ = file.and_then(|file| file.set_modified(*since));
            }
        }
    }

    /// Keeps the originals of `files` that are not kept yet.
    fn keep(&self, files: &[PathBuf], applied: &mut Applied) -> io::Result<()> {
        for path in files {
            if applied.files.iter().any(|original| original.path == *path) {
                continue;
            }
            let now = self.tree.join(path);
            let found = fs::symlink_metadata(&now).ok();
            let existed = found.as_ref().is_some_and(|found| found.is_file() || found.is_symlink());
            if existed {
                let before = self.kept.join("original").join(path);
                fs::create_dir_all(before.parent().unwrap_or(self.kept))?;
                match fs::read_link(&now) {
                    Ok(to) => symlink(to, &before)?,
                    Err(_) => drop(fs::copy(&now, &before)?),
                }
            }
            applied.files.push(Original { path: path.clone(), existed });
        }
        self.write(applied)
    }

    fn write(&self, applied: &Applied) -> io::Result<()> {
        fs::create_dir_all(self.kept)?;
        let text = serde_json::to_vec(applied).map_err(io::Error::other)?;
        write_whole(&self.kept.join("applied.json"), &text)
    }

    fn apply(&self, patch: &Patch) -> Result<(), PatchError> {
        let io = |source| PatchError::Io { name: patch.name.clone(), tree: self.name.to_string(), source };
        let mut child = Command::new("patch")
            .args(["-p1", "--batch", "--forward", "--fuzz=0", "--no-backup-if-mismatch", "--reject-file=-"])
            .current_dir(self.tree)
            .env("LC_ALL", "C")
            .env_remove("POSIXLY_CORRECT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(io)?;
        let mut input = child.stdin.take();
        let output = std::thread::scope(|scope| {
            scope.spawn(|| {
                if let Some(mut input) = input.take() {
                    // it may refuse the patch before it has read all
                    let _ = input.write_all(&patch.text);
                }
            });
            child.wait_with_output()
        })
        .map_err(io)?;
        if output.status.success() {
            return Ok(());
        }
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(PatchError::DoesNotApply {
            name: patch.name.clone(),
            tree: self.name.to_string(),
            reason: reason(patch, &said),
        })
    }
}

/// What `patch` complained about, with the hunk's own lines.
fn reason(patch: &Patch, said: &str) -> String {
    let mut file = String::new();
    for line in said.lines() {
        if let Some(name) = line.strip_prefix("patching file ") {
            file = name.split(" (").next().unwrap_or(name).trim_matches('\'').to_string();
        } else if line.starts_with("Reversed (or previously applied)") {
            return format!("{file} has the change already (the patch, taken backwards, would fit)");
        } else if line.contains("can't find file to patch") {
            let missing = patch.files().unwrap_or_default();
            let missing = missing.first().map_or(String::new(), |file| file.display().to_string());
            let named = match file.is_empty() {
                true => missing,
                false => format!("a file that it changes after {file}"),
            };
            return format!("there is no {named} in this tree");
        } else if let Some(rest) = line.strip_prefix("Hunk #") {
            let Some((number, at)) = rest.split_once(" FAILED at ") else { continue };
            let at = at.split(['.', ' ']).next().unwrap_or_default();
            let number = number.parse().unwrap_or(0);
            let (place, text) = patch.hunk(&file, number).unwrap_or((0, String::new()));
            let text: String = text.lines().map(|line| format!("\n    {line}")).collect();
            return format!(
                "hunk {number} of {file} (line {place} of the patch) finds other lines at line {at} and nowhere fits:{text}"
            );
        } else if line.contains("malformed patch at line") || line.contains("Only garbage was found") {
            return format!("it is damaged: {}", line.trim_start_matches("patch: **** "));
        }
    }
    said.lines().filter(|line| !line.is_empty()).take(5).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const FIX: &str = "From: me\nSubject: fix\n\n---\n fs/x.c | 2 +-\n\ndiff --git a/fs/x.c b/fs/x.c\n--- a/fs/x.c\n+++ b/fs/x.c\n\
        @@ -1,3 +1,3 @@ int f(void)\n one\n-two\n+2\n three\n";
    const NEW: &str = "--- /dev/null\n+++ b/fs/new.c\n@@ -0,0 +1 @@\n+new\n";

    fn patch(name: &str, text: &str) -> Patch {
        Patch { name: name.to_string(), text: text.as_bytes().to_vec() }
    }

    struct World {
        root: tempfile::TempDir,
    }

    impl World {
        fn new(x: &str) -> Option<World> {
            if super::super::compiler::on_path("patch").is_none() {
                loud_skip::skip("there is no `patch` on this host");
                return None;
            }
            let root = tempfile::tempdir().expect("a temporary folder");
            fs::create_dir_all(root.path().join("tree/fs")).expect("it is writable");
            fs::write(root.path().join("tree/fs/x.c"), x).expect("it is writable");
            Some(World { root })
        }

        fn put_on(&self, patches: &[Patch]) -> Result<(), PatchError> {
            let (tree, kept) = (self.root.path().join("tree"), self.root.path().join("kept"));
            Patched { tree: &tree, kept: &kept, name: "linux" }.put_on(patches, &[])
        }

        fn x(&self) -> String {
            fs::read_to_string(self.root.path().join("tree/fs/x.c")).expect("it is there")
        }

        fn has_new(&self) -> bool {
            self.root.path().join("tree/fs/new.c").exists()
        }
    }

    #[test]
    fn patches_go_on_and_off_and_leave_nothing() {
        let Some(world) = World::new("one\ntwo\nthree\n") else { return };
        let (fix, new) = (patch("fix", FIX), patch("new", NEW));
        let again = patch("again", &FIX.replace("-two\n+2", "-2\n+zwei"));
        world.put_on(&[fix.clone(), new.clone(), again]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((world.x().as_str(), world.has_new()), ("one\nzwei\nthree\n", true));
        world.put_on(&[fix]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((world.x().as_str(), world.has_new()), ("one\n2\nthree\n", false));
        world.put_on(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(world.x(), "one\ntwo\nthree\n");
        assert!(!world.root.path().join("kept").exists());
    }

    #[test]
    fn modes_are_set_and_taken_off_again() {
        let Some(world) = World::new("one\ntwo\nthree\n") else { return };
        let mode = |file: &str| {
            let path = world.root.path().join("tree").join(file);
            fs::metadata(path)
                .map(|file| format!("{:o}", file.permissions().mode() & 0o700))
                .unwrap_or_default()
        };
        let before = mode("fs/x.c");
        let text = "diff --git a/fs/x.c b/fs/x.c\nold mode 100644\nnew mode 100755\n\
            diff --git a/fs/run.sh b/fs/run.sh\nnew file mode 100755\n--- /dev/null\n+++ b/fs/run.sh\n@@ -0,0 +1 @@\n+#!/bin/sh\n";
        world.put_on(&[patch("modes", text)]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((mode("fs/x.c").as_str(), mode("fs/run.sh").as_str()), ("700", "700"));
        world.put_on(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((mode("fs/x.c"), mode("fs/run.sh")), (before, String::new()));
    }

    #[test]
    fn links_go_on_and_off_again() {
        let Some(world) = World::new("one\ntwo\nthree\n") else { return };
        let tree = world.root.path().join("tree");
        symlink("x.c", tree.join("fs/to-x")).expect("it is writable");
        symlink("no/where", tree.join("dangling")).expect("it is writable");
        let links = || {
            let of = |link: &str| fs::read_link(tree.join(link)).map(|to| to.display().to_string()).ok();
            [of("fs/to-x"), of("dangling"), of("new"), of("fs")]
        };
        let before = links();
        let entry = |path: &str, old: Option<&str>, new: Option<&str>| {
            let end = "\n\\ No newline at end of file\n";
            let side = |there: Option<&str>, name: &str| {
                there.map_or("/dev/null".into(), |_| format!("{name}/{path}"))
            };
            let (from, to) = (side(old, "a"), side(new, "b"));
            let mode = match (old, new) {
                (None, _) => "new file mode 120000",
                (_, None) => "deleted file mode 120000",
                _ => "index 1111111..2222222 120000",
            };
            let one = |there: Option<&str>| if there.is_some() { "1" } else { "0,0" };
            let line = |mark: char, text: Option<&str>| {
                text.map_or(String::new(), |text| format!("{mark}{text}{end}"))
            };
            format!(
                "diff --git a/{path} b/{path}\n{mode}\n--- {from}\n+++ {to}\n@@ -{} +{} @@\n{}{}",
                one(old),
                one(new),
                line('-', old),
                line('+', new)
            )
        };
        let changes = [
            entry("fs/to-x", Some("x.c"), Some("y.c")),
            entry("dangling", Some("no/where"), None),
            entry("new", None, Some("fs")),
        ];
        world.put_on(&[patch("links", &changes.concat())]).unwrap_or_else(|error| panic!("{error}"));
        let text = |word: &str| Some(word.to_owned());
        assert_eq!(links(), [text("y.c"), None, text("fs"), None]);
        world.put_on(&[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(links(), before);
    }

    #[test]
    fn one_that_fails_takes_the_earlier_ones_off_again() {
        let Some(world) = World::new("one\ntwo\nthree\n") else { return };
        let wrong = patch("wrong", &FIX.replace("-two\n+2", "-2\n+zwei").replace(" three", " drei"));
        world.put_on(&[patch("new", NEW), wrong]).expect_err("it does not fit");
        assert_eq!((world.x().as_str(), world.has_new()), ("one\ntwo\nthree\n", false));
    }

    #[test]
    fn says_which_hunk_does_not_fit_and_why() {
        let two_hunks = format!("{FIX}@@ -100,3 +100,3 @@ int g(void)\n eins\n-zwei\n+2\n drei\n");
        let cases = [
            ("other lines", "one\nZWEI\nthree\n", FIX),
            ("second hunk", "one\ntwo\nthree\n", &two_hunks),
            ("has it", "one\n2\nthree\n", FIX),
            ("no such file", "one\ntwo\nthree\n", &FIX.replace("fs/x.c", "fs/y.c")),
            ("no diff", "", "Dear all,\nplease apply.\n"),
            ("outside", "", &FIX.replace("a/fs/x.c", "a/../../x.c")),
            ("absolute", "", &FIX.replace("b/fs/x.c", "/etc/passwd")),
            ("damaged", "one\ntwo\nthree\n", &FIX.replace(" three\n", "three\n")),
        ];
        let mut said = String::new();
        for (name, x, text) in cases {
            let Some(world) = World::new(x) else { return };
            said += &format!("{}\n", world.put_on(&[patch(name, text)]).expect_err(name));
            assert_eq!(world.x(), x, "{name}");
        }
        insta::assert_snapshot!(said, @r"
        the patch other lines does not apply to linux: hunk 1 of fs/x.c (line 10 of the patch) finds other lines at line 1 and nowhere fits:
            @@ -1,3 +1,3 @@ int f(void)
             one
            -two
            +2
             three
        the patch second hunk does not apply to linux: hunk 2 of fs/x.c (line 15 of the patch) finds other lines at line 100 and nowhere fits:
            @@ -100,3 +100,3 @@ int g(void)
             eins
            -zwei
            +2
             drei
        the patch has it does not apply to linux: fs/x.c has the change already (the patch, taken backwards, would fit)
        the patch no such file does not apply to linux: there is no fs/y.c in this tree
        the patch no diff cannot be used: there is no unified diff in it (lines `--- a/FILE`, `+++ b/FILE`, `@@ … @@`)
        the patch outside cannot be used: it changes `a/../../x.c`; expected paths of the form a/FILE and b/FILE below the tree
        the patch absolute cannot be used: it changes `/etc/passwd`; expected paths of the form a/FILE and b/FILE below the tree
        the patch damaged does not apply to linux: it is damaged: malformed patch at line 14: three
        ");
    }
}
