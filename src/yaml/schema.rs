//! JSON Schemas of the files, made from the types that read them, for editors.
//!
//! A schema says which keys there are, what nests in what, what must be there and which words a key takes. What a text
//! means is decided by the readers, so a schema takes some files that a reader refuses, and refuses none that one takes.

use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use schemars::{JsonSchema, Schema};
use serde_json::{Value, json};

/// The words of a table of words and their meanings.
pub(crate) fn words<T>(table: &[(&'static str, T)]) -> Vec<&'static str> {
    table.iter().map(|(word, _)| *word).collect()
}

/// The schema of a file in which every scalar is text whatever it looks like: a version `6.10`, a size, a switch.
pub(crate) fn of_text<T: JsonSchema>(title: &str) -> Value {
    let mut schema = generate::<T>(title);
    Loose.transform(&mut schema);
    schema.to_value()
}

/// The schema of a file whose scalars have types.
pub(crate) fn of_values<T: JsonSchema>(title: &str) -> Value {
    generate::<T>(title).to_value()
}

fn generate<T: JsonSchema>(title: &str) -> Schema {
    // the draft that editors know best
    let mut schema = SchemaSettings::draft07().into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), json!(title));
    schema
}

/// Lets a text be written as a number or a switch, and keeps empty entries out of lists.
struct Loose;

impl Transform for Loose {
    fn transform(&mut self, schema: &mut Schema) {
        transform_subschemas(self, schema);
        if let Some(items) = schema.get_mut("items") {
            without_null(items);
        }
        let Some(types) = schema.get("type") else { return };
        let names: Vec<&str> = match types {
            Value::String(name) => vec![name],
            Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
            _ => return,
        };
        if !names.contains(&"string") {
            return;
        }
        let nullable = names.contains(&"null");
        let mut wide = vec!["string", "number", "boolean"];
        wide.extend(nullable.then_some("null"));
        if let Some(Value::Array(words)) = schema.get_mut("enum")
            && nullable
        {
            words.push(Value::Null);
        }
        schema.insert("type".to_owned(), json!(wide));
    }
}

/// Takes `null` out of what a list's entry may be.
fn without_null(items: &mut Value) {
    let Some(items) = items.as_object_mut() else { return };
    if let Some(Value::Array(types)) = items.get_mut("type") {
        types.retain(|name| name != "null");
    }
    let Some(Value::Array(choices)) = items.get_mut("anyOf") else { return };
    choices.retain(|choice| choice["type"] != "null");
    if let [only] = choices.as_slice() {
        let only = only.clone();
        items.remove("anyOf");
        items.extend(only.as_object().cloned().unwrap_or_default());
    }
}
