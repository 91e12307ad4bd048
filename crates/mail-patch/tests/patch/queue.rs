//! Queues: which patches of an input belong together, in which order, and what becomes of each in its place.

use std::path::Path;
use std::process::Command;

use mail_patch::{Folder, Input, Options, Pick, Queue, queue};
use proptest::prelude::*;

use super::oracle::is_there;

/// A change of one line of the file `f`, whose lines are `1` to `9`.
fn diff(line: usize, from: &str, to: &str) -> String {
    format!("--- a/f\n+++ b/f\n@@ -{line} +{line} @@\n-{from}\n+{to}\n")
}

struct Thread(String);

impl Thread {
    fn new() -> Thread {
        Thread(String::new())
    }

    /// A mail; its id is its subject's number of bytes and place, its thread that of `first`.
    fn mail(mut self, subject: &str, first: Option<&str>, body: &str) -> Thread {
        let id = subject.replace(|c: char| !c.is_ascii_alphanumeric(), "");
        let references = first.map(|id| format!("References: <{id}@x>\n")).unwrap_or_default();
        self.0 += &format!(
            "From mboxrd@z Thu Jan  1 00:00:00 1970\nFrom: A <a@example.org>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\n\
             Message-ID: <{id}@x>\n{references}Subject: {subject}\n\nwhy\n\n---\n{body}\n"
        );
        self
    }

    fn opened(&self, pick: &str) -> Result<Queue, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.mbox");
        std::fs::write(&path, &self.0).unwrap();
        opened(&path, pick)
    }

    fn shown(&self, pick: &str) -> String {
        match self.opened(pick) {
            Ok(queue) => lines(&queue),
            Err(why) => why,
        }
    }
}

fn opened(path: &Path, pick: &str) -> Result<Queue, String> {
    let pick = if pick.is_empty() { Pick::default() } else { pick.parse().unwrap() };
    let name = path.display().to_string();
    let folder = path.parent().unwrap().display().to_string();
    Queue::open(&name, &pick).map_err(|error| error.to_string().replace(&folder, ""))
}

/// A line a patch: its number, title and why it is left out; then what is missing, and notes.
fn lines(queue: &Queue) -> String {
    let mut out = String::new();
    for one in queue.all() {
        let why = one.left_out.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        out += &format!("{}: {}{why}\n", one.number, one.patch.title());
    }
    out += &queue.hole().map(|hole| format!("{hole}\n")).unwrap_or_default();
    out + &queue.notes.iter().map(|note| format!("note: {note}\n")).collect::<String>()
}

/// Results on the file of nine lines: numbers with what became of each, and of the whole.
fn tried(queue: &Queue) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("f"), "1\n2\n3\n4\n5\n6\n7\n8\n9\n").unwrap();
    let result = queue::apply(&queue.patches, &Folder::new(folder.path()), Options::default());
    let each: Vec<String> =
        result.patches.iter().map(|one| format!("{} {}", one.number, one.result.outcome.words())).collect();
    format!("{}: {}", each.join(", "), result.whole.outcome.words())
}

