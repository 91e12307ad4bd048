//! The form of a suite file, for serde: which keys there are and what nests in what.
//!
//! Everything is optional and every scalar is text. So serde reports unknown keys and wrong types and nothing else;
//! [`super::build`] says what is missing and what a text means, with better words than a derive could.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::build::{ProgramShape, SymptomShape};

/// A word, or keys that say more.
#[derive(Debug)]
pub(super) enum WordOr<T> {
    Word(String),
    Keys(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for WordOr<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<WordOr<T>, D::Error> {
        struct Either<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Either<T> {
            type Value = WordOr<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_str<E: serde::de::Error>(self, word: &str) -> Result<WordOr<T>, E> {
                Ok(WordOr::Word(word.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, keys: A) -> Result<WordOr<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(keys)).map(WordOr::Keys)
            }
        }

        deserializer.deserialize_any(Either(PhantomData))
    }
}

/// A list; an entry that was refused, or is empty in the file, is `None`.
pub(super) type List<T> = Option<Vec<Option<T>>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SuiteShape {
    pub suite: Option<String>,
    pub summary: Option<String>,
    pub defaults: Option<DefaultsShape>,
    pub known_messages: Option<MessagesShape>,
    pub groups: Option<BTreeMap<String, Option<GroupShape>>>,
    pub tests: List<TestShape>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GroupShape {
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MessagesShape {
    pub allow: List<AllowShape>,
    pub deny: List<DenyShape>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AllowShape {
    pub r#match: Option<String>,
    pub trace: List<String>,
    pub versions: Option<String>,
    pub reason: Option<String>,
    pub link: Option<String>,
    pub expires: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DenyShape {
    pub r#match: Option<String>,
    pub versions: Option<String>,
    pub reason: Option<String>,
    pub link: Option<String>,
    pub expires: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DefaultsShape {
    pub needs: Option<NeedsShape>,
    pub machine: Option<MachineShape>,
    pub sysctl: Option<BTreeMap<String, Option<String>>>,
    pub dose: Option<DoseShape>,
    pub timeout: Option<TimeoutShape>,
    pub hang: Option<HangShape>,
    pub priority: Option<String>,
    pub group: Option<String>,
    pub userland: Option<UserlandShape>,
    pub kernel_files: List<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct UserlandShape {
    pub packages: List<String>,
    pub image: Option<String>,
    pub files: Option<BTreeMap<String, Option<String>>>,
    pub users: List<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TestShape {
    pub name: Option<String>,
    pub summary: Option<String>,
    pub links: List<String>,
    pub history: Option<HistoryShape>,
    pub needs: Option<NeedsShape>,
    pub machine: Option<MachineShape>,
    pub files: List<String>,
    pub sysctl: Option<BTreeMap<String, Option<String>>>,
    pub prepare: List<PrepareShape>,
    pub program: Option<ProgramShape>,
    pub dose: Option<DoseShape>,
    pub timeout: Option<TimeoutShape>,
    pub hang: Option<HangShape>,
    pub priority: Option<String>,
    pub group: Option<String>,
    pub boots: Option<String>,
    pub userland: Option<UserlandShape>,
    pub kernel_files: List<String>,
    pub symptom: Option<SymptomShape>,
    pub control_of: Option<String>,
    pub known: List<KnownShape>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HistoryShape {
    pub introduced: Option<CommitShape>,
    pub exposed: Option<CommitShape>,
    pub fixed: Option<CommitShape>,
    pub also_fixed: List<CommitShape>,
    pub cves: List<String>,
    pub files: List<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CommitShape {
    pub commit: Option<String>,
    pub version: Option<String>,
    pub title: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NeedsShape {
    pub modules: List<String>,
    pub config: List<String>,
    pub kernel: Option<String>,
    pub uptime: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MachineShape {
    pub base: Option<String>,
    pub cpus: Option<String>,
    pub memory: Option<String>,
    pub cmdline: List<String>,
    pub disks: List<DiskShape>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DiskShape {
    pub name: Option<String>,
    pub image: Option<String>,
    pub blank: Option<String>,
    pub variable: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PrepareShape {
    pub shell: Option<String>,
    pub output: Option<String>,
    pub tools: List<String>,
    pub inputs: List<String>,
    pub timeout: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DoseShape {
    pub seconds: Option<String>,
    pub rounds: Option<String>,
    pub attempts: Option<String>,
    pub chance: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TimeoutShape {
    pub slow: Option<String>,
    pub terminate: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HangShape {
    pub seconds: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KnownShape {
    pub versions: Option<String>,
    pub verdict: Option<String>,
    pub note: Option<String>,
}
