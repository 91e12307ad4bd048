//! Taking values out of a document by their path, and reporting what is wrong with them at their place.

use std::ops::Range;
use std::rc::Rc;

use super::document::{Content, Node};
use super::keypath::{KeyPath, Step};
use super::problem::Location;
use super::problem::{Problem, ProblemKind};
use super::rejection::Rejection;
use super::source::Source;

/// A document under inspection and the problems found so far.
pub(crate) struct Fields<'a> {
    pub source: &'a Source,
    pub root: &'a Node,
    problems: &'a mut Vec<Problem>,
    /// What was reported by serde: it counts as present, and nothing more is said about it.
    refused: Vec<KeyPath>,
}

impl<'a> Fields<'a> {
    pub fn new(source: &'a Source, root: &'a Node, problems: &'a mut Vec<Problem>) -> Self {
        Self { source, root, problems, refused: Vec::new() }
    }

    /// Notes that a value was reported and taken out.
    pub fn refuse(&mut self, path: KeyPath) {
        self.refused.push(path);
    }

    /// Whether something at this path, above or below it, was reported already.
    pub fn is_refused(&self, path: &KeyPath) -> bool {
        self.refused.iter().any(|refused| path.covers(refused) || refused.covers(path))
    }

    /// Adds a problem.
    pub fn report(
        &mut self,
        kind: ProblemKind,
        span: Range<usize>,
        headline: String,
        label: String,
        help: impl Into<Option<String>>,
    ) {
        self.problems.push(self.source.problem(kind, span, headline, label).help(help));
    }

    /// Adds a problem about two places.
    pub fn report_pair(
        &mut self,
        kind: ProblemKind,
        headline: String,
        place: (Range<usize>, String),
        other: (Range<usize>, String),
        help: String,
    ) {
        self.problems
            .push(self.source.problem(kind, place.0, headline, place.1).label(other.0, other.1).help(help));
    }

    /// An optional text, parsed.
    pub fn optional<T>(
        &mut self,
        path: &KeyPath,
        text: Option<&String>,
        parse: impl Fn(&str) -> Result<T, Rejection>,
    ) -> Option<T> {
        match parse(text?) {
            Ok(value) => Some(value),
            Err(rejection) => {
                self.reject(path, rejection);
                None
            }
        }
    }

    /// A text that must be there, parsed.
    pub fn required<T>(
        &mut self,
        path: &KeyPath,
        text: Option<&String>,
        parse: impl Fn(&str) -> Result<T, Rejection>,
    ) -> Option<T> {
        if text.is_none() {
            self.missing(path);
        }
        self.optional(path, text, parse)
    }

    /// A list of texts, each parsed.
    pub fn list<T>(
        &mut self,
        path: &KeyPath,
        texts: Option<&Vec<Option<String>>>,
        parse: impl Fn(&str) -> Result<T, Rejection>,
    ) -> Vec<T> {
        let Some(texts) = texts else { return Vec::new() };
        let entries = texts.iter().enumerate();
        entries.filter_map(|(nth, text)| self.required(&path.index(nth), text.as_ref(), &parse)).collect()
    }

    /// Reports that a value is not there, unless it was there and refused.
    pub fn missing(&mut self, path: &KeyPath) {
        if self.is_refused(path) {
            return;
        }
        let name = path.name();
        let value = (self.source.format.example)(name).unwrap_or("…");
        let example = format!("`{name}: {value}`");
        let (span, headline, label, help) = match (self.node(path), path.0.last()) {
            (Some(_), Some(Step::Index(_))) => {
                let help = "remove the entry, or fill it".to_owned();
                (
                    self.key_span(path),
                    format!("an entry of `{name}` is empty"),
                    "nothing here".to_owned(),
                    help,
                )
            }
            (Some(_), _) => {
                let help = format!("write {example}");
                (self.key_span(path), format!("`{name}` has no value"), "nothing here".to_owned(), help)
            }
            (None, _) => {
                let above = KeyPath(path.0[..path.0.len().saturating_sub(1)].to_vec());
                let help = format!("add {example}");
                (self.span(&above), format!("the key `{name}` is missing"), format!("needs `{name}`"), help)
            }
        };
        self.report(ProblemKind::MissingKey, span, headline, label, help);
    }

