//! The answer to the cover letter, in the manner of the kernel's lists: plain text of 72 columns, the failure with its counts
//! and its excerpt, and how to see it without this program.

use super::mails::tree_for_others;
use super::text::percent;
use super::{CulpritRow, Origin, QueueReport, Removal, TestRow, counted};
use crate::backport::wrapped;
use crate::plural;
use crate::progress::printable;
use crate::queue::table::numbers;

/// Longest line of an excerpt; what is longer is cut there, as it is quoted and not wrapped.
const QUOTED: usize = 100;

/// The answer. `tester` is who signs for it, as a tag names people; `Tested-by:` is given only where nothing at all speaks
/// against the queue. A run that a trouble of one's own ended has none, as that is nobody else's.
pub fn answer(report: &QueueReport, tester: Option<&str>) -> Result<String, String> {
    if let Some(open) = report.open.as_ref().filter(|_| !report.budget_spent) {
        return Err(format!("there is no answer to send: {open}"));
    }
    let mut out = String::new();
    let mail = &report.mail;
    if let (Some(date), Some(from)) = (&mail.date, &mail.from) {
        out += &wrapped(&format!("On {date}, {from} wrote:"), "");
    }
    out += &format!("> {}\n\n", printable(&mail.title));
    out += &wrapped(&opening(report), "");
    let broken: Vec<&TestRow> =
        report.tests.iter().filter(|row| row.failure == Some(Origin::Introduced)).collect();
    for row in &broken {
        out.push('\n');
        out += &regression(report, row);
    }
    out += &faults(report);
    out += &fixes(report);
    out += &rest(report);
    if !report.missing.is_empty() {
        out += "\nUpstream has, and neither the tree nor the queue:\n\n";
        for one in &report.missing {
            let text = printable(&one.to_string());
            out += &hanging(&text);
        }
    }
    out += &setup(report);
    if report.is_clean()
        && let Some(tester) = tester
    {
        out += &format!("\nTested-by: {tester}\n");
    }
    Ok(out)
}

/// An item of a list, wrapped.
fn hanging(text: &str) -> String {
    let lines = wrapped(text, "    ");
    format!("  - {}", &lines[4.min(lines.len())..])
}

fn opening(report: &QueueReport) -> String {
    let tested = report.patches.len();
    let all = tested + report.set_aside.iter().filter(|one| super::rows::is_fault(one.kind)).count();
    let tree = &report.tree;
    let version = if tree.version.is_empty() { String::new() } else { format!(" ({})", tree.version) };
    let of =
        if tested == all { plural::counted(tested, "patch") } else { format!("{tested} of {all} patches") };
    let judged = report.tests.iter().filter(|row| row.tip.judged() > 0).count();
    let ended = match report.budget_spent {
        true => " The time that I had was over before all of it was sure.",
        false => "",
    };
    let result = match report.exit_status() {
        crate::report::ExitStatus::Success => "Nothing got worse.",
        crate::report::ExitStatus::TestsFailed => "Not all is well.",
        _ => "Not all of it could be judged.",
    };
    format!(
        "I tested {of} on {}{version} with {}, {} on {} in QEMU. {result}{ended}",
        tree_for_others(tree),
        plural::counted(judged, "test"),
        plural::counted(report.attempts, "attempt"),
        plural::counted(report.kernels, "kernel"),
    )
}

fn regression(report: &QueueReport, row: &TestRow) -> String {
    let mut out = wrapped(&format!("{} ({}) is {}.", row.test, row.summary, row.result), "");
    for culprit in &row.culprits {
        out += &format!("\n  patch {}: {}\n", culprit.number, printable(&culprit.title));
        let patch = report.patches.iter().find(|patch| patch.number == culprit.number);
        if let Some(upstream) = patch.and_then(|patch| patch.upstream.as_deref()) {
            out += &format!("  upstream {}\n", &upstream[..upstream.len().min(12)]);
        }
    }
    out.push('\n');
    out += &wrapped(&counts(row), "");
    for culprit in &row.culprits {
        out += &wrapped(&evidence(culprit), "");
    }
    if row.culprits.is_empty() {
        let open = row.open.as_deref().unwrap_or_default();
        let may_be = match row.candidates.as_slice() {
            [] => String::new(),
            candidates => format!(" It may be {}.", numbers(&candidates[..candidates.len().min(10)])),
        };
        out += &wrapped(&format!("No patch can be named: {open}.{may_be}"), "");
    }
    if let Some(excerpt) = row.excerpt.as_deref().or(row.title.as_deref()) {
        out.push('\n');
        for line in excerpt.lines() {
            out += &format!("  {}\n", crate::queue::table::cut(&printable(line), QUOTED));
        }
    }
    if !row.reproducer.is_empty() {
        out += "\nTo see it without my tools, boot such a kernel and run:\n\n";
        row.reproducer.iter().for_each(|line| out += &format!("  {line}\n"));
    }
    out
}

fn counts(row: &TestRow) -> String {
    let without = match row.baseline.judged() {
        0 => "it could not run without the queue".to_owned(),
        _ => format!("without the queue it fails in {}", counted(row.baseline)),
    };
    format!("With the whole queue it fails in {} attempts, {without}.", counted(row.tip))
}

