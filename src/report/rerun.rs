//! The one-line command that runs a cell again.

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

/// The command, which can be pasted into a shell in the folder where the run was started.
pub fn rerun(run: &RunSummary, cell: &CellId) -> String {
    let kernel = run.selects(&cell.kernel);
    let mut words: Vec<String> =
        ["kregress", "run", "--exact", &cell.test, "-k", kernel].map(str::to_owned).into();
    words.extend(carried(&run.command));
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
        }]);
        run.command = words.iter().map(|word| (*word).to_owned()).collect();
        rerun(&run, &cell)
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
