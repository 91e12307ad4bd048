//! Patches: what is read from them, what damage is found, and their results on a source.

#[path = "patch/forms.rs"]
mod forms;
#[path = "patch/links.rs"]
mod links;
#[path = "patch/mailinfo.rs"]
mod mailinfo;
#[path = "patch/oracle.rs"]
mod oracle;
#[path = "patch/queue.rs"]
mod queues;
#[path = "patch/seeds.rs"]
mod seeds;

use std::path::{Path, PathBuf};

use mail_patch::{Application, Folder, Input, Options, Outcome, PatchMail, Pick, Queue, queue, show};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/patches")
}

fn read(name: &str) -> (Input, Vec<PatchMail>) {
    let input = Input::read(name, &std::fs::read(fixtures().join(name)).unwrap()).unwrap();
    let patches = PatchMail::all(&input);
    (input, patches)
}

fn tried(name: &str, options: Options) -> Application {
    let queue = Queue::open(&fixtures().join(name).display().to_string(), &Pick::default()).unwrap();
    queue::apply(&queue.patches, &Folder::new(fixtures().join("tree")), options).whole
}

const PLAIN: Options = Options { repair: false, fuzz: 0 };
const REPAIR: Options = Options { repair: true, fuzz: 0 };
const FUZZ: Options = Options { repair: false, fuzz: 2 };

#[test]
fn every_fixture_comes_to_what_it_should() {
    use Outcome::*;
    let table = [
        ("clean.patch", Clean, Clean),
        ("autosel.eml", Clean, Clean),
        ("series.mbox", Clean, Clean),
        ("new-file.patch", Clean, Clean),
        ("offset.patch", WithOffset, WithOffset),
        ("fuzz.patch", DoesNotApply, DoesNotApply),
        ("context.patch", DoesNotApply, DoesNotApply),
        ("already.patch", AlreadyApplied, AlreadyApplied),
        ("moved.patch", DoesNotApply, DoesNotApply),
        ("ambiguous.patch", DoesNotApply, DoesNotApply),
        ("outside.patch", DoesNotApply, DoesNotApply),
        ("wrapped-header.eml", Damaged, Repaired),
        ("wrapped-line.patch", DoesNotApply, Repaired),
        ("stripped-marks.patch", Damaged, Repaired),
        ("stripped-indentation.patch", Damaged, Repaired),
        ("tabs-to-blanks.patch", DoesNotApply, Repaired),
        ("quoted-printable.patch", Damaged, Repaired),
        ("entities.patch", DoesNotApply, Repaired),
        ("returns.patch", DoesNotApply, Repaired),
        ("flowed.eml", Clean, Clean),
        ("flowed-undeclared.eml", DoesNotApply, Repaired),
        ("quoted.eml", Damaged, Repaired),
        ("double-spaced.eml", Damaged, Repaired),
        ("truncated.patch", Damaged, Damaged),
        ("miscounted.patch", Damaged, Damaged),
        ("one-line.txt", Damaged, Damaged),
    ];
    let wrong: Vec<String> = table
        .iter()
        .map(|(name, plain, repaired)| {
            (name, plain, tried(name, PLAIN).outcome, repaired, tried(name, REPAIR).outcome)
        })
        .filter(|(_, plain, found, repaired, found_repaired)| *plain != found || *repaired != found_repaired)
        .map(|row| format!("{row:?}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tried("fuzz.patch", FUZZ).outcome, WithFuzz);
}

#[test]
fn what_is_repaired_is_what_was_sent() {
    let clean = tried("clean.patch", PLAIN).contents;
    for name in [
        "wrapped-header.eml",
        "wrapped-line.patch",
        "stripped-marks.patch",
        "stripped-indentation.patch",
        "tabs-to-blanks.patch",
        "quoted-printable.patch",
        "entities.patch",
        "returns.patch",
        "flowed.eml",
        "flowed-undeclared.eml",
        "quoted.eml",
        "double-spaced.eml",
    ] {
        assert_eq!(tried(name, REPAIR).contents, clean, "{name}");
    }
}

#[test]
fn a_patch_is_shown_with_what_its_mail_says() {
    let (input, patches) = read("autosel.eml");
    insta::assert_snapshot!(show::patches(&input, &patches));
    let (input, patches) = read("wrapped-header.eml");
    insta::assert_snapshot!(show::patches(&input, &patches));
}

#[test]
fn what_does_not_apply_says_why() {
    let names = [
        "context.patch",
        "already.patch",
        "moved.patch",
        "ambiguous.patch",
        "outside.patch",
        "truncated.patch",
        "miscounted.patch",
        "one-line.txt",
    ];
    let all: String = names.iter().map(|name| show::application(name, &tried(name, REPAIR))).collect();
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_repaired_says_how() {
    let names = [
        "wrapped-header.eml",
        "wrapped-line.patch",
        "stripped-marks.patch",
        "stripped-indentation.patch",
        "tabs-to-blanks.patch",
    ];
    let all: String = names.iter().map(|name| show::application(name, &tried(name, REPAIR))).collect();
    insta::assert_snapshot!(all);
}
