//! Hostile guests, and the verdict that is right for each.

use regex::Regex;
use serde::Deserialize;

use super::left::left;
use super::table::{Outcome, Table};
use super::words;
use crate::place::{Ended, Place};

/// A row of the list: what a guest does, and what is right then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hostile {
    /// In words.
    pub fault: String,
    /// The test that does it.
    pub test: String,
    /// The right verdict, or several with `|` between them.
    pub verdict: String,
    /// A pattern of the title or reason.
    #[serde(default)]
    because: Option<String>,
    /// Options of the run.
    #[serde(default)]
    options: Vec<String>,
    /// Whether the short form has it.
    #[serde(default)]
    pub short: bool,
}

/// The whole list.
pub fn list() -> Vec<Hostile> {
    serde_yaml::from_str(include_str!("guests.yaml")).expect("the list of hostile guests")
}

/// Runs these tests, those of one suite and with the same options in one run, and checks every report of each run.
pub fn attempt(place: &Place, rows: &[Hostile], table: &mut Table) {
    let suite = |row: &Hostile| row.test.split("::").next().unwrap_or_default().to_owned();
    let mut rest: Vec<&Hostile> = rows.iter().collect();
    while let Some(first) = rest.first().copied() {
        let key = (suite(first), first.options.clone());
        let (these, others) =
            rest.into_iter().partition::<Vec<_>, _>(|row| (suite(row), row.options.clone()) == key);
        rest = others;
        let mut arguments = vec!["-s", &key.0, "--exact"];
        arguments.extend(these.iter().map(|row| row.test.as_str()));
        arguments.extend(key.1.iter().map(String::as_str));
        let command = place.run_command(&arguments);
        let ended = place.finish(command);
        for row in these {
            table.attempt(&row.fault, || Outcome::of(complaint(row, &ended)));
        }
        table.attempt("every report of those guests is harmless", || Outcome::of(words::complaint(place)));
        table.attempt("nothing is left behind by those guests", || left(place));
    }
}

fn complaint(row: &Hostile, ended: &Ended) -> Option<String> {
    let said = ended.cell(&row.test);
    let (verdict, why) = said.split_once(": ").unwrap_or((&said, ""));
    let fits = row.because.as_ref().is_none_or(|text| Regex::new(text).expect("a pattern").is_match(why));
    let right = row.verdict.split('|').any(|right| right == verdict);
    (!right || !fits).then(|| format!("{} is {said}, {} was expected", row.test, row.verdict))
}
