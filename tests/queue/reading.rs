//! What the command says of a queue before anything is built. Starts no compiler and no virtual machine.

use super::place::Place;

#[test]
fn every_patch_is_shown_with_what_it_says_and_whether_it_applies() {
    let place = Place::with_topic();
    place.write("queue.mbox", &place.mails().concat());
    insta::assert_snapshot!(place.dry("queue.mbox", &[]), @r"
    queue.mbox: mbox, 4 patches
    onto linux@v6.12.9 (6.12.9)

        patch                         upstream      fixes         stable  files in its place
      1 net: pump: forget the buffer  9b25f381de6b  0123456789ab  5.15+       1 applies
      2 net: pump: count one more                                             1 applies
      3 net: pump: pump faster                                                1 applies
      4 docs: pump: name the hose                                             1 applies
      2: cannot be without patch 1
      4: cannot be the culprit of anything: only documentation

    4 of 4 patches are tested
    pump::use-after-free: must be fixed (commit 0123456789ab, patch 1)
    pump::near: runs early (it touches drivers/net)
    1 other test
    exit code 0
    ");
}

#[test]
fn what_does_not_apply_is_set_aside_and_the_rest_goes_on() {
    let place = Place::with_topic();
    let mut mails = place.mails();
    // the first one finds another line, and the second one stands on it
    mails[1] = mails[1].replace("-\tint a = 1;", "-\tint b = 1;");
    place.write("queue.mbox", &mails.concat());
    insta::assert_snapshot!(place.dry("queue.mbox", &[]), @r"
    queue.mbox: mbox, 4 patches
    onto linux@v6.12.9 (6.12.9)

        patch                      files in its place
      3 net: pump: pump faster         1 applies
      4 docs: pump: name the hose      1 applies
      4: cannot be the culprit of anything: only documentation

    not tested:
      1: net: pump: forget the buffer: does not apply: drivers/net/pump.c, hunk of line 35: context differs; the closest lines of the source start at line 8
      2: net: pump: count one more: does not apply: drivers/net/pump.c, hunk of line 58: context differs; the closest lines of the source start at line 8; patch 1, which touches the same file, is not there either

    2 of 4 patches are tested
    pump::use-after-free: runs early (it touches drivers/net/pump.c, patch 3)
    pump::near: runs early (it touches drivers/net)
    1 other test
    exit code 0
    ");
}

#[test]
fn what_is_there_already_or_twice_is_said() {
    let place = Place::with_topic();
    place.git(&["checkout", "-q", "-b", "stable", "v6.12.9"]);
    place.git(&["cherry-pick", "topic~1"]);
    let mails = place.mails();
    for (number, mail) in mails.iter().skip(1).chain(&mails[2..3]).enumerate() {
        place.write(&format!("patches/{:04}-x.patch", number + 1), mail);
    }
    let said = place.said(&["patches", "--onto", "linux@stable", "--dry-run"]);
    insta::assert_snapshot!(said, @r"
    patches: folder of patches, 5 patches
    onto linux@stable (6.12.9)

        patch                         upstream      fixes         stable  files in its place
      1 net: pump: forget the buffer  9b25f381de6b  0123456789ab  5.15+       1 applies
      2 net: pump: count one more                                             1 applies
      4 docs: pump: name the hose                                             1 applies
      2: cannot be without patch 1
      4: cannot be the culprit of anything: only documentation

    not tested:
      3: net: pump: pump faster: there already: the tree has all that it changes
      5: net: pump: count one more: twice: the same change as patch 2

    3 of 5 patches are tested
    pump::use-after-free: must be fixed (commit 0123456789ab, patch 1)
    pump::near: runs early (it touches drivers/net)
    1 other test
    exit code 0
    ");
    // and all of them
    let said = place.said(&["linux@v6.12.9..topic", "--onto", "linux@topic", "--dry-run"]);
    insta::assert_snapshot!(said, @r"
    linux@v6.12.9..topic: commits, 4 patches
    onto linux@topic (6.12.9)

    not tested:
      1: net: pump: forget the buffer: there already: the tree has it as 82d39499a45c
      2: net: pump: count one more: there already: the tree has all that it changes
      3: net: pump: pump faster: there already: the tree has all that it changes
      4: docs: pump: name the hose: there already: the tree has all that it changes

    0 of 4 patches are tested
    3 tests
    exit code 0
    ");
}

#[test]
fn what_is_no_queue_costs_nothing() {
    let place = Place::with_topic();
    let mails = place.mails();
    place.write("queue.mbox", &mails.concat());
    place.write("empty.mbox", "");
    place.write("letter.txt", "Dear maintainers,\nthis is no patch.\n");
    place.write("hole.mbox", &[&mails[0], &mails[1], &mails[3], &mails[4]].map(String::as_str).concat());
    place.write("empty/series", "# nothing\n");
    place.write("folder/notes", "nothing");
    let mut said = String::new();
    for queue in ["empty.mbox", "letter.txt", "hole.mbox", "empty", "folder", "nowhere", "linux@topic..topic"]
    {
        said += &format!("{queue}\n{}\n", place.dry(queue, &[]));
    }
    said += &place.said(&["queue.mbox", "--dry-run"]);
    said += &place.said(&["queue.mbox", "--onto", "nowhere", "--dry-run"]);
    said += &place.said(&["queue.mbox", "--onto", "linux@nothing", "--dry-run"]);
    insta::assert_snapshot!(said, @r"
    empty.mbox
    error: empty.mbox: empty; expected a patch, a mail or a thread with a patch in it
    exit code 96

    letter.txt
    error: letter.txt: no patch: no line starts with `diff --git`, or with `--- ` and `+++ ` on two lines
    exit code 96

    hole.mbox
    error: hole.mbox: 2 of 4 is missing: a queue with a hole says nothing of the patches behind it; fetch what is missing, or choose with --pick what to test
    exit code 96

    empty
    error: empty/series: it names no patch
    exit code 96

    folder
    error: folder: no queue: neither a file `series` nor one that ends in .patch, .diff, .eml or .mbox
    exit code 96

    nowhere
    error: cannot read nowhere: No such file or directory (os error 2); expected a patch, a mail, an mbox, a folder of patches, `-`, or REPOSITORY@A..B
    exit code 96

    linux@topic..topic
    error: linux: git gives no patch for `topic..topic`; expected a commit that is no merge, or a range A..B
    exit code 96

    error: the following required arguments were not provided:
      --onto <TREE>

    Usage: kregress queue --dry-run --cache <DIR> --suites <DIR> --catalogues <DIR> --onto <TREE> <INPUT>

    For more information, try '--help'.
    exit code 2
    error: no tree `nowhere`: expected a folder with a source, REPOSITORY@REF, a tarball, linux-source-LINE[@VERSION], a kernel to compile of the catalogues (kernels/*.yaml), or auto
    exit code 96
    error: --onto linux@nothing: the repository linux has no commit `nothing`
    exit code 96
    ");
    assert!(place.dry("hole.mbox", &["--pick", "1"]).ends_with("exit code 0\n"));
}

#[test]
fn a_folder_with_a_hole_in_its_numbers_is_refused() {
    let place = Place::with_topic();
    let mails = place.mails();
    let subjects_without_numbers = |mail: &String| {
        (1..=4).fold(mail.clone(), |mail, part| mail.replace(&format!("[PATCH {part}/4]"), "[PATCH]"))
    };
    for part in [1, 2, 4] {
        place.write(&format!("saved/000{part}-x.patch"), &subjects_without_numbers(&mails[part]));
    }
    insta::assert_snapshot!(place.dry("saved", &[]), @r"
    error: saved: 0003-….patch is missing: a queue with a hole says nothing of the patches behind it; fetch what is missing, or choose with --pick what to test
    exit code 96
    ");
    assert!(place.dry("saved", &["--pick", "1,2,4"]).ends_with("exit code 0\n"));
    place.write("saved/0003-x.patch", "Dear maintainers,\n");
    let said = place.dry("saved", &[]);
    assert!(said.contains("0003-x.patch (no patch in it") && said.ends_with("exit code 96\n"), "{said}");
    place.write("saved/0003-x.patch", &subjects_without_numbers(&mails[3]));
    assert!(place.dry("saved", &[]).ends_with("exit code 0\n"));
}

#[test]
fn a_tester_has_a_name_and_an_address() {
    let place = Place::with_topic();
    place.write("queue.mbox", &place.mails().concat());
    let said = place.dry("queue.mbox", &["--tester", "x"]);
    assert!(said.contains("expected a name and an address") && said.ends_with("exit code 2\n"), "{said}");
    assert!(place.dry("queue.mbox", &["--tester", "A <a@example.org>"]).ends_with("exit code 0\n"));
}

#[test]
fn a_series_for_another_base_says_which_it_wants() {
    let place = Place::with_topic();
    // made on a commit that the tree does not contain, and does not fit
    let base = place.git(&["rev-parse", "topic~3"]).trim().to_owned();
    let mails = place.mails();
    let cover = format!("{}base-commit: {base}\n\n", mails[0]);
    place.write(
        "part.mbox",
        &format!("{}{}", mails[2], format_args!("base-commit: {base}\n\n")).replace("2/4", "1/1"),
    );
    let said = place.dry("part.mbox", &[]).replace(&base[..12], "BASE");
    insta::assert_snapshot!(said, @r#"
    error: part.mbox: made for another base: it is made on BASE "net: pump: forget the buffer" (base-commit), which linux@v6.12.9 does not contain; --onto linux@BASE tests it there. It was not tested, as 1 of its 1 patches does not apply to linux@v6.12.9
    exit code 96
    "#);
    // it fits all the same: that is a note
    place.write(
        "whole.mbox",
        &[&cover, &mails[1], &mails[2], &mails[3], &mails[4]].map(String::as_str).concat(),
    );
    let said = place.dry("whole.mbox", &[]);
    assert!(said.contains("note: it is made on") && said.ends_with("exit code 0\n"), "{said}");
    // a commit that nobody has, and patches that are to be there first
    let unknown = "00000000000011111111111122222222333333334";
    let unknown = &unknown[..40];
    let lines = format!("base-commit: {unknown}\nprerequisite-patch-id: {unknown}\n\n");
    place.write("foreign.mbox", &format!("{}{lines}", mails[2].replace("2/4", "1/1")));
    insta::assert_snapshot!(place.dry("foreign.mbox", &[]), @r"
    error: foreign.mbox: made for another base: it is made on 0000000000001111111111112222222233333333 (base-commit), which linux does not have; fetch it, and name it: --onto linux@000000000000; it needs one patch first (prerequisite-patch-id), of which one is not among the last 500 commits of linux@v6.12.9: 0000000000001111111111112222222233333333; put them in front of the queue. It was not tested, as 1 of its 1 patches does not apply to linux@v6.12.9
    exit code 96
    ");
    // one that is there
    let first = place.git(&["show", "topic~3"]);
    let id = patch_id(&first);
    let lines = format!("prerequisite-patch-id: {id}\n\n");
    place.write("there.mbox", &format!("{}{lines}", mails[2].replace("2/4", "1/1")));
    let said = place.said(&["there.mbox", "--onto", "linux@topic~3", "--dry-run"]);
    assert!(!said.contains("needs") && said.ends_with("exit code 0\n"), "{said}");
}

fn patch_id(text: &str) -> String {
    use std::io::Write;
    use std::process::{Command, Stdio};
    let mut git = Command::new("git")
        .args(["patch-id", "--stable"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("git starts");
    git.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = String::from_utf8(git.wait_with_output().unwrap().stdout).unwrap();
    said.split(' ').next().unwrap().to_owned()
}

#[test]
fn a_subject_for_another_line_is_named_where_it_does_not_fit() {
    let place = Place::with_topic();
    let mail = place.mails()[2].replace("[PATCH 2/4]", "[PATCH 6.6]");
    place.write("one.mbox", &mail);
    insta::assert_snapshot!(place.dry("one.mbox", &[]), @r"
    one.mbox: mbox, 1 patch
    onto linux@v6.12.9 (6.12.9)

    not tested:
      1: net: pump: count one more: does not apply: drivers/net/pump.c, hunk of line 14: context differs; the closest lines of the source start at line 8 (its subject is for 6.6, and the tree is of 6.12)

    0 of 1 patch is tested
    3 tests
    exit code 0
    ");
}

#[test]
fn what_upstream_has_besides_is_named() {
    let place = Place::new();
    let driver = "drivers/net/pump.c";
    place.git(&["checkout", "-q", "-b", "mainline"]);
    let head = || place.git(&["rev-parse", "HEAD"]).trim().to_owned();
    place.commit(driver, "int a = 1;", "int a = 10;", "net: pump: ten");
    let needed = head();
    place.commit(driver, "int a = 10;", "int a = 11;", "net: pump: eleven");
    let eleven = head();
    place.commit(driver, "int a = 8;", "int a = 88;", "net: pump: eighty-eight");
    let queued = head();
    let fixes = format!("net: pump: one more\n\nFixes: {} (\"net: pump: eighty-eight\")", &queued[..12]);
    place.commit(driver, "int a = 88;", "int a = 89;", &fixes);
    let revert = format!("Revert \"net: pump: eighty-eight\"\n\nThis reverts commit {queued}.");
    place.commit(driver, "int a = 89;", "int a = 8;", &revert);
    let fixed_too = format!("net: pump: queued as well\n\nFixes: {queued}");
    place.commit(driver, "int a = 3;", "int a = 33;", &fixed_too);
    for (number, commit) in [(1, &eleven), (2, &queued), (3, &head())] {
        let mail = place.git(&["format-patch", "--stdout", "--no-signature", "-1", commit]);
        place.write(&format!("patches/{number:04}-x.patch"), &mail);
    }
    let said = place.dry("patches", &["--upstream", "linux@mainline"]);
    let missing: Vec<&str> = said.lines().skip_while(|line| !line.starts_with("upstream")).take(4).collect();
    let missing = missing.join("\n").replace(&needed[..12], "NEEDED");
    let ids = regex::Regex::new(r"\b[0-9a-f]{12}\b").expect("a pattern");
    insta::assert_snapshot!(ids.replace_all(&missing, "COMMIT"), @r#"
    upstream has, and neither the tree nor the queue:
      patch 1 may need NEEDED ("net: pump: ten") first
      COMMIT ("Revert "net: pump: eighty-eight"") takes patch 2 back
      COMMIT ("net: pump: one more") repairs patch 2
    "#);
    let said = place.dry("patches", &["--upstream", "nowhere"]);
    insta::assert_snapshot!(said, @r"
    error: --upstream nowhere: no git repository with a commit `HEAD`; expected REPOSITORY or REPOSITORY@BRANCH
    exit code 96
    ");
}

#[test]
fn programs_get_what_was_read_in_their_forms() {
    let place = Place::with_topic();
    let mut mails = place.mails();
    mails[1] = mails[1].replace("-\tint a = 1;", "-\tint b = 1;");
    place.write("queue.mbox", &mails.concat());
    let json = |queue: &str, format: &str| -> serde_json::Value {
        let said = place.dry(queue, &["--format", format]);
        let end = said.rfind(['}', ']']).expect("JSON") + 1;
        serde_json::from_str(&said[..end]).unwrap_or_else(|error| panic!("{error}: {said}"))
    };
    let read = json("queue.mbox", "json");
    assert_eq!(read["patches"].as_array().unwrap().len(), 2);
    assert_eq!(read["set_aside"][0]["kind"], "does-not-apply");
    let checks = json("queue.mbox", "b4");
    let status: Vec<&str> =
        checks.as_array().unwrap().iter().map(|check| check["status"].as_str().unwrap()).collect();
    assert_eq!(status, ["fail", "fail", "pass", "pass"]);
    place.write("letter.txt", "no patch");
    assert_eq!(json("letter.txt", "b4")[0]["status"], "fail");
    // what a robot is asked
    let asked = mails[3].replace("[PATCH 3/4]", "[PATCH]").replacen(
        "\n---\n",
        "\n#syz test git://example.org/linux.git master\n---\n",
        1,
    );
    place.write("asked.mbox", &asked);
    let said = place.dry("asked.mbox", &[]);
    assert!(said.contains("asks for a test on git://example.org/linux.git master"), "{said}");
}
