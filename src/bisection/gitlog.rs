//! The log of `git bisect`, in both directions: `git bisect replay` reads what is written here, and what `git bisect log`
//! writes is taken as evidence. The form is that of git-bisect(1).

use std::fmt::Write as _;

use super::state::BisectionState;
use crate::bisect::{Answer, Find};
use crate::event::{BisectionSource, CandidateRecord};

/// The words of a log for the side without the change and the side with it.
fn terms(find: Find) -> (&'static str, &'static str) {
    match find {
        Find::Cause => ("good", "bad"),
        Find::Fix => ("broken", "fixed"),
    }
}

/// The log of a bisection of commits. A kernel is named good or bad when that is at least as sure as the bisection was
/// asked to be; what is open stays a comment.
///
/// # Errors
/// The candidates are no commits; in words.
pub fn export(state: &BisectionState) -> Result<String, String> {
    let BisectionSource::Tree { paths, .. } = &state.record().source else {
        return Err("the candidates of this bisection are no commits, so git has no log of them".into());
    };
    let find = state.record().find;
    let (old, new) = terms(find);
    let mut text = String::from("git bisect start");
    if find == Find::Fix {
        let _ = write!(text, " '--term-old={old}' '--term-new={new}'");
    }
    if !paths.is_empty() {
        let paths: Vec<String> = paths.iter().map(|path| quoted(path)).collect();
        let _ = write!(text, " '--' {}", paths.join(" "));
    }
    text.push('\n');
    let sure = state.search().aims().confidence;
    let bad = state.search().posterior().bad_probabilities();
    // git remembers only the last commit with the change: the oldest has to come last
    let (mut olds, mut news, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for (node, tried) in state.all_tried() {
        let changed = if find == Find::Cause { bad[node] } else { 1.0 - bad[node] };
        match () {
            () if changed >= sure => news.insert(0, node),
            () if changed <= 1.0 - sure => olds.push(node),
            () if tried.closed.is_some() => skipped.push(node),
            () => {
                let seen = state.search().posterior().seen(node);
                let _ = writeln!(
                    text,
                    "# open after {} attempts: {}",
                    seen.attempts,
                    told(state.candidate(node))
                );
            }
        }
    }
    for (word, nodes) in [(old, olds), (new, news), ("skip", skipped)] {
        for node in nodes {
            let candidate = state.candidate(node);
            let _ = writeln!(text, "# {word}: {}\ngit bisect {word} {}", told(candidate), candidate.id);
        }
    }
    if let Some(Answer::Found { candidates, .. }) = state.answer() {
        match candidates.as_slice() {
            [culprit] => {
                let _ = writeln!(text, "# first {new} commit: {}", told(state.candidate(*culprit)));
            }
            several => {
                let _ = writeln!(text, "# only skipped commits left to test");
                for node in several {
                    let _ = writeln!(text, "# possible first {new} commit: {}", told(state.candidate(*node)));
                }
            }
        }
    }
    Ok(text)
}

fn told(candidate: &CandidateRecord) -> String {
    format!("[{}] {}", candidate.id, candidate.subject)
}

fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What a commit was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Called {
    /// Like the old end.
    Old,
    /// Like the new end.
    New,
    /// Not judged.
    Skipped,
}

/// A log that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log {
    /// The commits that were called something, in order.
    pub commits: Vec<(Called, String)>,
    /// The paths that the search was confined to.
    pub paths: Vec<String>,
    /// Whether only first parents were followed.
    pub first_parent: bool,
}

/// A log that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {what}, found `{found}`; `git bisect log` writes what is read here")]
pub struct LogError {
    /// Number of the line, from 1.
    pub line: usize,
    /// What was expected.
    pub what: &'static str,
    /// What is there.
    pub found: String,
}

