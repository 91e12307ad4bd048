//! Applying against two oracles: the text that a diff was made to, and the programs `patch` and `git apply`.

use std::collections::BTreeMap;
use std::process::Command;

use mail_patch::{Application, Folder, Input, Options, Outcome, PLAIN, PatchMail, Source, apply, unified};
use proptest::prelude::*;
use similar::TextDiff;

/// A source of one file.
struct One(String);

impl Source for One {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        (path == "f.c").then(|| self.0.clone().into_bytes())
    }
    fn mode(&self, _: &str) -> &'static str {
        PLAIN
    }

    fn named(&self, _: &str) -> Vec<String> {
        Vec::new()
    }
    fn touched(&self, _: &str, _: usize, _: usize) -> Vec<String> {
        Vec::new()
    }
}

fn text() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        Just(""),
        Just("\t}"),
        Just("-- "),
        Just("++x;"),
        Just("--y;"),
        Just("\tfoo();"),
        Just(" b"),
        Just("@@"),
        Just("é")
    ];
    (proptest::collection::vec(line, 0..40), any::<bool>()).prop_map(|(lines, newline)| {
        let end = if newline && !lines.is_empty() { "\n" } else { "" };
        lines.join("\n") + end
    })
}

fn diff(a: &str, b: &str) -> String {
    TextDiff::from_lines(a, b).unified_diff().context_radius(3).header("a/f.c", "b/f.c").to_string()
}

/// Whether the headers announce what follows; `similar` miscounts where it moves a change along equal lines.
fn counts_right(diff: &str) -> bool {
    let numbers = |span: &str| span.split_once(',').map_or(1, |(_, length)| length.parse::<usize>().unwrap());
    let mut left = (0, 0);
    for line in diff.lines().skip(2) {
        match line.as_bytes()[0] {
            b'@' if left != (0, 0) => return false,
            b'@' => {
                let spans: Vec<&str> = line.split(' ').collect();
                left = (numbers(spans[1]), numbers(spans[2]));
            }
            mark => {
                let (old, new) = (usize::from(mark != b'+'), usize::from(mark != b'-'));
                if mark != b'\\' {
                    if left.0 < old || left.1 < new {
                        return false;
                    }
                    left = (left.0 - old, left.1 - new);
                }
            }
        }
    }
    left == (0, 0)
}

fn applied(
    source: &dyn Source,
    diff: &str,
    options: Options,
) -> (Outcome, BTreeMap<String, Option<Vec<u8>>>) {
    let patches = PatchMail::all(&Input::read("p", diff.as_bytes()).unwrap());
    let result = apply(&patches.iter().collect::<Vec<_>>(), source, options);
    (result.outcome, result.contents)
}

proptest! {
    #[test]
    fn a_diff_gives_what_it_was_made_to(a in text(), b in text()) {
        prop_assume!(a != b && !a.is_empty() && !b.is_empty() && counts_right(&diff(&a, &b)));
        let (outcome, contents) = applied(&One(a.clone()), &diff(&a, &b), Options::default());
        prop_assert_eq!(outcome, Outcome::Clean, "{}", diff(&a, &b));
        prop_assert_eq!(contents["f.c"].as_deref(), Some(b.as_bytes()));
    }

    #[test]
    fn the_own_diff_fits_to_the_letter(a in text(), b in text()) {
        let source = One(a.clone());
        let application = Application {
            outcome: Outcome::Clean,
            files: Vec::new(),
            conflicts: Vec::new(),
            doubts: Vec::new(),
            contents: BTreeMap::from([("f.c".to_owned(), Some(b.clone().into_bytes()))]),
            modes: BTreeMap::new(),
        };
        let diff = String::from_utf8(unified(&source, &application)).unwrap();
        if a == b {
            prop_assert_eq!(diff, "");
        } else {
            let hunks = diff.split_once("--- a/f.c").map(|(_, hunks)| format!("--- a/f.c{hunks}")).unwrap();
            prop_assert!(counts_right(&hunks), "{}", diff);
            let (outcome, contents) = applied(&source, &diff, Options::default());
            prop_assert_eq!(outcome, Outcome::Clean, "{}", diff);
            prop_assert_eq!(contents["f.c"].as_deref(), Some(b.as_bytes()));
        }
    }

    #[test]
    fn no_input_makes_it_panic(text in "(diff --git a/f.c b/f.c\n|--- a/f.c\n\\+\\+\\+ b/f.c\n|@@ -[0-9]{1,3},[0-9] \\+[0-9]{1,3},[0-9] @@ f\n|[ +-]\tx\n|\n|y =20\n|&lt;\n|-- \n){0,30}") {
        if let Ok(input) = Input::read("p", text.as_bytes()) {
            for patch in PatchMail::all(&input) {
                for repair in [false, true] {
                    apply(&[&patch], &One("\tx\n\n\tx\ny\n".into()), Options { repair, fuzz: 2 });
                }
            }
        }
    }
}

pub fn is_there(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        loud_skip::skip(format_args!("there is no {program} on this host"));
    }
    there
}

/// A file whose lines are all different, and one with some of them changed; both move when `above` lines are added.
fn numbered(above: usize, changed: &[usize]) -> (String, String, String) {
    let line = |n: usize| format!("\tline({n});\n");
    let a: String = (0..60).map(line).collect();
    let b: String =
        (0..60).map(|n| if changed.contains(&n) { format!("\tother({n});\n") } else { line(n) }).collect();
    let moved: String = (0..above).map(|n| format!("\tabove({n});\n")).collect::<String>() + &a;
    (a, b, moved)
}

#[test]
fn other_programs_agree() {
    for above in [0, 1, 7] {
        for changed in [&[0][..], &[3, 40], &[10, 12, 30, 59]] {
            let (a, b, moved) = numbered(above, changed);
            let diff = diff(&a, &b);
            let (outcome, contents) = applied(&One(moved.clone()), &diff, Options::default());
            for (program, arguments) in [("patch", &["-p1", "-s", "-i", "p"][..]), ("git", &["apply", "p"])] {
                if !is_there(program) {
                    continue;
                }
                let folder = tempfile::tempdir().unwrap();
                std::fs::write(folder.path().join("f.c"), &moved).unwrap();
                std::fs::write(folder.path().join("p"), &diff).unwrap();
                let output = Command::new(program)
                    .args(arguments)
                    .current_dir(folder.path())
                    .env("GIT_CEILING_DIRECTORIES", folder.path().parent().unwrap())
                    .output()
                    .unwrap();
                if output.status.success() && outcome.applies() {
                    let theirs = std::fs::read(folder.path().join("f.c")).unwrap();
                    let ours = contents["f.c"].clone().unwrap();
                    assert!(theirs == ours, "{program}, {above} lines above, {changed:?}");
                } else if output.status.success() != outcome.applies() {
                    // a hunk of line 1 stays there for git, and so here
                    let of_line_1 = program == "patch" && changed[0] <= 3 && above > 0;
                    assert!(of_line_1, "{program}, {above} lines above, {changed:?}: {outcome:?}");
                }
            }
        }
    }
}

#[test]
fn the_source_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (a, b, _) = numbered(0, &[5]);
    std::fs::write(folder.path().join("f.c"), &a).unwrap();
    let (outcome, _) = applied(&Folder::new(folder.path()), &diff(&a, &b), Options::default());
    assert_eq!(outcome, Outcome::Clean);
    assert_eq!(std::fs::read_to_string(folder.path().join("f.c")).unwrap(), a);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}
