//! What was tried, and what came of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

/// What stands above the table in its file.
const INTRODUCTION: &str = "# What was tried against kregress

Written by `cargo bench --bench campaign`: each fault, how often it was tried, and how often what came of it. Right is what
`benches/campaign/faults` says of the fault; the rest is a wrong verdict or answer, a result that was lost, or something that
was left behind. What was no other than right is told below the table.
";

/// How the row begins in which all are counted.
const ALL: &str = "| **all** |";

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

impl Row {
    /// Reads a line of [`Table::markdown`], without what it begins with.
    fn read(line: &str) -> Row {
        let cells: Vec<&str> = line.trim_end_matches([' ', '|']).split(" | ").collect();
        let count = |n: usize| cells.get(n).and_then(|cell| cell.parse().ok()).expect("a count");
        Row {
            fault: cells[0].replace(r"\|", "|"),
            right: count(2),
            wrong: count(3),
            lost: count(4),
            leftovers: count(5),
            not_here: count(6),
            notes: BTreeSet::new(),
        }
    }
}

/// The table of a campaign.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    file: Option<PathBuf>,
}

impl Table {
    /// A table that a file holds: what is in it was tried before, and what is tried is added to it at once.
    ///
    /// # Panics
    /// If the file holds something else.
    pub fn kept(file: PathBuf) -> Table {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        let (rows, notes) = text.split_once(ALL).unwrap_or((&text, ""));
        let rows = rows.lines().filter_map(|line| line.strip_prefix("| ")).skip(2).map(Row::read);
        let mut table = Table { rows: rows.collect(), file: Some(file) };
        for paragraph in notes.split("\n\n").skip(1) {
            let (fault, notes) = paragraph.split_once(":\n- ").expect("a fault and its notes");
            let row = table.rows.iter_mut().find(|row| row.fault == fault).expect("the fault of a note");
            row.notes.extend(notes.trim_end().split("\n- ").map(|note| note.replace("\n  ", "\n")));
        }
        table
    }

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
        if let Some(file) = &self.file {
            std::fs::write(file, format!("{INTRODUCTION}\n{}", self.markdown())).expect("the table's file");
        }
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
            "{ALL} {tried} | {} | {wrong} | {lost} | {left} | {} |",
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