impl Log {
    /// Reads what `git bisect log` wrote.
    ///
    /// # Errors
    /// A line is none of such a log.
    pub fn parse(text: &str) -> Result<Log, LogError> {
        let mut log = Log::default();
        let (mut old, mut new) = (Terms::of(["good", "old"]), Terms::of(["bad", "new"]));
        let mut started = false;
        let mut told = Vec::new();
        for (nth, whole) in text.lines().enumerate() {
            let failed = |what| LogError { line: nth + 1, what, found: whole.chars().take(80).collect() };
            let line = whole.trim();
            if line.is_empty() || line.starts_with('#') {
                told.extend(told_commit(line).map(str::to_owned));
                continue;
            }
            let rest = line
                .strip_prefix("git bisect ")
                .or_else(|| line.strip_prefix("git-bisect "))
                .ok_or_else(|| failed("expected a line that begins with `git bisect`"))?;
            let words = words(rest).ok_or_else(|| failed("a quote is not closed"))?;
            let Some((word, arguments)) = words.split_first() else { continue };
            match word.as_str() {
                "start" => {
                    started = true;
                    let mut arguments = arguments.iter();
                    let mut revisions = Vec::new();
                    while let Some(argument) = arguments.next() {
                        let (name, value) = match argument.split_once('=') {
                            Some((name, value)) => (name, Some(value.to_owned())),
                            None => (argument.as_str(), None),
                        };
                        match name {
                            "--term-old" | "--term-good" => {
                                old =
                                    Terms(value.or_else(|| arguments.next().cloned()).into_iter().collect());
                            }
                            "--term-new" | "--term-bad" => {
                                new =
                                    Terms(value.or_else(|| arguments.next().cloned()).into_iter().collect());
                            }
                            "--first-parent" => log.first_parent = true,
                            "--no-checkout" => {}
                            "--" => log.paths = arguments.by_ref().cloned().collect(),
                            _ => revisions.push(argument.clone()),
                        }
                    }
                    // the line has the names as they were typed, such as HEAD, which are others by now; what they meant
                    // stands in the comments before it, in the same order
                    if told.len() == revisions.len() {
                        revisions = std::mem::take(&mut told);
                    }
                    let called = std::iter::once(Called::New).chain(std::iter::repeat(Called::Old));
                    log.commits.extend(called.zip(revisions));
                }
                _ if !started => return Err(failed("expected `git bisect start` first")),
                "skip" => log.commits.extend(arguments.iter().map(|c| (Called::Skipped, c.clone()))),
                word if old.has(word) => {
                    log.commits.extend(arguments.iter().map(|c| (Called::Old, c.clone())));
                }
                word if new.has(word) => {
                    log.commits.extend(arguments.iter().map(|c| (Called::New, c.clone())));
                }
                "terms" | "next" | "visualize" | "view" => {}
                _ => {
                    return Err(failed(
                        "expected start, good, bad, old, new, skip or the terms of its start",
                    ));
                }
            }
        }
        match started {
            true => Ok(log),
            false => {
                Err(LogError { line: 1, what: "expected `git bisect start`", found: "nothing of it".into() })
            }
        }
    }

    /// The first commit that was called so.
    pub fn first(&self, called: Called) -> Option<&str> {
        self.commits.iter().find(|(as_what, _)| *as_what == called).map(|(_, commit)| commit.as_str())
    }
}

/// The commit of a comment such as `# bad: [a987b90e10f07b0e0a2a7d6a8733089b5ae7b20f] subject`.
fn told_commit(line: &str) -> Option<&str> {
    let (word, rest) = line.strip_prefix('#')?.trim_start().split_once(": [")?;
    let hash = rest.split_once(']')?.0;
    let is_hash = hash.len() >= 40 && hash.chars().all(|c| c.is_ascii_hexdigit());
    (is_hash && !word.contains(' ')).then_some(hash)
}

/// The words for one side.
struct Terms(Vec<String>);

impl Terms {
    fn of(words: [&str; 2]) -> Terms {
        Terms(words.map(str::to_owned).to_vec())
    }

    fn has(&self, word: &str) -> bool {
        self.0.iter().any(|term| term == word)
    }
}

/// A line's words, with the quotes of a shell taken off. `None`: one is not closed.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().extend(letters.next()),
            letter if letter.is_whitespace() => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}
