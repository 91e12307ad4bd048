//! From the tree of nodes to the shape of a file, by serde, without stopping at the first error.
//!
//! serde gives up at the first value that does not fit. So that value is reported, taken out, and serde starts
//! again, until what is left fits.

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;
use serde_yaml::Value;

use super::document::{Content, Node};
use super::fields::Fields;
use super::file_kind::FileKind;
use super::keypath::{KeyPath, Step};
use super::problem::ProblemKind;
use super::rejection::quoted;
use super::word::meant;

/// Most problems that one file reports; the rest shows once these are mended.
const MOST_PROBLEMS: usize = 25;

/// Takes the tree as a `T`. What does not fit is reported to `fields` and left out; `None` if that is all of it, or
/// too much to go on.
pub(crate) fn decode<T: DeserializeOwned>(fields: &mut Fields<'_>) -> Option<T> {
    let mut value = value_of(fields.root);
    for _ in 0..MOST_PROBLEMS {
        let error = match serde_path_to_error::deserialize::<_, T>(&value) {
            Ok(shape) => return Some(shape),
            Err(error) => error,
        };
        let path = key_path(error.path());
        let unknown = unknown_key(fields, &path, &error.inner().to_string());
        if !unknown {
            wrong_type(fields, &path, &error.inner().to_string());
        }
        let taken_out = take_out(&mut value, &path, unknown);
        fields.refuse(path);
        if !taken_out {
            break;
        }
    }
    None
}

fn value_of(node: &Node) -> Value {
    match &node.content {
        Content::Null => Value::Null,
        Content::Scalar(text) => Value::String(text.clone()),
        Content::Sequence(items) => Value::Sequence(items.iter().map(|item| value_of(item)).collect()),
        Content::Mapping(entries) => Value::Mapping(
            entries.iter().map(|entry| (Value::String(entry.key.clone()), value_of(&entry.value))).collect(),
        ),
    }
}

fn key_path(path: &serde_path_to_error::Path) -> KeyPath {
    let step = |segment: &Segment| match segment {
        Segment::Seq { index } => Some(Step::Index(*index)),
        Segment::Map { key } => Some(Step::Key(key.clone())),
        Segment::Enum { .. } | Segment::Unknown => None,
    };
    KeyPath(path.iter().filter_map(step).collect())
}

/// Reports a key that does not exist. serde's message is the one place that names the keys there are: "unknown
/// field `x`, expected one of `a`, `b`".
fn unknown_key(fields: &mut Fields<'_>, path: &KeyPath, message: &str) -> bool {
    let Some(rest) = message.strip_prefix("unknown field `") else { return false };
    let known: Vec<&str> = rest.split('`').skip(2).step_by(2).collect();
    let key = path.name();
    let keys = format!("the keys here are: {}", known.join(", "));
    let help = match meant(key, known.iter().copied()) {
        Some(word) => {
            // So that it is not called missing as well.
            fields.refuse(KeyPath(path.0[..path.0.len() - 1].to_vec()).key(word));
            format!("did you mean `{word}`? ({keys})")
        }
        None => keys,
    };
    let label = "no such key here".to_owned();
    fields.report(
        ProblemKind::UnknownKey,
        fields.key_span(path),
        format!("unknown key {}", quoted(key)),
        label,
        help,
    );
    true
}

fn wrong_type(fields: &mut Fields<'_>, path: &KeyPath, message: &str) {
    let expected = match message.rsplit_once("expected ").map(|(_, expected)| expected) {
        Some("a sequence") => "a list",
        Some("a string") => "a text",
        Some(expected) if expected.starts_with("struct ") || expected == "a map" => {
            "a mapping (`key: value`)"
        }
        _ => "something else",
    };
    let node = fields.node(path);
    let found = match node.map(|node| &node.content) {
        Some(Content::Scalar(text)) => format!("the text {}", quoted(text)),
        Some(Content::Sequence(_)) => "a list".to_owned(),
        Some(Content::Mapping(_)) => "a mapping".to_owned(),
        Some(Content::Null) | None => "nothing".to_owned(),
    };
    if path.0.is_empty() {
        let FileKind { noun, start, .. } = fields.source.format;
        let headline = format!("wrong type: expected a {noun}, a mapping (`key: value`)");
        let help = (*start).to_owned();
        return fields.report(
            ProblemKind::WrongType,
            fields.span(path),
            headline,
            format!("found {found}"),
            help,
        );
    }
    let help = match (expected, node.map(|node| &node.content)) {
        ("a list", Some(Content::Scalar(_))) => {
            format!("write `{}: [ … ]`, or one `- …` a line", path.name())
        }
        ("a text", Some(Content::Mapping(_))) => {
            "a text with `: ` or ` #` in it needs 'single quotes'".to_owned()
        }
        ("a text", Some(Content::Sequence(_))) => {
            "a text that starts with `[` needs 'single quotes'".to_owned()
        }
        _ => format!("write {expected} here"),
    };
    let headline = format!("wrong type for {}: expected {expected}", path.described());
    fields.report(ProblemKind::WrongType, fields.span(path), headline, format!("found {found}"), help);
}

/// Removes an unknown key, or empties a value that is of the wrong type. Says whether it was there.
fn take_out(value: &mut Value, path: &KeyPath, remove: bool) -> bool {
    let Some((last, above)) = path.0.split_last() else { return false };
    let mut at = value;
    for step in above {
        let below = match step {
            Step::Key(key) => at.get_mut(key.as_str()),
            Step::Index(index) => at.get_mut(*index),
        };
        let Some(below) = below else { return false };
        at = below;
    }
    match (last, at) {
        (Step::Key(key), Value::Mapping(mapping)) if remove => mapping.remove(key.as_str()).is_some(),
        (Step::Key(key), Value::Mapping(mapping)) => match mapping.get_mut(key.as_str()) {
            Some(value) if !value.is_null() => {
                *value = Value::Null;
                true
            }
            _ => false,
        },
        (Step::Index(index), Value::Sequence(items)) => match items.get_mut(*index) {
            Some(value) if !value.is_null() => {
                *value = Value::Null;
                true
            }
            _ => false,
        },
        _ => false,
    }
}
