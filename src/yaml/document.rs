//! A YAML document as a tree of nodes that know their places.
//!
//! Scalars stay text, whatever YAML would make of them: `6.10` must not become the number 6.1, nor the commit
//! `12345e7` a power of ten. What a text means is decided by the key that holds it.

use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::file_kind::FileKind;
use super::problem::{Problem, ProblemKind};
use super::source::Source;

/// Deepest nesting; the format needs a dozen.
const DEEPEST: usize = 32;
/// Most nodes, aliases followed: a few lines of aliases to aliases stand for billions of nodes.
const MOST_NODES: usize = 20_000;

/// A node and the bytes it covers.
#[derive(Debug)]
pub(crate) struct Node {
    pub span: Range<usize>,
    pub content: Content,
    /// Nodes from here down, aliases followed.
    nodes: usize,
    /// Levels from here down.
    height: usize,
}

#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing, `~` or `null`.
    Null,
    Scalar(String),
    Sequence(Vec<Rc<Node>>),
    Mapping(Vec<Entry>),
}

/// A key of a mapping with its value.
#[derive(Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Range<usize>,
    pub value: Rc<Node>,
}

impl Node {
    fn new(span: Range<usize>, content: Content) -> Self {
        let below: Vec<&Node> = match &content {
            Content::Null | Content::Scalar(_) => Vec::new(),
            Content::Sequence(items) => items.iter().map(Rc::as_ref).collect(),
            Content::Mapping(entries) => entries.iter().map(|entry| entry.value.as_ref()).collect(),
        };
        let nodes = below.iter().fold(1usize, |sum, node| sum.saturating_add(node.nodes));
        let height = below.iter().map(|node| node.height).max().unwrap_or(0) + 1;
        Self { span, content, nodes, height }
    }
}

/// A collection that is being read.
struct Open {
    anchor: usize,
    start: usize,
    so_far: Collection,
}

enum Collection {
    Sequence(Vec<Rc<Node>>),
    /// The finished entries, and the key whose value comes next.
    Mapping(Vec<Entry>, Option<(String, Range<usize>)>),
}

/// Reads the one document of a file. Problems that leave the rest readable go into the list.
pub(crate) fn parse(source: &Source, problems: &mut Vec<Problem>) -> Result<Rc<Node>, Problem> {
    let mut reader =
        Reader { source, problems, open: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    let mut parser = Parser::new(StrInput::new(&source.text));
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| reader.syntax(&error))?;
        let span = reader.bytes(span);
        reader.take(event, span)?;
    }
    reader.root.ok_or_else(|| {
        let FileKind { noun, start, .. } = source.format;
        Problem::new(
            source.format,
            ProblemKind::Syntax,
            &source.path,
            format!("the file is empty, expected a {noun}"),
        )
        .help((*start).to_owned())
    })
}