#[test]
fn mails_without_numbers_are_applied_in_their_order() {
    let thread = Thread::new()
        .mail("[PATCH] second line", None, &diff(2, "2", "two"))
        .mail("[PATCH] and again", None, &diff(2, "two", "zwei"))
        .mail("[PATCH] third line", None, &diff(3, "3", "three"));
    insta::assert_snapshot!(thread.shown(""), @r"
    1: second line
    2: and again
    3: third line
    ");
    insta::assert_snapshot!(tried(&thread.opened("").unwrap()), @"1 applies, 2 applies, 3 applies: applies");
    insta::assert_snapshot!(tried(&thread.opened("2..").unwrap()), @"2 does not apply, 3 applies: does not apply");
}

#[test]
fn the_newest_whole_version_is_taken() {
    let cover = |version: &str| format!("[PATCH {version}0/2] lines");
    let thread = Thread::new()
        .mail(&cover(""), None, "")
        .mail("[PATCH 2/2] third line", Some("PATCH02lines"), &diff(3, "3", "drei"))
        .mail("[PATCH 1/2] second line", Some("PATCH02lines"), &diff(2, "2", "zwei"))
        .mail("Re: [PATCH 1/2] second line", Some("PATCH02lines"), &diff(2, "2", "deux"))
        .mail(&cover("v2 "), Some("PATCH02lines"), "")
        .mail("[PATCH v2 1/2] second line", Some("PATCH02lines"), &diff(2, "2", "two"))
        .mail("[PATCH v2 2/2] third line", Some("PATCH02lines"), &diff(3, "3", "three"));
    insta::assert_snapshot!(thread.shown(""), @r"
    1: second line
    2: third line
    3: third line (of version 1; version 2 is newer)
    4: second line (of version 1; version 2 is newer)
    5: second line (a reply that carries a diff)
    ");
    insta::assert_snapshot!(thread.shown("v1"), @r"
    1: second line
    2: third line
    3: second line (a reply that carries a diff)
    4: second line (of version 2; version 1 is picked)
    5: third line (of version 2; version 1 is picked)
    ");
    insta::assert_snapshot!(thread.shown("v1:2"), @r"
    2: third line
    1: second line (not picked)
    3: second line (a reply that carries a diff)
    4: second line (of version 2; version 1 is picked)
    5: third line (of version 2; version 1 is picked)
    ");
    insta::assert_snapshot!(thread.shown("3"), @r"
    3: third line
    1: second line (not picked)
    2: third line (not picked)
    4: second line (of version 1; version 2 is newer)
    5: second line (a reply that carries a diff)
    ");
    insta::assert_snapshot!(thread.shown("v3"), @"/t.mbox: no patch of version 3; there are v1, v2");
    insta::assert_snapshot!(thread.shown("9"), @"/t.mbox: no patch 9; there are 5 from 1 to 5");
    let partly = thread.mail("[PATCH v3 2/2] third line", Some("PATCH02lines"), &diff(3, "3", "trois")).mail(
        "[PATCH v2.1 1/2] second line",
        Some("PATCH02lines"),
        &diff(2, "2", "TWO"),
    );
    insta::assert_snapshot!(partly.shown(""), @r"
    1: second line
    2: third line
    3: third line (of version 1; version 2 is newer)
    4: second line (of version 1; version 2 is newer)
    5: second line (a reply that carries a diff)
    6: second line (replaced by that of line 128)
    7: third line (of version 3, which is not whole: 1 of 2 is missing)
    ");
}

#[test]
fn a_new_version_of_a_single_patch_replaces_it() {
    let thread = Thread::new()
        .mail("[PATCH] second line", None, &diff(2, "2", "zwei"))
        .mail("[PATCH] other", None, &diff(4, "4", "four"))
        .mail("[PATCH v2] second line", None, &diff(2, "2", "two"))
        .mail("[PATCH] other", None, &diff(4, "4", "four"));
    insta::assert_snapshot!(thread.shown(""), @r"
    1: other
    2: second line
    3: second line (of version 1; version 2 is newer)
    4: other (the same as that of line 25)
    ");
}

#[test]
fn series_for_several_lines_are_told_apart() {
    let thread = Thread::new()
        .mail("[PATCH 6.1 0/2] lines", None, "")
        .mail("[PATCH 6.1 1/2] second line", Some("PATCH6102lines"), &diff(2, "2", "two"))
        .mail("[PATCH 6.1 2/2] third line", Some("PATCH6102lines"), &diff(3, "3", "three"))
        .mail("[PATCH 6.6 1/2] second line", Some("PATCH6102lines"), &diff(2, "2", "zwei"))
        .mail("[PATCH 6.6 2/2] third line", Some("PATCH6102lines"), &diff(3, "3", "three"))
        .mail("[PATCH 6.6.y v2 1/2] second line", Some("PATCH6102lines"), &diff(2, "2", "deux"))
        .mail("[PATCH 6.6.y v2 2/2] third line", Some("PATCH6102lines"), &diff(3, "3", "three"));
    insta::assert_snapshot!(thread.shown(""), @r"
    1: second line
    2: third line
    3: second line
    4: third line
    5: second line (of version 1; version 2 is newer)
    6: third line (of version 1; version 2 is newer)
    note: for several lines, 6.1 and 6.6: a source gets those of its own; --pick 6.1 takes one
    ");
    insta::assert_snapshot!(thread.shown("6.6"), @r"
    1: second line
    2: third line
    3: second line (for 6.1; 6.6 is picked)
    4: third line (for 6.1; 6.6 is picked)
    5: second line (of version 1; version 2 is newer)
    6: third line (of version 1; version 2 is newer)
    ");
    insta::assert_snapshot!(thread.shown("v1:6.6:2"), @r"
    2: third line
    1: second line (not picked)
    3: second line (for 6.1; 6.6 is picked)
    4: third line (for 6.1; 6.6 is picked)
    5: second line (of version 2; version 1 is picked)
    6: third line (of version 2; version 1 is picked)
    ");
    insta::assert_snapshot!(thread.shown("5.15"), @"/t.mbox: no patch for 5.15; there are some for 6.1, 6.6");
    let queue = thread.opened("").unwrap();
    let numbers = |line: &str| {
        let found = queue.for_line(mail_patch::subject::line_name(line));
        found.map(|all| all.iter().map(|one| one.number).collect::<Vec<_>>())
    };
    assert_eq!(numbers("6.1"), Ok(vec![1, 2]));
    assert_eq!(numbers("v6.6.30"), Ok(vec![3, 4]));
    assert_eq!(
        numbers("6.12").unwrap_err(),
        "patches for several lines, 6.1, 6.6, and the source is of 6.12"
    );
    assert!(numbers("?").unwrap_err().ends_with("the line of the source is not known"));
    // one series: the source may be of another line
    assert_eq!(thread.opened("6.1").unwrap().for_line(None).unwrap().len(), 2);
}

#[test]
fn one_patch_for_several_lines_is_kept_for_each() {
    let thread = Thread::new().mail("[PATCH 6.1.y] second line", None, &diff(2, "2", "two")).mail(
        "[PATCH 6.6.y] second line",
        None,
        &diff(2, "2", "two"),
    );
    insta::assert_snapshot!(thread.shown(""), @r"
    1: second line
    2: second line
    note: for several lines, 6.1 and 6.6: a source gets those of its own; --pick 6.1 takes one
    ");
    insta::assert_snapshot!(tried(&thread.opened("6.6").unwrap()), @"1 applies: applies");
}

#[test]
fn mails_without_a_unified_diff_say_what_they_hold() {
    let context = "*** a/f\t2020\n--- b/f\t2021\n***************\n*** 2 ****\n! 2\n--- 2 ----\n! two\n";
    let thread = Thread::new().mail("[PATCH 1/2] second line", None, context).mail(
        "[PATCH 2/2] third line",
        None,
        &diff(3, "3", "three"),
    );
    insta::assert_snapshot!(thread.shown(""), @r"
    2: third line
    1 of 2 (line 2: a context diff (`***` and `---`), which is not read; `diff -u`, or `filterdiff --format=unified`, makes a unified one) is missing
    ");
    let alone = Thread::new().mail(
        "[PATCH] second line",
        None,
        " f | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n",
    );
    insta::assert_snapshot!(alone.shown(""), @"/t.mbox: no patch: only the statistics of a diff (`--stat`), and not the diff; `git format-patch` without --stat writes both");
}

#[test]
fn what_is_missing_is_named() {
    let thread = Thread::new().mail("[PATCH 6.1 1/4] second line", None, &diff(2, "2", "two")).mail(
        "[PATCH 6.1 4/4] again",
        None,
        &diff(2, "two", "zwei"),
    );
    insta::assert_snapshot!(thread.shown(""), @r"
    1: second line
    4: again
    2 of 4, 3 of 4 are missing
    ");
    insta::assert_snapshot!(thread.shown("1..4"), @r"
    1: second line
    4: again
    2 of 4, 3 of 4 are missing
    ");
    insta::assert_snapshot!(thread.shown("4"), @r"
    4: again
    1: second line (not picked)
    ");
    insta::assert_snapshot!(thread.shown("2"), @"/t.mbox: no patch 2; there are 2 from 1 to 4");
}

#[test]
fn only_a_reply_carries_the_diff() {
    let thread = Thread::new().mail("Re: second line", None, &diff(2, "2", "two"));
    insta::assert_snapshot!(thread.shown(""), @"1: second line");
}

#[test]
fn one_that_does_not_apply_is_set_aside() {
    let thread = Thread::new()
        .mail("[PATCH 1/3] a", None, &diff(2, "2", "two"))
        .mail("[PATCH 2/3] b", None, &diff(3, "x", "y"))
        .mail("[PATCH 3/3] c", None, &diff(2, "two", "zwei"));
    let queue = thread.opened("").unwrap();
    insta::assert_snapshot!(tried(&queue), @"1 applies, 2 does not apply, 3 applies: does not apply");
}

#[test]
fn folders_are_read_in_their_order() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "quilt/patches/series",
        "# first\nb.patch -p0\n\ngone.patch\nempty.patch\na.patch # last\nr.patch -R\n",
    );
    write("quilt/patches/a.patch", &diff(2, "2", "two"));
    write("quilt/patches/b.patch", &diff(3, "3", "three").replace("a/f", "f").replace("b/f", "f"));
    write("quilt/patches/r.patch", &diff(4, "four", "4"));
    write("quilt/patches/empty.patch", "");
    let quilt = opened(&folder.path().join("quilt"), "").unwrap();
    let place = folder.path().display().to_string();
    insta::assert_snapshot!(lines(&quilt).replace(&place, ""), @r"
    1: (no subject)
    3: (no subject)
    4: (no subject)
    gone.patch (line 4 of /quilt/patches/series) is missing
    note: empty.patch: empty
    ");
    insta::assert_snapshot!(tried(&quilt), @"1 applies, 3 applies, 4 applies: applies");

    write("numbered/10-c.patch", &diff(2, "two", "zwei"));
    write(
        "numbered/2-b.patch",
        &format!("From: A <a@b.c>\nSubject: [PATCH 5/9] b\n\n{}", diff(2, "2", "two")),
    );
    write("numbered/0-cover-letter.patch", "From: A <a@b.c>\nSubject: [PATCH 0/2] both\n\nwhy\n");
    let numbered = opened(&folder.path().join("numbered"), "").unwrap();
    insta::assert_snapshot!(lines(&numbered), @r"
    1: b
    2: (no subject)
    ");
    insta::assert_snapshot!(tried(&numbered), @"1 applies, 2 applies: applies");

    write("stable/queue-6.1/series", "a.patch\n");
    write("stable/queue-6.1/a.patch", &diff(2, "2", "two"));
    assert_eq!(opened(&folder.path().join("stable"), "").unwrap().patches.len(), 1);
    write("stable/queue-6.6/series", "a.patch\n");
    insta::assert_snapshot!(opened(&folder.path().join("stable"), "").unwrap_err(), @"/stable: a repository of several queues; name one of queue-6.1, queue-6.6");
    std::fs::create_dir(folder.path().join("none")).unwrap();
    insta::assert_snapshot!(opened(&folder.path().join("none"), "").unwrap_err(), @"/none: no queue: neither a file `series` nor one that ends in .patch, .diff, .eml or .mbox");
    write("bad/series", "a.patch -x\n");
    insta::assert_snapshot!(opened(&folder.path().join("bad"), "").unwrap_err(), @"/bad/series: line 1, column 9: `-x` behind a patch's name; expected -pN, -R or a comment behind `#`");
}

#[test]
fn what_a_folder_lacks_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let patch = |part: &str, line: usize, from: &str, to: &str| {
        format!("From: A <a@b.c>\nSubject: [PATCH {part}] {to}\n\nwhy\n\n---\n{}", diff(line, from, to))
    };
    let shown = |pick: &str| opened(folder.path(), pick).map_or_else(|why| why, |queue| lines(&queue));
    write("0000-cover-letter.patch", "From: A <a@b.c>\nSubject: [PATCH] all of it\n\nwhy\n");
    write("0001-two.patch", &patch("", 2, "2", "two"));
    write("0003-three.patch", &patch("", 3, "3", "three"));
    // what is no patch by its name does no harm
    for other in ["README", "0002-two.patch.rej", "0001-two.patch.orig", "notes.txt"] {
        write(other, "not a patch\n");
    }
    insta::assert_snapshot!(shown(""), @r"
    1: two
    3: three
    0002-….patch is missing
    ");
    insta::assert_snapshot!(shown("1,3"), @r"
    1: two
    3: three
    ");
    write("0002-zwei.patch", &patch("", 2, "two", "zwei"));
    write("0002-zz-planted.patch", &patch("", 4, "4", "four"));
    insta::assert_snapshot!(shown(""), @r"
    1: two
    2: zwei
    3: four
    4: three
    ");
    write("0004-four.patch", "this text is no patch\n");
    insta::assert_snapshot!(shown(""), @r"
    1: two
    2: zwei
    3: four
    4: three
    0004-four.patch (no patch in it: no line starts with `diff --git`, or with `--- ` and `+++ ` on two lines) is missing
    ");
    // without numbers, too; but an answer in a mail has no patch
    std::fs::rename(folder.path().join("0004-four.patch"), folder.path().join("four.patch")).unwrap();
    write(
        "0005-re.eml",
        "From: B <b@b.c>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: Re: [PATCH] two\n\nfine\n",
    );
    insta::assert_snapshot!(shown(""), @r"
    1: two
    2: zwei
    3: four
    4: three
    four.patch (no patch in it: no line starts with `diff --git`, or with `--- ` and `+++ ` on two lines) is missing
    ");
}

#[test]
fn what_the_subjects_of_a_folder_number_is_missing_at_its_ends_too() {
    let folder = tempfile::tempdir().unwrap();
    for part in [2, 3] {
        let text =
            format!("From: A <a@b.c>\nSubject: [PATCH {part}/4] x\n\nwhy\n\n---\n{}", diff(part, "2", "x"));
        std::fs::write(folder.path().join(format!("000{part}-x.patch")), text).unwrap();
    }
    insta::assert_snapshot!(lines(&opened(folder.path(), "").unwrap()), @r"
    2: x
    3: x
    0001-….patch of 4, 0004-….patch of 4 are missing
    ");
}

#[test]
fn mails_without_separators_come_apart() {
    let mail = |part: usize, from: &str, to: &str| {
        format!(
            "From: A <a@b.c>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: [PATCH {part}/2] {to}\n\nwhy\n---\n f | 2 +-\n\n{}-- \n2.39.2\n\n",
            diff(part + 1, from, to)
        )
    };
    let all = format!("{}{}", mail(1, "2", "two"), mail(2, "3", "three"));
    let input = Input::read("x", all.as_bytes()).unwrap();
    let queue = Queue::of(&input, &Pick::default()).unwrap();
    insta::assert_snapshot!(lines(&queue), @r"
    1: two
    2: three
    ");
    insta::assert_snapshot!(tried(&queue), @"1 applies, 2 applies: applies");
    assert_eq!(queue.kind.words(), "mbox");
    // behind one that has its separator
    let both = format!("From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n{all}");
    assert_eq!(
        lines(&Queue::of(&Input::read("x", both.as_bytes()).unwrap(), &Pick::default()).unwrap()),
        lines(&queue)
    );
}

#[test]
fn commits_are_read_from_a_repository() {
    if !is_there("git") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let git = |arguments: &[&str]| {
        let identity =
            ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "core.hooksPath=/dev/null"];
        let done =
            Command::new("git").args(identity).args(arguments).current_dir(folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    let mut text = "1\n2\n3\n4\n5\n6\n7\n8\n9\n".to_owned();
    for (at, change) in
        [None, Some(("2", "two")), Some(("5", "five")), Some(("8", "eight"))].iter().enumerate()
    {
        if let Some((from, to)) = change {
            text = text.replace(from, to);
        }
        std::fs::write(folder.path().join("f"), &text).unwrap();
        git(&["add", "f"]);
        git(&["commit", "-q", "-m", &format!("commit {at}")]);
    }
    let name = format!("{}@HEAD~2..HEAD", folder.path().display());
    let queue = Queue::open(&name, &Pick::default()).unwrap();
    insta::assert_snapshot!(lines(&queue), @r"
    1: commit 2
    2: commit 3
    ");
    assert!(queue.patches.iter().all(|one| one.patch.commit.is_some()));
    let name = format!("{}@nothing..HEAD", folder.path().display());
    let why = Queue::open(&name, &Pick::default()).unwrap_err().to_string();
    assert!(why.ends_with(
        "git gives no patch for `nothing..HEAD`; expected a commit that is no merge, or a range A..B"
    ));
}

proptest! {
    #[test]
    fn no_thread_makes_the_reader_panic(text in "(From mboxrd@z Thu Jan  1 00:00:00 1970\n(Subject: (Re: |\\[PATCH v[12](\\.1)? [1-3]/[23]\\] |\\[net,v2\\] |\\[SRU\\]\\[J\\] )?x\n)?(From: a@b.c\n)?\n(Fixes: 0123456789ab \\(\"a\n|This reverts commit 0123456789ab\\n|Cc: stable@vger.kernel.org # [a-z0-9. <>+-]{0,9}\n|> |  1 file changed\n|---\n|\n|(> )?--- a/f\n(> )?\\+\\+\\+ b/f\n(> )?@@ -2 \\+2 @@\n(> )?-2\n(> )?\\+3\n){0,8}){1,6}", pick in "(v[1-3]:)?[1-4](\\.\\.[3-6])?") {
        let source = Folder::new("/nowhere");
        for pick in [Pick::default(), pick.parse().unwrap_or_default()] {
            if let Ok(queue) = Input::read("t", text.as_bytes()).map_err(|_| ()).and_then(|input| Queue::of(&input, &pick).map_err(|_| ())) {
                prop_assert!(!queue.patches.is_empty());
                queue::apply(&queue.patches, &source, Options { repair: true, fuzz: 1 });
                queue::queue(&queue);
            }
        }
    }
}