    /// Reports a value that its parser refused.
    pub fn reject(&mut self, path: &KeyPath, rejection: Rejection) {
        let Rejection { found, expected, help } = rejection;
        let headline = format!("wrong value for {}: expected {expected}", path.described());
        self.report(ProblemKind::WrongValue, self.span(path), headline, format!("found {found}"), help);
    }

    /// Reports a key that its parser refused.
    pub fn reject_key(&mut self, path: &KeyPath, rejection: Rejection) {
        let Rejection { found, expected, help } = rejection;
        let headline = format!("wrong key: expected {expected}");
        self.report(ProblemKind::WrongValue, self.key_span(path), headline, format!("found {found}"), help);
    }

    /// Of several keys that exclude each other, the one that is given.
    pub fn exactly_one<'k>(&mut self, path: &KeyPath, given: &[&'k str], kinds: &[&str]) -> Option<&'k str> {
        match given {
            [only] => return Some(only),
            [] if self.is_refused(path) => {}
            [] => {
                let headline = format!("{} says nothing", path.described());
                let help = format!("give one of: {}", kinds.join(", "));
                self.report(ProblemKind::MissingKey, self.key_span(path), headline, "empty".into(), help);
            }
            [first, second, ..] => {
                let headline = format!("{} has both `{first}` and `{second}`", path.described());
                let place = |key: &str| self.key_span(&path.key(key));
                let (here, there) =
                    ((place(second), "one too many".into()), (place(first), "beside this".into()));
                let help = format!("keep one of: {}", given.join(", "));
                self.report_pair(ProblemKind::Contradiction, headline, here, there, help);
            }
        }
        None
    }

    /// The node at a path.
    pub fn node(&self, path: &KeyPath) -> Option<&'a Node> {
        path.0.iter().try_fold(self.root, |node, step| match (step, &node.content) {
            (Step::Key(key), Content::Mapping(entries)) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| entry.value.as_ref())
            }
            (Step::Index(index), Content::Sequence(items)) => items.get(*index).map(Rc::as_ref),
            _ => None,
        })
    }

    /// What to underline for the value at a path: a one-line scalar itself, of anything larger the key that holds
    /// it; where nothing is, the nearest thing above.
    pub fn span(&self, path: &KeyPath) -> Range<usize> {
        match self.node(path) {
            Some(node) => {
                let text = &self.source.text[node.span.clone()];
                let is_scalar = matches!(node.content, Content::Scalar(_));
                if is_scalar && !text.trim_end().is_empty() && !text.trim_end().contains(['\n', '\r']) {
                    return node.span.start..node.span.start + text.trim_end().len();
                }
                self.key_span(path)
            }
            None if path.0.is_empty() => 0..0,
            None => self.span(&KeyPath(path.0[..path.0.len() - 1].to_vec())),
        }
    }

    /// The key at the end of a path; of a list entry its beginning.
    pub fn key_span(&self, path: &KeyPath) -> Range<usize> {
        let Some((last, above)) = path.0.split_last() else { return self.first_key(self.root) };
        let above = KeyPath(above.to_vec());
        match (last, self.node(&above).map(|node| &node.content)) {
            (Step::Key(key), Some(Content::Mapping(entries))) => entries
                .iter()
                .find(|entry| entry.key == *key)
                .map_or_else(|| self.span(&above), |entry| entry.key_span.clone()),
            (Step::Index(_), Some(Content::Sequence(_))) => match self.node(path) {
                Some(node) => self.first_key(node),
                None => self.span(&above),
            },
            _ => self.span(&above),
        }
    }

    fn first_key(&self, node: &Node) -> Range<usize> {
        match &node.content {
            Content::Mapping(entries) if !entries.is_empty() => entries[0].key_span.clone(),
            _ => node.span.start..node.span.start,
        }
    }

    /// The place of the value at a path.
    pub fn location(&self, path: &KeyPath) -> Location {
        self.source.location(self.span(path).start)
    }
}
