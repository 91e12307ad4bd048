//! The damage table: random edits of random files, sent as mails that are damaged in every way that is known, and applied
//! with `--repair`. What comes out is the original, differs and says that something is not known, or is refused. None
//! differs silently.
//!
//! `cargo test -p mail-patch --test damage -- --nocapture` prints the table.

use std::collections::BTreeMap;

use mail_patch::damage::{Damage, Fix};
use mail_patch::{
    Application, HunkResult, Input, Options, Outcome, PLAIN, PatchMail, Source, apply, unified,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sha1::{Digest, Sha1};

const PATH: &str = "hw/pump.c";

struct One(String);

impl Source for One {
    fn read(&self, path: &str) -> Option<Vec<u8>> {
        (path == PATH).then(|| self.0.clone().into_bytes())
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

/// A line of C as it is found in kernels: tabs inside, strings, long ones, characters that encodings escape.
fn line() -> impl Strategy<Value = String> {
    let number = 0..40_u32;
    prop_oneof![
        3 => Just(String::new()),
        2 => Just("\treturn 0;".to_owned()),
        2 => Just("}".to_owned()),
        4 => number.clone().prop_map(|n| format!("\tstate->value_{n} = read_register(pump, {n});")),
        2 => number.clone().prop_map(|n| format!("\tif (pump->flow < {n} && pump->level > {n})")),
        2 => number.clone().prop_map(|n| format!("\t\tpr_warn(\"the pump stands still: %d of {n}\\n\", pump->level);")),
        1 => number.clone().prop_map(|n| format!("#define PUMP_REGISTER_{n}\t\t0x{n:04x}")),
        1 => number.clone().prop_map(|n| format!("\tunsigned int\tfield_{n};\t/* the field number {n} */")),
        1 => number.clone().prop_map(|n| format!("\t\terror = wait_for_the_valve_to_close_with_timeout(pump->valve[{n}], msecs_to_jiffies({n}), true);")),
        1 => number.clone().prop_map(|n| format!("static int pump_step_{n}(struct pump *pump, const char *text)")),
        1 => number.prop_map(|n| format!("\t * `a = b` &lt; {n} is text,  with two blanks")),
    ]
}

/// A file and what an edit made of it.
fn edited() -> impl Strategy<Value = (String, String)> {
    let lines = || proptest::collection::vec(line(), 1..4);
    let edits =
        proptest::collection::vec((any::<prop::sample::Index>(), 0..3_usize, lines(), any::<bool>()), 1..4);
    (proptest::collection::vec(line(), 12..60), edits).prop_map(|(old, edits)| {
        let mut new = old.clone();
        for (place, gone, lines, adds) in edits {
            let at = place.index(new.len());
            let end = (at + gone).min(new.len());
            new.splice(at..end, if adds { lines } else { Vec::new() }).for_each(drop);
        }
        (old.join("\n") + "\n", new.join("\n") + "\n")
    })
}

/// What the old lines of a diff show of what becomes of its white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evidence {
    /// Every hunk has a tab among them.
    Tabs,
    /// A hunk has none, and the tabs that it adds are those that indent: blanks in their place are seen beside the file.
    Indentation,
    /// A hunk has none and adds tabs inside its lines, which nothing shows once they are blanks.
    Nothing,
}

fn evidence(old: &str, diff: &str) -> Evidence {
    let hunks: Vec<&str> = diff.split("\n@@ ").skip(1).collect();
    let shows =
        |hunk: &&str| hunk.lines().skip(1).any(|line| line.starts_with([' ', '-']) && line.contains('\t'));
    let inside = |line: &str| line.starts_with('+') && line[1..].trim_start_matches('\t').contains('\t');
    if hunks.iter().all(shows) {
        Evidence::Tabs
    } else if old.contains("\n\t") && !diff.lines().any(inside) {
        Evidence::Indentation
    } else {
        Evidence::Nothing
    }
}

/// The kinds that leave blanks in place of the tabs that indent.
const LEAVES_BLANKS: [&str; 7] = [
    "tabs to 8 blanks",
    "tabs to 4 blanks",
    "tabs expanded",
    "tabs to 1 blank",
    "no-break spaces",
    "added tabs to 8 blanks",
    "added tabs to 4 blanks",
];

/// Whether the diff shows enough for this kind of damage to be noticed.
fn can_be_noticed(evidence: Evidence, kind: &str) -> bool {
    match evidence {
        Evidence::Tabs => true,
        Evidence::Indentation => kind == "none" || LEAVES_BLANKS.contains(&kind),
        Evidence::Nothing => kind == "none",
    }
}

fn id(text: &str) -> String {
    let digest = Sha1::digest(format!("blob {}\0{text}", text.len()));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The diff as git shows it, with or without the line of ids.
fn diff(old: &str, new: &str, ids: bool) -> String {
    let application = Application {
        outcome: Outcome::Clean,
        files: Vec::new(),
        conflicts: Vec::new(),
        doubts: Vec::new(),
        contents: BTreeMap::from([(PATH.to_owned(), Some(new.as_bytes().to_vec()))]),
        modes: BTreeMap::new(),
    };
    let diff = String::from_utf8(unified(&One(old.to_owned()), &application)).unwrap();
    let index = format!("index {}..{} 100644\n--- a/", &id(old)[..12], &id(new)[..12]);
    if ids { diff.replacen("--- a/", &index, 1) } else { diff }
}

/// Top and diff of a mail.
fn mail(old: &str, new: &str, ids: bool) -> (String, String) {
    let diff = diff(old, new, ids);
    let marks = |mark| {
        diff.lines()
            .filter(|line| line.starts_with(mark) && !line.starts_with("+++ ") && !line.starts_with("--- "))
            .count()
    };
    let (added, removed) = (marks('+'), marks('-'));
    let part = |count: usize, word: &str, sign: &str| match count {
        0 => String::new(),
        1 => format!(", 1 {word}({sign})"),
        _ => format!(", {count} {word}s({sign})"),
    };
    let stat = format!(
        " {PATH} | {} +-\n 1 file changed{}{}\n",
        added + removed,
        part(added, "insertion", "+"),
        part(removed, "deletion", "-")
    );
    let top = "From: A Maker <maker@example.org>\nDate: Mon, 20 Apr 2026 09:22:00 -0400\nSubject: [PATCH] pump: step\n";
    (
        top.to_owned(),
        format!(
            "\nWhy it is done.\n\nSigned-off-by: A Maker <maker@example.org>\n---\n{stat}\n{diff}-- \n2.47.0\n"
        ),
    )
}

fn mapped(body: &str, change: impl Fn(&str) -> String) -> String {
    let Some(start) = body.find("diff --git") else { return body.to_owned() };
    let lines: Vec<String> = body[start..].lines().map(change).collect();
    format!("{}{}\n", &body[..start], lines.join("\n"))
}

/// Breaks a line at the last blank before a column, as mail clients do.
fn wrapped(line: &str, width: usize, keep: bool) -> String {
    if line.len() <= width || line.starts_with("diff ") || line.starts_with("index ") {
        return line.to_owned();
    }
    match line.char_indices().rfind(|(at, c)| *c == ' ' && *at > 1 && *at <= width) {
        Some((at, _)) => format!("{}\n{}", &line[..at + usize::from(keep)], &line[at + 1..]),
        None => line.to_owned(),
    }
}

fn expanded(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        match c {
            '\t' => (0..8 - out.chars().count() % 8).for_each(|_| out.push(' ')),
            c => out.push(c),
        }
    }
    out
}

/// The tabs that indent an added line as blanks, as an editor or a copy from a terminal leaves them.
fn only_added(line: &str, blanks: &str) -> String {
    match line.strip_prefix("+\t") {
        Some(rest) => {
            let inside = rest.trim_start_matches('\t');
            format!("+{}{inside}", blanks.repeat(1 + rest.len() - inside.len()))
        }
        None => line.to_owned(),
    }
}

fn escaped(body: &str) -> String {
    let encode = |line: &str| {
        let line = line.replace('=', "=3D");
        if line.ends_with(' ') { format!("{}=20", &line[..line.len() - 1]) } else { line }
    };
    mapped(body, encode)
}

/// The last hunk's header, changed; `None` where there is only one hunk.
fn last_header(body: &str, change: impl Fn(&str) -> String) -> Option<String> {
    let at = body.rfind("\n@@ -")? + 1;
    (body.matches("\n@@ -").count() > 1).then_some(())?;
    let end = at + body[at..].find('\n')?;
    Some(format!("{}{}{}", &body[..at], change(&body[at..end]), &body[end..]))
}

/// Damages a mail's body; `None` where the damage has nothing to damage.
type Kind = (&'static str, fn(&str) -> Option<String>);

const KINDS: [Kind; 34] = [
    ("none", |body| Some(body.to_owned())),
    ("wrapped at 72", |body| Some(mapped(body, |line| wrapped(line, 72, false)))),
    ("wrapped at 66", |body| Some(mapped(body, |line| wrapped(line, 66, false)))),
    ("wrapped, blank kept", |body| Some(mapped(body, |line| wrapped(line, 72, true)))),
    ("tabs to 8 blanks", |body| Some(mapped(body, |line| line.replace('\t', "        ")))),
    ("tabs to 4 blanks", |body| Some(mapped(body, |line| line.replace('\t', "    ")))),
    ("tabs expanded", |body| Some(mapped(body, expanded))),
    ("tabs to 1 blank", |body| Some(mapped(body, |line| line.replace('\t', " ")))),
    ("added tabs to 8 blanks", |body| Some(mapped(body, |line| only_added(line, "        ")))),
    ("added tabs to 4 blanks", |body| Some(mapped(body, |line| only_added(line, "    ")))),
    ("marks of context lost", |body| {
        Some(mapped(body, |line| line.strip_prefix(' ').unwrap_or(line).to_owned()))
    }),
    ("indentation lost", |body| Some(mapped(body, |line| line.trim_start().to_owned()))),
    ("blanks squeezed", |body| {
        Some(mapped(body, |line| {
            let start = line.len() - line.trim_start_matches([' ', '+', '-']).len();
            let inside = line[start..].split_whitespace().collect::<Vec<_>>().join(" ");
            format!("{}{inside}", &line[..start])
        }))
    }),
    ("ends stripped", |body| Some(mapped(body, |line| line.trim_end().to_owned()))),
    ("empty lines gone", |body| {
        Some(
            mapped(body, |line| if line.trim().is_empty() { "\u{0}".into() } else { line.into() })
                .replace("\u{0}\n", ""),
        )
    }),
    ("no-break spaces", |body| {
        Some(mapped(body, |line| line.replace('\t', "    ").replace("  ", "\u{a0} ")))
    }),
    ("carriage returns", |body| Some(mapped(body, |line| format!("{line}\r")))),
    ("quoted-printable", |body| Some(escaped(body))),
    ("entities", |body| {
        (!body.contains("&lt;")).then(|| {
            mapped(body, |line| {
                line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
            })
        })
    }),
    ("quoted", |body| Some(body.lines().map(|line| format!("> {line}\n")).collect())),
    ("double spaced", |body| Some(body.lines().map(|line| format!("{line}\n\n")).collect())),
    ("header lost an @", |body| last_header(body, |header| header.replacen("@@", "@", 1))),
    ("header lost a blank", |body| last_header(body, |header| header.replacen("@@ -", "@@-", 1))),
    ("header indented", |body| last_header(body, |header| format!(" {header}"))),
    ("header lost a digit", |body| last_header(body, |header| header.replacen(',', "", 1))),
    ("header gone", |body| last_header(body, |_| "\u{0}".into()).map(|body| body.replace("\u{0}\n", ""))),
    ("header unreadable", |body| last_header(body, |_| "@@ ... @@".into())),
    ("cut inside a hunk", |body| {
        let at = body.rfind("\n@@ -")? + 1;
        let lines: Vec<&str> = body[at..].lines().collect();
        Some(format!("{}{}\n", &body[..at], lines[..lines.len().saturating_sub(4).max(1)].join("\n")))
    }),
    ("cut behind the names", |body| Some(body[..body.find("@@ -")?].to_owned())),
    ("cut between hunks", |body| {
        let at = body.rfind("\n@@ -")? + 1;
        (body.matches("\n@@ -").count() > 1).then(|| body[..at].to_owned())
    }),
    ("first hunk gone", |body| {
        let first = body.find("\n@@ -")? + 1;
        let second = first + body[first..].find("\n@@ -")? + 1;
        Some(format!("{}{}", &body[..first], &body[second..]))
    }),
    ("an added line gone", |body| {
        let at = body.rfind("\n+\t")? + 1;
        let end = at + body[at..].find('\n')? + 1;
        Some(format!("{}{}", &body[..at], &body[end..]))
    }),
    ("list behind", |body| Some(body.replace("-- \n2.47.0\n", " - for 6.1 too\n - thanks\n"))),
    ("typographic quotes", |body| {
        Some(mapped(body, |line| line.replace("\"t", "\u{201c}t").replace("n\"", "n\u{201d}")))
    }),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Exact,
    Says,
    Silent,
    Refused,
}

fn says(application: &Application, patch: &PatchMail) -> bool {
    let in_part = |damage: &Damage| matches!(damage.fix, Fix::InPart(_));
    let hunks = application.files.iter().flat_map(|file| &file.hunks);
    let repaired = hunks.filter_map(|(_, result)| match result {
        HunkResult::Applied(applied) => Some(&applied.repaired),
        HunkResult::Failed(_) => None,
    });
    let none = |damage: &Damage| matches!(damage.fix, Fix::None(_));
    repaired.flatten().any(in_part) || !application.doubts.is_empty() || patch.damages.iter().any(none)
}

fn class(old: &str, new: &str, top: &str, body: &str) -> Class {
    let mail = format!("{top}{body}");
    let input = Input::read("p", mail.as_bytes()).unwrap();
    let patches = PatchMail::all(&input);
    let [patch] = patches.as_slice() else { return Class::Refused };
    let result = apply(&[patch], &One(old.to_owned()), Options { repair: true, fuzz: 0 });
    if !result.outcome.applies() {
        return Class::Refused;
    }
    let got = result.contents.get(PATH).cloned().flatten().unwrap_or_else(|| old.as_bytes().to_vec());
    match got == new.as_bytes() {
        true => Class::Exact,
        false if says(&result, patch) => Class::Says,
        false => Class::Silent,
    }
}

/// How often each kind came out how.
fn table(count: usize, ids: bool) -> BTreeMap<&'static str, [usize; 4]> {
    let mut runner = TestRunner::deterministic();
    let mut table: BTreeMap<&'static str, [usize; 4]> = BTreeMap::new();
    for _ in 0..count {
        let (old, new) = edited().new_tree(&mut runner).unwrap().current();
        if old == new {
            continue;
        }
        let evidence = evidence(&old, &diff(&old, &new, ids));
        let (top, whole) = mail(&old, &new, ids);
        for (name, damage) in KINDS {
            let Some(body) = damage(&whole) else { continue };
            if body == whole && name != "none" || !can_be_noticed(evidence, name) {
                continue;
            }
            let class = class(&old, &new, &top, &body);
            if class == Class::Silent {
                println!("--- silent: {name}\n{body}");
            }
            table.entry(name).or_default()[class as usize] += 1;
        }
    }
    table
}

#[test]
fn nothing_differs_silently() {
    for ids in [false, true] {
        let found = table(120, ids);
        println!(
            "{} index lines\n{:<24} exact  says  silent  refused",
            if ids { "with" } else { "without" },
            "kind"
        );
        for (name, _) in KINDS {
            let [exact, says, silent, refused] = found[name];
            println!("{name:<24} {exact:>5} {says:>5} {silent:>7} {refused:>8}");
        }
        let silent: Vec<_> = found.iter().filter(|(_, counts)| counts[Class::Silent as usize] > 0).collect();
        assert!(silent.is_empty(), "{silent:?}");
        // what has one way back is always undone
        for kind in [
            "none",
            "marks of context lost",
            "ends stripped",
            "carriage returns",
            "quoted-printable",
            "quoted",
        ] {
            let [_, says, silent, refused] = found[kind];
            assert_eq!(says + silent + refused, 0, "{kind}: {:?}", found[kind]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_repaired_is_the_original_or_says_what_is_unknown((old, new) in edited(), ids in any::<bool>()) {
        prop_assume!(old != new);
        let evidence = evidence(&old, &diff(&old, &new, ids));
        let (top, whole) = mail(&old, &new, ids);
        for (name, damage) in KINDS {
            let Some(body) = damage(&whole).filter(|_| can_be_noticed(evidence, name)) else { continue };
            let class = class(&old, &new, &top, &body);
            prop_assert!(class != Class::Silent, "{}:\n{}", name, body);
            prop_assert!(name != "none" || class == Class::Exact, "{}", body);
        }
    }
}

/// The hunk's last line is long and added: its rest stands behind a hunk that counts right without it.
#[test]
fn the_rest_of_a_last_line_is_not_passed_over() {
    let valve = |n: u8| {
        format!(
            "\t\terror = wait_for_the_valve_to_close_with_timeout(pump->valve[{n}], msecs_to_jiffies({n}), true);\n"
        )
    };
    let top = "\n\n\n\n\n\tstate->value_0 = read_register(pump, 0);\n\n\n";
    let rows = [
        // another line of the hunk was broken in two
        (
            Class::Exact,
            format!("{top}{}\n\n\treturn 0;\n", valve(0)),
            format!("{top}{}\n\n\n{}", valve(0), valve(35)),
        ),
        // none was
        (Class::Says, format!("{top}\n\n\treturn 0;\n"), format!("{top}\n\n\n{}", valve(35))),
        // the last line is context, which the source has
        (Class::Exact, format!("{top}\treturn 0;\n{}", valve(0)), format!("{top}\treturn 1;\n{}", valve(0))),
        (
            Class::Exact,
            format!("{top}\treturn 0;\n{}{}", valve(1), valve(2)),
            format!("{top}\treturn 1;\n{}{}", valve(1), valve(2)),
        ),
    ];
    for (wanted, old, new) in rows {
        let (top, whole) = mail(&old, &new, false);
        for (kind, damage) in KINDS.into_iter().filter(|(kind, _)| kind.starts_with("wrapped at")) {
            let body = damage(&whole).expect("there is a long line");
            assert_eq!(class(&old, &new, &top, &body), wanted, "{kind}:\n{body}");
        }
    }
}