struct Reader<'a> {
    source: &'a Source,
    problems: &'a mut Vec<Problem>,
    open: Vec<Open>,
    anchors: HashMap<usize, Rc<Node>>,
    /// Nodes so far, aliases followed.
    nodes: usize,
    root: Option<Rc<Node>>,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Range<usize>) -> Result<(), Problem> {
        match event {
            Event::DocumentStart(_) if self.root.is_some() => Err(self
                .refuse(
                    span,
                    &format!(
                        "found a second YAML document, expected one {} per file",
                        self.source.format.noun
                    ),
                    "starts here",
                )
                .help("move it to a file of its own, or remove the `---`".to_owned())),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span)?;
                let null =
                    style == ScalarStyle::Plain && matches!(&*text, "" | "~" | "null" | "Null" | "NULL");
                let content = if null { Content::Null } else { Content::Scalar(text.into_owned()) };
                self.place(Rc::new(Node::new(span, content)), anchor, 1)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span)?;
                self.descend(anchor, span, Collection::Sequence(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_tag(tag.as_deref(), &span)?;
                self.descend(anchor, span, Collection::Mapping(Vec::new(), None))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let content = match open.so_far {
                    Collection::Sequence(items) => Content::Sequence(items),
                    Collection::Mapping(entries, _) => Content::Mapping(entries),
                };
                let span = open.start..span.end.max(open.start);
                self.place(Rc::new(Node::new(span, content)), open.anchor, 1)
            }
            Event::Alias(anchor) => match self.anchors.get(&anchor).cloned() {
                Some(node) => {
                    let nodes = node.nodes;
                    self.place(node, 0, nodes)
                }
                None => Err(self.refuse(span, "found an alias inside of what it stands for", "never ends")),
            },
            _ => Ok(()),
        }
    }

    fn descend(&mut self, anchor: usize, span: Range<usize>, so_far: Collection) -> Result<(), Problem> {
        if self.open.len() >= DEEPEST {
            return Err(self.too_deep(span));
        }
        self.open.push(Open { anchor, start: span.start, so_far });
        Ok(())
    }

    /// Puts a finished node where it belongs; `nodes` is what it adds to the document.
    fn place(&mut self, node: Rc<Node>, anchor: usize, nodes: usize) -> Result<(), Problem> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MOST_NODES {
            let headline = format!("the document has more than {MOST_NODES} nodes, aliases followed");
            let problem = self.source.problem(
                ProblemKind::TooLarge,
                node.span.clone(),
                headline,
                "too many here".into(),
            );
            return Err(problem.help(self.source.format.too_many.to_owned()));
        }
        if self.open.len() + node.height > DEEPEST + 1 {
            return Err(self.too_deep(node.span.clone()));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        let source = self.source;
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let (entries, pending) = match &mut open.so_far {
            Collection::Sequence(items) => {
                items.push(node);
                return Ok(());
            }
            Collection::Mapping(entries, pending) => (entries, pending),
        };
        let Some((key, key_span)) = pending.take() else {
            return match &node.content {
                Content::Scalar(text) => {
                    *pending = Some((text.clone(), node.span.clone()));
                    Ok(())
                }
                _ => Err(self.refuse(
                    node.span.clone(),
                    "found a key that is not a text",
                    "expected a word here",
                )),
            };
        };
        if let Some(first) = entries.iter().find(|entry| entry.key == key) {
            let problem = source
                .problem(
                    ProblemKind::Duplicate,
                    key_span,
                    format!("the key `{key}` stands twice"),
                    "again here".into(),
                )
                .label(first.key_span.clone(), "first here")
                .help("keep one of them".to_owned());
            self.problems.push(problem);
        } else {
            entries.push(Entry { key, key_span, value: node });
        }
        Ok(())
    }

    fn too_deep(&self, span: Range<usize>) -> Problem {
        let headline = format!("nested deeper than {DEEPEST} levels");
        self.source
            .problem(ProblemKind::TooLarge, span, headline, "too deep here".into())
            .help("the format needs about ten levels".to_owned())
    }

    fn refuse(&self, span: Range<usize>, headline: &str, label: &str) -> Problem {
        self.source.problem(ProblemKind::Syntax, span, headline.to_owned(), label.to_owned())
    }

    fn refuse_tag(&self, tag: Option<&Tag>, span: &Range<usize>) -> Result<(), Problem> {
        match tag {
            // The non-specific tag `!` only says "text", which every scalar is here.
            Some(tag) if !(tag.handle.is_empty() && tag.suffix == "!") => {
                let headline = format!("found the YAML tag `{tag}`, {}s use none", self.source.format.noun);
                Err(self.refuse(span.clone(), &headline, "tagged so").help("remove the tag".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn syntax(&self, error: &ScanError) -> Problem {
        let mark = error.marker();
        let at = self.source.offset(mark.line(), mark.col());
        let (line_start, line) = self.source.line_of(at);
        let indentation = line.len() - line.trim_start().len();
        if let Some(tab) = line[..indentation].find('\t') {
            let tab = line_start + tab;
            return self
                .refuse(tab..tab + 1, "found a tab in the indentation, expected spaces", "a tab")
                .help("YAML is indented with spaces only; two per level is usual".to_owned());
        }
        // The parser has a bound of its own for what it has not yet reported as events.
        if error.info().contains("recursion limit") {
            return self.too_deep(at..at);
        }
        self.refuse(at..at, &format!("the YAML does not parse: {}", error.info()), "noticed here").help(
            "what is wrong is often just before: a bracket, quote or `:` that is missing, an indentation, \
                 or a text with `: ` in it that needs 'single quotes'"
                .to_owned(),
        )
    }

    fn bytes(&self, span: Span) -> Range<usize> {
        let at = |marker: saphyr_parser::Marker| self.source.offset(marker.line(), marker.col());
        let start = at(span.start);
        start..at(span.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn read(text: &str) -> Result<Rc<Node>, String> {
        let source = Source::from_bytes(&crate::yaml::file_kind::PLAIN, Path::new("x.yaml"), text.into())
            .map_err(|problem| problem.to_string())?;
        parse(&source, &mut Vec::new()).map_err(|problem| format!("{}: {problem}", problem.place()))
    }

    /// Key, place and text of every leaf.
    fn leaves(text: &str) -> String {
        fn walk(text: &str, node: &Node, out: &mut Vec<String>) {
            match &node.content {
                Content::Null => out.push("null".to_owned()),
                Content::Scalar(value) => out.push(format!("{value:?} from {:?}", &text[node.span.clone()])),
                Content::Sequence(items) => items.iter().for_each(|item| walk(text, item, out)),
                Content::Mapping(entries) => entries.iter().for_each(|entry| {
                    out.push(format!("{:?}:", &text[entry.key_span.clone()]));
                    walk(text, &entry.value, out);
                }),
            }
        }
        let source =
            Source::from_bytes(&crate::yaml::file_kind::PLAIN, Path::new("x.yaml"), text.into()).unwrap();
        let mut out = Vec::new();
        walk(&source.text, &parse(&source, &mut Vec::new()).unwrap(), &mut out);
        out.join("\n")
    }

    #[test]
    fn nodes_know_their_text() {
        insta::assert_snapshot!(leaves("a: 6.10 # ü comment\nb: [1e5, 'ü', \"x\", ~]\nc: {d: , é: yes}\ne: |\n  echo\n  \tü\nf: x\n"), @r#"
        "a":
        "6.10" from "6.10"
        "b":
        "1e5" from "1e5"
        "ü" from "'ü'"
        "x" from "\"x\""
        null
        "c":
        "d":
        null
        "é":
        "yes" from "yes"
        "e":
        "echo\n\tü\n" from "echo\n  \tü\n"
        "f":
        "x" from "x"
        "#);
    }

    #[test]
    fn windows_line_ends_and_a_byte_order_mark_are_taken() {
        insta::assert_snapshot!(leaves("\u{feff}a: b\r\nc: |\r\n  d\r\n  e\r\nf: g\r\n"), @r#"
        "a":
        "b" from "b"
        "c":
        "d\ne\n" from "d\r\n  e\r\n"
        "f":
        "g" from "g"
        "#);
    }

    #[test]
    fn aliases_stand_for_their_anchor() {
        insta::assert_snapshot!(leaves("a: &x [1]\nb: *x\n"), @r#"
        "a":
        "1" from "1"
        "b":
        "1" from "1"
        "#);
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        insta::assert_snapshot!(read(&bomb).unwrap_err(), @"x.yaml:4:9: the document has more than 20000 nodes, aliases followed");
        insta::assert_snapshot!(read(&"[".repeat(4000)).unwrap_err(), @"x.yaml:1:1: line 1 has 4000 characters, at most 1000 are taken");
        insta::assert_snapshot!(read(&"- ".repeat(2000)).unwrap_err(), @"x.yaml:1:1: line 1 has 4000 characters, at most 1000 are taken");
        insta::assert_snapshot!(read(&"- x\n".repeat(100_000)).unwrap_err(), @"x.yaml:20001:3: the document has more than 20000 nodes, aliases followed");
        insta::assert_snapshot!(read("a: &a [*a]").unwrap_err(), @"x.yaml:1:8: found an alias inside of what it stands for");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "([a-c]: |- |\\[|\\]|\\{|\\}|,|&x |\\*x|\\||>|'|\"|!|\n|  |\t|#|ü|---|%){0,60}") {
            let _ = read(&text);
        }
    }
}
