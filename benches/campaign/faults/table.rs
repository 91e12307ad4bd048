//! What was tried, and what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What came of one try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// What is right.
    Right,
    /// Something else, or nothing.
    Wrong(String),
    /// A result that was acknowledged is not there any more.
    Lost(String),
    /// A process, a mount, a file or a folder is left.
    Leftover(String),
    /// This host does not let it be tried.
    NotHere(String),
}

impl Outcome {
    /// Right, if there is nothing to complain about.
    pub fn of(complaint: Option<String>) -> Outcome {
        complaint.map_or(Outcome::Right, Outcome::Wrong)
    }
}

/// A fault, how often it was tried, and how often what came of it.
#[derive(Debug, Default)]
struct Row {
    fault: String,
    right: u32,
    wrong: u32,
    lost: u32,
    leftovers: u32,
    not_here: u32,
    notes: BTreeSet<String>,
}

/// The table of a campaign.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
}

impl Table {
    /// Does something to kregress and takes down what came of it. What panics is wrong.
    pub fn attempt(&mut self, fault: &str, trial: impl FnOnce() -> Outcome) {
        let outcome = catch_unwind(AssertUnwindSafe(trial)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
            Outcome::Wrong(text.unwrap_or_else(|| "a panic".into()))
        });
        self.add(fault, outcome);
    }

    /// Takes down what came of a try.
    pub fn add(&mut self, fault: &str, outcome: Outcome) {
        eprintln!("{fault}: {outcome:?}");
        let row = match self.rows.iter().position(|row| row.fault == fault) {
            Some(at) => &mut self.rows[at],
            None => {
                self.rows.push(Row { fault: fault.to_owned(), ..Row::default() });
                self.rows.last_mut().expect("the row that was just made")
            }
        };
        let (count, note) = match outcome {
            Outcome::Right => (&mut row.right, None),
            Outcome::Wrong(note) => (&mut row.wrong, Some(note)),
            Outcome::Lost(note) => (&mut row.lost, Some(note)),
            Outcome::Leftover(note) => (&mut row.leftovers, Some(note)),
            Outcome::NotHere(note) => (&mut row.not_here, Some(note)),
        };
        *count += 1;
        row.notes.extend(note);
    }

    /// Whether nothing was wrong, lost or left.
    pub fn passed(&self) -> bool {
        self.rows.iter().all(|row| row.wrong + row.lost + row.leftovers == 0)
    }

    /// The table as Markdown, with what was complained about below it.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| fault | tried | right | wrong | lost | left | not possible here |\n| --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for row in &self.rows {
            let tried = row.right + row.wrong + row.lost + row.leftovers;
            let fault = row.fault.replace('|', r"\|");
            let Row { right, wrong, lost, leftovers, not_here, .. } = row;
            let _ = writeln!(
                text,
                "| {fault} | {tried} | {right} | {wrong} | {lost} | {leftovers} | {not_here} |"
            );
        }
        let sum = |count: fn(&Row) -> u32| self.rows.iter().map(count).sum::<u32>();
        let (wrong, lost, left) = (sum(|r| r.wrong), sum(|r| r.lost), sum(|r| r.leftovers));
        let tried = sum(|r| r.right) + wrong + lost + left;
        let _ = writeln!(
            text,
            "| **all** | {tried} | {} | {wrong} | {lost} | {left} | {} |",
            sum(|r| r.right),
            sum(|r| r.not_here)
        );
        for row in self.rows.iter().filter(|row| !row.notes.is_empty()) {
            let _ = writeln!(text, "\n{}:", row.fault);
            for note in &row.notes {
                let _ = writeln!(text, "- {}", note.trim().replace('\n', "\n  "));
            }
        }
        text
    }
}
