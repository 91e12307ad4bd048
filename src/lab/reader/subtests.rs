//! The results of an output that have names, as they are kept with an attempt.

use crate::observation::{Subtest, SubtestResult};

/// The most subtests that are kept of an attempt.
const MOST: usize = 2000;

/// The longest name, bytes.
const LONGEST: usize = 300;

/// Subtests in their order.
#[derive(Debug, Default)]
pub(super) struct Subtests {
    kept: Vec<Subtest>,
}

impl Subtests {
    /// How many there are: where those of a level that begins now will begin.
    pub fn len(&self) -> usize {
        self.kept.len()
    }

    /// Adds the result of a line of KTAP. Those from `first` on, of the levels below it, came before and are its parts.
    pub fn add(&mut self, first: Option<usize>, line: &str, result: SubtestResult) {
        let name = name(line);
        for part in first.and_then(|first| self.kept.get_mut(first..)).into_iter().flatten() {
            part.name = cut(format!("{name} > {}", part.name));
        }
        if self.kept.len() < MOST {
            self.kept.push(Subtest { name, result });
        }
    }

    /// Gives them away.
    pub fn take(&mut self) -> Vec<Subtest> {
        std::mem::take(&mut self.kept)
    }
}

/// What a result is called: its description without number and directive.
fn name(line: &str) -> String {
    let rest = line.strip_prefix("not ").unwrap_or(line);
    let rest = rest.strip_prefix("ok").unwrap_or(rest).trim_start();
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    let name = rest.split(" #").next().unwrap_or_default().trim();
    match name.is_empty() || name.starts_with('#') {
        true => "result without a name".to_owned(),
        false => cut(name.to_owned()),
    }
}

fn cut(mut name: String) -> String {
    let end = (0..=LONGEST.min(name.len())).rev().find(|&end| name.is_char_boundary(end));
    name.truncate(end.unwrap_or(0));
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_stands_between_number_and_directive() {
        for (line, expected) in [
            ("ok 1 - open a file # SKIP x", "open a file"),
            ("not ok 12 ITIMER_VIRTUAL", "ITIMER_VIRTUAL"),
            ("ok", "result without a name"),
            ("ok 3 # SKIP no device", "result without a name"),
            ("ok 4 a#1", "a#1"),
        ] {
            assert_eq!(name(line), expected);
        }
        assert_eq!(name(&format!("ok 1 {}", "é".repeat(400))).len(), LONGEST);
    }

    #[test]
    fn parts_have_the_name_of_the_whole_and_their_number_is_bounded() {
        let mut subtests = Subtests::default();
        subtests.add(None, "ok 1 before", SubtestResult::Passed);
        let first = subtests.len();
        subtests.add(None, "ok 1 part", SubtestResult::Passed);
        subtests.add(Some(first), "ok 2 whole", SubtestResult::Passed);
        for _ in 0..2 * MOST {
            subtests.add(None, "ok 3 more", SubtestResult::Passed);
        }
        let kept = subtests.take();
        let names: Vec<&str> = kept.iter().take(3).map(|subtest| subtest.name.as_str()).collect();
        assert_eq!((names, kept.len()), (vec!["before", "whole > part", "whole"], MOST));
    }
}