fn evidence(culprit: &CulpritRow) -> String {
    let CulpritRow { number, confidence, with, before, proof, .. } = culprit;
    let proof = match proof {
        Removal::GoodAgain { patches, seen } => format!(
            "The queue without {} fails in {}, so taking it out mends it.",
            with_its_own(*number, patches),
            counted(*seen)
        ),
        Removal::StillBad { patches, seen } => format!(
            "The queue without {} still fails, in {}: another patch breaks it as well.",
            with_its_own(*number, patches),
            counted(*seen)
        ),
        Removal::Stays { why } => {
            format!("It could not be taken out of the queue: {}.", why.lines().next().unwrap_or_default())
        }
    };
    format!(
        "With the queue up to patch {number} it fails in {}, up to the patch before in {}. {proof} That it is this patch has \
         a probability of {}.",
        counted(*with),
        counted(*before),
        percent(*confidence)
    )
}

/// A patch and those that had to go with it.
fn with_its_own(number: usize, patches: &[usize]) -> String {
    let others: Vec<usize> = patches.iter().copied().filter(|other| *other != number).collect();
    match others.as_slice() {
        [] => "it".to_owned(),
        others => format!("it (and {}, which cannot be without what is out)", numbers(others)),
    }
}

/// Patches that do not apply, build or boot, and new warnings.
fn faults(report: &QueueReport) -> String {
    let mut items = Vec::new();
    for one in report.set_aside.iter().filter(|one| super::rows::is_fault(one.kind)) {
        let why = one.why.lines().next().unwrap_or_default();
        items.push(format!("patch {} ({}) {}: {why}", one.number, one.title, one.kind.words()));
    }
    for row in &report.patches {
        for (what, standing) in [("does not build", &row.builds), ("does not boot", &row.boots)] {
            if let super::Standing::No(why) = standing {
                let why = why.lines().next().unwrap_or_default();
                items.push(format!("the queue up to patch {} ({}) {what}: {why}", row.number, row.title));
            }
        }
        items.extend(
            row.warnings.iter().map(|warning| format!("patch {} brings a warning: {warning}", row.number)),
        );
    }
    if items.is_empty() {
        return String::new();
    }
    let list: String = items.iter().map(|item| hanging(&printable(item))).collect();
    format!("\nBesides:\n\n{list}")
}

/// Fixes whose own tests ran.
fn fixes(report: &QueueReport) -> String {
    let mut items = Vec::new();
    for row in report.tests.iter().filter(|row| row.expect == crate::triage::Expect::Fixed) {
        if row.patches.is_empty() || row.failure == Some(Origin::Introduced) {
            continue;
        }
        let counts = match row.baseline.judged() {
            0 => String::new(),
            _ => format!(": {} without the queue, {} with it", counted(row.baseline), counted(row.tip)),
        };
        items.push(format!("{} ({}): {}{counts}", numbers(&row.patches), row.test, row.result));
    }
    if items.is_empty() {
        return String::new();
    }
    let list: String = items.iter().map(|item| hanging(&printable(item))).collect();
    format!("\nTests of what the queue fixes (failed of all attempts):\n\n{list}")
}

/// What failed before, what is open, what could not run.
fn rest(report: &QueueReport) -> String {
    let named = |of: &dyn Fn(&&TestRow) -> bool| -> Vec<String> {
        let says = |row: &TestRow| match &row.otherwise {
            Some(title) => format!("{} (without it: {})", row.test, printable(title)),
            None => row.test.clone(),
        };
        report.tests.iter().filter(|row| of(row)).map(says).collect()
    };
    let good = |row: &&TestRow| row.expect == crate::triage::Expect::Good;
    let before = named(&|row| good(row) && row.failure == Some(Origin::Before));
    let open = named(&|row| matches!(row.failure, Some(Origin::Open | Origin::Uncovered)));
    let unjudged = named(&|row| row.tip.judged() == 0);
    let mut out = String::new();
    for (names, text) in [
        (before, "fail or flake without the queue as well and say nothing about it"),
        (open, "fail, and it is not sure whether the queue is to blame"),
        (unjudged, "could not be judged here"),
    ] {
        if !names.is_empty() {
            out.push('\n');
            out += &wrapped(&format!("These {text}: {}.", names.join(", ")), "");
        }
    }
    out
}

/// What the kernels were made of.
fn setup(report: &QueueReport) -> String {
    let tree = &report.tree;
    let mut facts = vec![format!("tree: {}", tree_for_others(tree))];
    if !tree.commit.is_empty() {
        facts.push(format!("commit: {}", tree.commit));
    }
    facts.push(format!("configuration: {}", tree.config));
    facts.extend(tree.compiler.iter().map(|compiler| format!("compiler: {compiler}")));
    facts.extend(tree.arch.iter().map(|arch| format!("architecture: {arch}")));
    let list: String = facts.iter().map(|fact| format!("  {fact}\n")).collect();
    format!("\n{list}")
}
