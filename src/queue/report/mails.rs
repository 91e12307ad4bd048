//! Answers that robots read: regzbot's commands for a regression, and the form in which syzbot answers `#syz test`.

use super::text::percent;
use super::{Origin, QueueReport, Standing, TestRow};
use crate::event::queue::QueueTree;
use crate::progress::printable;
use crate::queue::state::QueueState;

/// Where mails are archived, by their ids.
const ARCHIVE: &str = "https://lore.kernel.org/all/";

/// regzbot's commands for each regression, as the kernel's documentation on reporting regressions has them; none: there is
/// none.
pub fn regzbot(report: &QueueReport) -> Option<String> {
    let broken = report.tests.iter().filter(|row| row.failure == Some(Origin::Introduced));
    let commands: Vec<String> = broken.map(|row| commands(report, row)).collect();
    (!commands.is_empty()).then(|| commands.join("\n"))
}

fn commands(report: &QueueReport, row: &TestRow) -> String {
    let named = row.culprits.first();
    let patch = named.and_then(|culprit| report.patches.iter().find(|patch| patch.number == culprit.number));
    let mut out = format!("#regzbot introduced: {}..{}\n", base(report), tip(report));
    let title = row.title.as_deref().unwrap_or(&row.summary);
    out += &format!("#regzbot title: {}: {}\n", row.test, printable(title));
    if let Some(id) = patch.and_then(|patch| patch.mail.as_deref()).or(report.mail.id.as_deref()) {
        out += &format!("#regzbot link: {ARCHIVE}{}/\n", id.trim_matches(['<', '>']));
    }
    if let Some(culprit) = named {
        let (number, sure) = (culprit.number, percent(culprit.confidence));
        let upstream = patch.and_then(|patch| patch.upstream.as_deref()).unwrap_or_default();
        let upstream: String = upstream.chars().take(12).collect();
        let upstream = if upstream.is_empty() { upstream } else { format!(", upstream {upstream}") };
        out += &format!("\nPatch {number} ({}{upstream}), {sure}.\n", printable(&culprit.title));
    }
    out
}

/// What the tree is called: its release where it was named by that, else its commit.
fn base(report: &QueueReport) -> String {
    let tree = &report.tree;
    let named = tree.named.rsplit('@').next().unwrap_or_default();
    let is_release = named.starts_with('v') && named[1..].starts_with(|c: char| c.is_ascii_digit());
    match tree.commit.as_str() {
        _ if is_release => named.to_owned(),
        "" => tree.named.clone(),
        commit => commit.chars().take(12).collect(),
    }
}

/// The tree as it was named, without where it lies on this host, which says nothing to others.
pub(super) fn tree_for_others(tree: &QueueTree) -> &str {
    let path = tree.named.split_once('@').map_or(&*tree.named, |(path, _)| path);
    let name = path.rfind('/').map_or(0, |slash| slash + 1);
    match path[name..].is_empty() {
        true => &tree.named,
        false => &tree.named[name..],
    }
}

/// What the tip of a queue is called: the release that its cover letter announces, else what was named.
fn tip(report: &QueueReport) -> String {
    let words = report.mail.title.split_whitespace();
    let release = words.rev().find(|word| {
        word.starts_with(|c: char| c.is_ascii_digit()) && word.contains("-rc") && word.contains('.')
    });
    release.map_or_else(|| report.input.clone(), |release| format!("v{release}"))
}

/// The answer to a mail with `#syz test`, in syzbot's form; `None`: no patch asks for it.
pub fn syzbot(report: &QueueReport, state: &QueueState) -> Option<String> {
    let asked: Vec<&String> = state.record().patches.iter().flat_map(|patch| &patch.syzbot).collect();
    if asked.is_empty() {
        return None;
    }
    let mut out = String::from("Hello,\n\n");
    let broken = report.set_aside.iter().find(|one| super::rows::is_fault(one.kind));
    let unbootable = report.patches.iter().find_map(|row| match (&row.builds, &row.boots) {
        (Standing::No(why), _) | (_, Standing::No(why)) => Some(why),
        _ => None,
    });
    let bad = report.tests.iter().find(|row| row.tip.bad > 0);
    match (broken.map(|one| &one.why).or(unbootable), bad) {
        (Some(why), _) => {
            out += "kregress tried to test the proposed patch but the build/boot failed:\n\n";
            out += &format!("{why}\n");
        }
        (None, Some(row)) => {
            out +=
                "kregress has tested the proposed patch but the reproducer is still triggering an issue:\n";
            out += &format!("{}\n", row.title.as_deref().unwrap_or(&row.test));
            row.excerpt.iter().for_each(|excerpt| out += &format!("\n{excerpt}\n"));
        }
        (None, None) => {
            out += "kregress has tested the proposed patch and the reproducer did not trigger any issue:\n\n";
            for id in asked {
                out += &format!("Reported-by: syzbot+{id}@syzkaller.appspotmail.com\n");
            }
        }
    }
    let tree = &report.tree;
    out += "\nTested on:\n\n";
    out +=
        &format!("commit:         {} {}\n", tree.commit.chars().take(12).collect::<String>(), tree.version);
    out += &format!("git tree:       {}\n", tree_for_others(tree));
    out += &format!("kernel config:  {}\n", tree.config);
    tree.compiler.iter().for_each(|compiler| out += &format!("compiler:       {compiler}\n"));
    out += &format!("patch:          {}\n", report.input);
    out += "\nNote: testing is done by a robot and is best-effort only.\n";
    Some(out)
}
