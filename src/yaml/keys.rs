//! The keys that a kind of file may have, asked of the types that read it: documentation is held to these.
//!
//! serde tells a deserializer which fields a structure has and which variants an enum. So a type is read again and again
//! from a file that has one key more each time, and what is known by then is gone through.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess,
    SeqAccess, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The keys of everything that a `T` is read from, as paths: `tests.program.ktap`. Entries of lists and of mappings whose
/// keys are the user's have no step of their own; what nests in itself is shown once.
pub(crate) fn keys<T: DeserializeOwned>() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    while let Some(path) = open.pop() {
        let mut known = Vec::new();
        let left: Vec<&str> = path.iter().map(String::as_str).collect();
        // every reading ends in an error, as no file is whole
        if let Err(stop) = T::deserialize(Trace { left: &left, above: &[], known: &mut known }) {
            known.extend(stop.expected);
        }
        for key in known {
            let below: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
            if found.insert(below.join(".")) {
                open.push(below);
            }
        }
    }
    found
}

/// A key that no format has.
const NO_KEY: &str = "\0";

/// A file that has the keys of `left`, each in the one before it, and nothing else.
struct Trace<'t> {
    left: &'t [&'t str],
    /// The structures and enums around this one.
    above: &'t [&'static str],
    /// The keys that can stand where `left` ends.
    known: &'t mut Vec<&'static str>,
}

impl<'t> Trace<'t> {
    /// Goes into a structure or an enum with these keys.
    fn enter<V>(
        self,
        name: &'static str,
        keys: &'static [&'static str],
        go: impl FnOnce(Entry<'_>) -> Result<V, Stop>,
    ) -> Result<V, Stop> {
        if self.above.contains(&name) {
            return Err(Stop::default());
        }
        let above: Vec<&str> = self.above.iter().copied().chain([name]).collect();
        match self.left.split_first() {
            None => {
                self.known.extend(keys);
                Err(Stop::default())
            }
            Some((key, left)) => {
                go(Entry { key: Some(key), value: Some(Trace { left, above: &above, known: self.known }) })
            }
        }
    }
}

impl<'de> Deserializer<'de> for Trace<'_> {
    type Error = Stop;

    /// A scalar refuses the mapping; an enum behind another layer says what it expects.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        let Trace { left, above, known } = self;
        let (key, left) = left.split_first().map_or((NO_KEY, left), |(key, left)| (*key, left));
        visitor.visit_map(Entry { key: Some(key), value: Some(Trace { left, above, known }) })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Stop> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_seq(Entry { key: None, value: Some(self) })
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Stop> {
        visitor.visit_map(Entry { key: Some("name"), value: Some(self) })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter(name, fields, |entry| visitor.visit_map(entry))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        self.enter(name, variants, |entry| visitor.visit_enum(entry))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct identifier ignored_any
    }
}

/// The one entry of a mapping or a list, or the one variant of an enum.
struct Entry<'t> {
    key: Option<&'t str>,
    value: Option<Trace<'t>>,
}

impl Entry<'_> {
    fn value<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Stop> {
        seed.deserialize(self.value.take().ok_or_else(Stop::default)?)
    }
}

impl<'de> MapAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Stop> {
        let key = self.key.take().map(|key| -> StrDeserializer<'_, Stop> { key.into_deserializer() });
        key.map(|key| seed.deserialize(key)).transpose()
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Stop> {
        self.value(seed)
    }
}

impl<'de> SeqAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Stop> {
        self.value(seed).map(Some)
    }
}

impl<'de> EnumAccess<'de> for Entry<'_> {
    type Error = Stop;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(mut self, seed: V) -> Result<(V::Value, Self), Stop> {
        let key: StrDeserializer<'_, Stop> = self.key.take().unwrap_or(NO_KEY).into_deserializer();
        Ok((seed.deserialize(key)?, self))
    }
}

impl<'de> VariantAccess<'de> for Entry<'_> {
    type Error = Stop;

    fn unit_variant(self) -> Result<(), Stop> {
        Err(Stop::default())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(mut self, seed: T) -> Result<T::Value, Stop> {
        self.value(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Stop> {
        Err(Stop::default())
    }

    fn struct_variant<V: Visitor<'de>>(
        mut self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Stop> {
        let trace = self.value.take().ok_or_else(Stop::default)?;
        trace.deserialize_struct("", fields, visitor)
    }
}

/// Why a reading ended; nobody is shown it.
#[derive(Debug, Default)]
struct Stop {
    /// The names of which one should have been there.
    expected: &'static [&'static str],
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a file that is only traced")
    }
}

impl std::error::Error for Stop {}

impl de::Error for Stop {
    fn custom<T: fmt::Display>(_: T) -> Stop {
        Stop::default()
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Stop {
        Stop { expected }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Stop {
        Stop { expected }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::Deserialize;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case", deny_unknown_fields)]
    #[allow(dead_code)]
    struct Top {
        plain_text: Option<String>,
        number: u64,
        lists: Option<Vec<Option<Inner>>>,
        by_name: BTreeMap<String, Inner>,
        #[serde(with = "serde_yaml::with::singleton_map")]
        layered: Choice,
    }

    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code)]
    struct Inner {
        required: String,
        choice: Option<Choice>,
        any: Option<Vec<Inner>>,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "kebab-case")]
    #[allow(dead_code)]
    enum Choice {
        Text(String),
        Fields { first: String, second: Option<u64> },
        Nothing,
    }

    #[test]
    fn keys_are_those_of_the_types() {
        let found: Vec<String> = keys::<Top>().into_iter().collect();
        insta::assert_snapshot!(found.join(" "), @"by-name by-name.any by-name.choice by-name.choice.fields by-name.choice.fields.first by-name.choice.fields.second by-name.choice.nothing by-name.choice.text by-name.required layered layered.fields layered.fields.first layered.fields.second layered.nothing layered.text lists lists.any lists.choice lists.choice.fields lists.choice.fields.first lists.choice.fields.second lists.choice.nothing lists.choice.text lists.required number plain-text");
    }
}
