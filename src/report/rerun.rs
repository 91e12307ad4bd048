//! The one-line command that runs a cell again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use super::cells::Outline;
use super::fold::RunSummary;
use super::summary::quoted;
use crate::event::CellId;
use crate::progress::printable;

/// Options of the run's own command line that decide what its tests and kernels are; each takes a value.
const CARRIED: &[&str] = &[
    "-s",
    "--suite",
    "--suites",
    "--catalogues",
    "--machines",
    "--known",
    "--modules",
    "--flavour",
    "--userland",
];

/// What selects kernels that their names do not, and options of cells whose run is not this one.
#[derive(Debug, Default)]
pub(super) struct Again {
    /// By the kernel's name.
    selects: HashMap<String, String>,
    /// By the cell's place, where it is another than that of the kernel's first cell.
    others: HashMap<usize, String>,
    /// By the cell's place.
    options: HashMap<usize, Arc<[String]>>,
    /// The options that were said last, as many cells have the same.
    last: Option<Arc<[String]>>,
}

impl Again {
    /// Takes in what is said of a planned cell.
    pub(super) fn plan(&mut self, place: usize, kernel: &str, select: Option<String>, options: Vec<String>) {
        match (select, self.selects.get(kernel)) {
            (Some(select), None) => _ = self.selects.insert(kernel.to_owned(), select),
            (Some(select), Some(first)) if select != *first => _ = self.others.insert(place, select),
            _ => {}
        }
        if !options.is_empty() {
            let same = self.last.take().filter(|last| **last == *options);
            let options = same.unwrap_or_else(|| options.into());
            self.options.insert(place, Arc::clone(&options));
            self.last = Some(options);
        }
    }
}

impl RunSummary {
    /// What selects the kernel of a cell again: its name, or the file of its image.
    pub fn selects<'r>(&'r self, cell: Outline<'r>) -> &'r str {
        let own = self.again.others.get(&cell.place()).or_else(|| self.again.selects.get(cell.kernel()));
        own.map_or(cell.kernel(), String::as_str)
    }

    /// The options by which the test and the kernel of a cell are found again: those of the run that judged it.
    pub fn options(&self, cell: Outline<'_>) -> Cow<'_, [String]> {
        match self.again.options.get(&cell.place()) {
            Some(options) => Cow::Borrowed(options),
            // its command is that of one of its parts, or of their merging
            None if !self.split.merged.is_empty() => Cow::Borrowed(&[]),
            None => Cow::Owned(carried(&self.command)),
        }
    }
}

/// The suites that the options of a cell name, by name, file or folder.
pub fn named_suites(options: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = options.iter();
    while let Some(word) = words.next() {
        let glued = || {
            word.strip_prefix("--suite=")
                .or_else(|| word.strip_prefix("-s").filter(|_| !word.starts_with("--")))
        };
        match word.as_str() {
            "-s" | "--suite" => found.extend(words.next().cloned()),
            option if CARRIED.contains(&option) => _ = words.next(),
            _ => found.extend(glued().map(|name| name.strip_prefix('=').unwrap_or(name).to_owned())),
        }
    }
    found
}

/// The command, which can be pasted into a shell in the folder where the run was started.
pub fn rerun(run: &RunSummary, cell: &CellId) -> String {
    let found = run.find(&cell.test, &cell.kernel);
    let kernel = found.map_or(cell.kernel.as_str(), |cell| run.selects(cell));
    let mut words: Vec<String> =
        ["kregress", "run", "--exact", &cell.test, "-k", kernel].map(str::to_owned).into();
    words.extend(found.map_or_else(|| carried(&run.command).into(), |cell| run.options(cell)).into_owned());
    words.iter().map(|word| quoted(&printable(word))).collect::<Vec<_>>().join(" ")
}

fn carried(command: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    let mut words = command.iter().take_while(|word| *word != "--");
    while let Some(word) = words.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        if CARRIED.contains(&word.as_str()) {
            found.extend([word.clone()].into_iter().chain(words.next().cloned()));
        } else if (name.len() < word.len() && CARRIED.contains(&name))
            || (word.starts_with("-s") && !word.starts_with("--") && word.len() > 2)
        {
            found.push(word.clone());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Event;
    use crate::report::sample;

    fn command(words: &[&str], select: Option<&str>) -> String {
        let cell = CellId { test: "block::race".into(), kernel: "bzImage".into() };
        let mut run = sample::fold([Event::Planned {
            cell: cell.clone(),
            release: None,
            summary: String::new(),
            expectation: None,
            about: None,
            select: select.map(str::to_owned),
            options: Vec::new(),
        }]);
        run.command = words.iter().map(|word| (*word).to_owned()).collect();
        rerun(&run, &cell)
    }

    #[test]
    fn suites_are_found_among_the_options() {
        let table: [(&[&str], &[&str]); 4] = [
            (&[], &[]),
            (&["-s", "ltp", "--suite=a/b.yaml", "-sc", "-s=d"], &["ltp", "a/b.yaml", "c", "d"]),
            (&["--suites", "-s", "--suite", "e"], &["e"]),
            (&["--suites=x", "--known", "k.yaml", "--modules=m"], &[]),
        ];
        for (options, suites) in table {
            let options: Vec<String> = options.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(named_suites(&options), suites, "{options:?}");
        }
    }

    #[test]
    fn what_chose_tests_and_kernels_is_carried_over() {
        let table: [(&[&str], Option<&str>, &str); 5] = [
            (&[], None, "kregress run --exact block::race -k bzImage"),
            (
                &["kregress", "run", "-j", "4", "-s", "my suite.yaml", "race", "-k", "6.1"],
                None,
                "kregress run --exact block::race -k bzImage -s 'my suite.yaml'",
            ),
            (
                &["kregress", "--suites=x", "run", "-smine.yaml", "--seed", "3"],
                Some("/a b/bzImage"),
                "kregress run --exact block::race -k '/a b/bzImage' --suites=x -smine.yaml",
            ),
            (&["kregress", "run", "-s"], None, "kregress run --exact block::race -k bzImage -s"),
            (
                &["kregress", "run", "--modules", "m;id", "-s", "it's"],
                None,
                r"kregress run --exact block::race -k bzImage --modules 'm;id' -s 'it'\''s'",
            ),
        ];
        for (words, select, expected) in table {
            assert_eq!(command(words, select), expected);
        }
    }
}
