//! Added lines that are indented with blanks where tabs belong. A mail client that made blanks of tabs leaves no other trace
//! in a hunk whose context has none.

use super::align::may_hold_tabs;
use super::apply::{FileOutcome, HunkResult};
use super::damage::{Damage, DamageKind, Fix};
use super::diff::{Diff, FileDiff, Hunk, HunkLine, Kind};

/// How the lines of a file are indented.
#[derive(Clone, Copy, Debug, Default)]
struct Style {
    tabs: usize,
    blanks: usize,
}

impl Style {
    fn of(text: &str) -> Style {
        text.lines().fold(Style::default(), |style, line| Style {
            tabs: style.tabs + usize::from(line.starts_with('\t')),
            blanks: style.blanks + usize::from(is_indented(line)),
        })
    }

    /// Whether it is tabs that indent.
    fn is_tabs(self) -> bool {
        /// So many lines with tabs for one with blanks.
        const MOSTLY: usize = 100;
        self.tabs > 0 && self.blanks * MOSTLY <= self.tabs
    }
}

/// Whether blanks indent a line; the one before the `*` of a comment that goes on does not.
fn is_indented(text: &str) -> bool {
    let behind = text.trim_start_matches(' ');
    behind.len() < text.len() && !behind.trim_end().is_empty() && !text.starts_with(" *")
}

/// What a file that a patch was applied to shows.
#[derive(Debug)]
pub struct Seen {
    path: String,
    /// Whether it was indented with tabs before; absent for a new file.
    tabs: Option<bool>,
    /// Whether white space was put back in one of its hunks.
    repaired: bool,
    /// Lines of the input that are indented with blanks, in hunks as they were sent.
    blanks: Vec<usize>,
    /// Those of the others that could have lost tabs.
    others: Vec<usize>,
    /// Whether an added line is indented with a tab.
    tab_added: bool,
}

impl Seen {
    /// Of a section that was applied to a file with this text.
    pub fn of(file: &FileDiff, outcome: &FileOutcome, before: &str) -> Seen {
        let mut seen = Seen {
            path: file.path().to_owned(),
            tabs: (!file.created).then(|| Style::of(before).is_tabs()),
            repaired: false,
            blanks: Vec::new(),
            others: Vec::new(),
            tab_added: false,
        };
        let lost =
            |damage: &Damage| matches!(damage.kind, DamageKind::TabsToBlanks | DamageKind::IndentationLost);
        for (hunk, (_, result)) in file.hunks.iter().zip(&outcome.hunks) {
            match result {
                HunkResult::Applied(applied) if applied.repaired.iter().any(lost) => seen.repaired = true,
                _ => seen.take(hunk),
            }
        }
        seen
    }

    fn take(&mut self, hunk: &Hunk) {
        for line in added(hunk) {
            if line.text.starts_with('\t') {
                self.tab_added = true;
            } else if is_indented(&line.text) {
                self.blanks.push(line.line);
            } else if !line.text.trim().is_empty() && may_hold_tabs(&line.text) {
                self.others.push(line.line);
            }
        }
    }
}

fn added(hunk: &Hunk) -> impl Iterator<Item = &HunkLine> {
    hunk.lines().unwrap_or_default().iter().filter(|line| line.kind == Kind::Add)
}

/// What is unknown of a patch that was applied: whether blanks of its added lines were tabs.
pub fn doubts(seen: &[Seen], diff: &Diff) -> Vec<Damage> {
    let doubt = |lines: Vec<usize>, proof: String| {
        let fix = Fix::None(
            "they may be the author's, or what a mail client made of tabs; compare with the raw mail".into(),
        );
        (!lines.is_empty()).then_some(Damage { kind: DamageKind::TabsToBlanks, lines, proof, fix })
    };
    if seen.iter().any(|file| file.repaired) {
        let lines = seen.iter().flat_map(|file| file.blanks.iter().chain(&file.others)).copied().collect();
        let proof = "white space of other hunks was lost, and nothing around these lines shows what they had";
        return doubt(lines, proof.into()).into_iter().collect();
    }
    let has_tabs = || {
        let lines = diff.hunks().filter_map(|(_, hunk)| hunk.lines()).flatten();
        let mut lines = lines;
        lines.any(|line| line.text.contains('\t'))
    };
    let mut has_tabs_once = None;
    let known: Vec<bool> = seen.iter().filter_map(|file| file.tabs).collect();
    let all_tabs = !known.is_empty() && known.iter().all(|tabs| *tabs);
    let mut of = |file: &Seen| {
        if file.blanks.is_empty() || file.tab_added || !file.tabs.unwrap_or(all_tabs) {
            return None;
        }
        // a new file beside others, in a patch that brought tabs, is the author's
        if file.tabs.is_none() && *has_tabs_once.get_or_insert_with(has_tabs) {
            return None;
        }
        let whose = if file.tabs.is_none() { "the patch's other files are" } else { "it is" };
        let proof = format!(
            "`{}` gets lines that are indented with blanks, and {whose} indented with tabs",
            file.path
        );
        doubt(file.blanks.clone(), proof)
    };
    seen.iter().filter_map(&mut of).collect()
}
