//! The answer to a patch's mail, in plain text.

use super::verdict::{Clean, TreeResult, TreeVerdict};

/// Columns of a line, as mailing lists want it.
const WIDTH: usize = 72;

/// What the answer takes from the mail.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// Who sent the patch.
    pub from: Option<String>,
    /// When, in the mail's words.
    pub date: Option<String>,
    /// The patch's title.
    pub title: String,
    /// Values of the mail's `Reported-by:` tags.
    pub reported_by: Vec<String>,
}

/// The answer: what was tested on what, how often, and what came of it. `tester` is who signs for it, as a tag names
/// people. `Tested-by:` is given only where every tree came out fixed.
pub fn reply(mail: &Mail, trees: &[TreeResult], tester: Option<&str>) -> String {
    let mut out = String::new();
    if let (Some(date), Some(from)) = (&mail.date, &mail.from) {
        out.push_str(&wrapped(&format!("On {date}, {from} wrote:"), ""));
    }
    out.push_str(&format!("> {}\n\n", mail.title));
    let width = trees.iter().map(|tree| tree.tree.chars().count()).max().unwrap_or(0);
    for tree in trees {
        out.push_str(&format!("  {:<width$}  {}\n", tree.tree, tree.verdict.words()));
    }
    for tree in trees {
        out.push('\n');
        out.push_str(&wrapped(&sentences(tree), ""));
    }
    let fixed = |tree: &TreeResult| matches!(tree.verdict, TreeVerdict::Fixed { .. });
    if !trees.is_empty() && trees.iter().all(fixed) {
        out.push('\n');
        // the bug of the report was seen here, and is gone
        mail.reported_by.iter().for_each(|person| out.push_str(&format!("Reported-by: {person}\n")));
        if let Some(tester) = tester {
            out.push_str(&format!("Tested-by: {tester}\n"));
        }
    }
    out
}

fn sentences(tree: &TreeResult) -> String {
    let applied =
        if tree.applied.is_empty() { String::new() } else { format!(" The patch {} there.", tree.applied) };
    let mut rest = match tree.unchanged {
        0 => String::new(),
        1 => " One other test was good before and is good after.".into(),
        several => format!(" {several} other tests were good before and are good after."),
    };
    rest += &match tree.failing {
        0 => String::new(),
        1 => " One other failed before and fails after.".into(),
        several => format!(" {several} others failed before and fail after."),
    };
    rest += &match tree.unjudged.len() {
        0 => String::new(),
        1 => " One more could not be judged here.".into(),
        several => format!(" {several} more could not be judged here."),
    };
    let head = format!("{} ({}):{applied}", tree.tree, tree.version);
    let text = match &tree.verdict {
        TreeVerdict::Fixed { tests } => {
            let tests: Vec<String> = tests.iter().map(gone).collect();
            format!("{}{rest}", tests.join(" "))
        }
        TreeVerdict::NotFixed { tests } => {
            format!("The bug still shows with the patch: {}.", tests.join(", "))
        }
        TreeVerdict::NotReproducible { tests } => {
            let tests = tests.join(", ");
            format!(
                "The bug does not show here without the patch either ({tests}), so this says nothing about the patch.{rest}"
            )
        }
        TreeVerdict::Breaks { tests } => {
            format!("With the patch, what was good before is not any more: {}.", tests.join("; "))
        }
        TreeVerdict::DoesNotApply { why } => format!("The patch does not apply: {why}."),
        TreeVerdict::DoesNotBuild { error } => {
            format!("The patched tree does not build: {}", without_log(error))
        }
        TreeVerdict::Inconclusive { why } => format!("No conclusion: {}.", without_log(why)),
    };
    format!("{head} {text}")
}

/// A text without the line that says where the log lies: a place of this host is of no use to the list.
fn without_log(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("the whole log is ")).collect::<Vec<_>>().join("\n")
}

fn gone(test: &Clean) -> String {
    let attempts =
        |count: u64| if count == 1 { "one attempt".to_owned() } else { format!("{count} attempts") };
    let times = |count: u64| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    format!(
        "{} showed the bug {} in {} without the patch, and not in {} with it (by luck: {}).",
        test.test,
        times(test.bad),
        attempts(test.of),
        test.clean,
        if test.luck < 0.001 { "less than 0.1%".to_owned() } else { format!("{:.1}%", test.luck * 100.0) }
    )
}

/// Sentences in lines of 72 columns, each behind `indent`.
pub fn wrapped(text: &str, indent: &str) -> String {
    let mut out = String::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let length = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && indent.len() + length > WIDTH {
            out.push_str(&format!("{indent}{line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    out + &format!("{indent}{line}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(tree: &str, verdict: TreeVerdict) -> TreeResult {
        TreeResult {
            tree: tree.into(),
            version: "6.12.100".into(),
            applied: "applies with offset".into(),
            verdict,
            unchanged: 7,
            failing: 2,
            unjudged: vec!["pci::sriov".into()],
        }
    }

    fn fixed() -> TreeVerdict {
        let test = "ext4::mmap-writeback-failure".to_owned();
        TreeVerdict::Fixed { tests: vec![Clean { test, bad: 3, of: 3, clean: 6, luck: 0.0119 }] }
    }

    fn mail() -> Mail {
        Mail {
            from: Some("Sasha Levin <sashal@kernel.org>".into()),
            date: Some("Mon, 20 Apr 2026 09:22:00 -0400".into()),
            title: "[PATCH AUTOSEL 7.0-6.1] ext4: unmap invalidated folios from page tables".into(),
            reported_by: vec!["syzbot+00112233445566778899@example.org".into()],
        }
    }

    #[test]
    fn a_fix_is_answered_with_tags() {
        let tester = "A Tester <tester@example.org>";
        insta::assert_snapshot!(reply(&mail(), &[tree("linux-6.12.y", fixed())], Some(tester)));
    }

    #[test]
    fn anything_else_is_answered_without() {
        const LOG: &str = "\nthe whole log is /cache/build/x.log";
        let trees = [
            tree("linux-6.12.y", fixed()),
            tree("linux-6.6.y", TreeVerdict::NotFixed { tests: vec!["ext4::mmap-writeback-failure".into()] }),
            tree(
                "linux-6.1.y",
                TreeVerdict::NotReproducible { tests: vec!["ext4::mmap-writeback-failure".into()] },
            ),
            TreeResult {
                applied: String::new(),
                ..tree(
                    "linux-5.10.y",
                    TreeVerdict::DoesNotApply { why: "context differs in fs/ext4/inode.c".into() },
                )
            },
            tree("a", TreeVerdict::Breaks { tests: vec!["pci::sriov: WARNING in f".into()] }),
            tree(
                "b",
                TreeVerdict::DoesNotBuild { error: format!("inode.c:7: implicit declaration of f{LOG}") },
            ),
            tree("c", TreeVerdict::Inconclusive { why: format!("3 clean attempts can be luck (10%){LOG}") }),
        ];
        let text = reply(&mail(), &trees, Some("A Tester <tester@example.org>"));
        assert!(text.lines().filter(|line| !line.starts_with('>')).all(|line| line.chars().count() <= WIDTH));
        assert!(!text.contains("-by:"));
        insta::assert_snapshot!(text);
    }
}
