//! The form of a suite file, for serde: which keys there are and what nests in what.
//!
//! Everything is optional and every scalar is text. So serde reports unknown keys and wrong types and nothing else;
//! [`super::build`] says what is missing and what a text means, with better words than a derive could.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::build::{CLOCKS, ProgramShape, SymptomShape, VERDICTS};
use super::model::ACCELS;
use crate::yaml::schema::words;

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

impl<T: JsonSchema> JsonSchema for WordOr<T> {
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({"anyOf": [{"type": "string"}, generator.subschema_for::<T>()]})
    }
}

/// A list; an entry that was refused, or is empty in the file, is `None`.
pub(super) type List<T> = Option<Vec<Option<T>>>;

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct SuiteShape {
    /// The suite's name, the first half of its tests' names.
    #[schemars(required)]
    pub suite: Option<String>,
    /// What the tests have in common, in a sentence.
    #[schemars(required)]
    pub summary: Option<String>,
    /// Settings of every test that has none of its own.
    pub defaults: Option<DefaultsShape>,
    /// Messages of the kernel that do no harm, or that count though they are no crash.
    pub known_messages: Option<MessagesShape>,
    /// Tests of which only some may run side by side, by name.
    pub groups: Option<BTreeMap<String, Option<GroupShape>>>,
    /// The tests.
    #[schemars(required)]
    pub tests: List<TestShape>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct GroupShape {
    #[schemars(required)]
    pub max: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MessagesShape {
    pub allow: List<AllowShape>,
    pub deny: List<DenyShape>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AllowShape {
    #[schemars(required)]
    pub r#match: Option<String>,
    pub trace: List<String>,
    pub versions: Option<String>,
    #[schemars(required)]
    pub reason: Option<String>,
    pub link: Option<String>,
    pub expires: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DenyShape {
    #[schemars(required)]
    pub r#match: Option<String>,
    pub versions: Option<String>,
    #[schemars(required)]
    pub reason: Option<String>,
    pub link: Option<String>,
    pub expires: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
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

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct UserlandShape {
    pub packages: List<String>,
    pub image: Option<String>,
    pub files: Option<BTreeMap<String, Option<String>>>,
    pub users: List<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TestShape {
    /// Lower-case letters, digits and `-`.
    #[schemars(required)]
    pub name: Option<String>,
    /// The bug, in a sentence.
    #[schemars(required)]
    pub summary: Option<String>,
    /// The report, the discussion, the fix.
    pub links: List<String>,
    /// The commits that brought the bug and removed it.
    pub history: Option<HistoryShape>,
    /// What the kernel must offer; without it the cell is skipped.
    pub needs: Option<NeedsShape>,
    /// The virtual hardware.
    pub machine: Option<MachineShape>,
    /// Files that the program finds beside itself in the guest.
    pub files: List<String>,
    /// Kernel parameters set before the program starts.
    pub sysctl: Option<BTreeMap<String, Option<String>>>,
    /// Steps that make files on the host, without root.
    pub prepare: List<PrepareShape>,
    /// What runs in the guest.
    #[schemars(required)]
    pub program: Option<ProgramShape>,
    /// How much work makes the absence of the symptom believable.
    pub dose: Option<DoseShape>,
    /// How long an attempt may take.
    pub timeout: Option<TimeoutShape>,
    /// When the kernel calls a task hung.
    pub hang: Option<HangShape>,
    /// Of tests that wait the one with the highest number begins, -100 to 100.
    pub priority: Option<String>,
    /// One of the suite's groups.
    pub group: Option<String>,
    /// Why each attempt boots its guest instead of restoring one.
    pub boots: Option<String>,
    /// The root file system that the program runs in.
    pub userland: Option<UserlandShape>,
    /// Files of the kernel's package that the guest has.
    pub kernel_files: List<String>,
    /// How the bug shows itself.
    #[schemars(required)]
    pub symptom: Option<SymptomShape>,
    /// The test that this one is the control of.
    pub control_of: Option<String>,
    /// What was seen earlier; decides how a result is shown, never the verdict.
    pub known: List<KnownShape>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HistoryShape {
    pub introduced: Option<CommitShape>,
    pub exposed: Option<CommitShape>,
    pub fixed: Option<CommitShape>,
    pub also_fixed: List<CommitShape>,
    pub cves: List<String>,
    pub files: List<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CommitShape {
    #[schemars(required)]
    pub commit: Option<String>,
    pub version: Option<String>,
    pub title: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct NeedsShape {
    /// Kernel modules, loaded before the program starts.
    pub modules: List<String>,
    /// Options without CONFIG_: KASAN, SLUB_DEBUG=y.
    pub config: List<String>,
    /// Versions on which the test makes sense: 6.12..
    pub kernel: Option<String>,
    /// How long the guest must have been up.
    pub uptime: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct MachineShape {
    /// A machine's name: vm/NAME.yaml, or one beside the suite.
    pub base: Option<String>,
    /// Virtual cpus.
    pub cpus: Option<String>,
    /// 512M, 1G.
    pub memory: Option<String>,
    /// Arguments added to the kernel's command line.
    pub cmdline: List<String>,
    /// Throw-away disks.
    pub disks: List<DiskShape>,
    /// How the guest's time passes while its processors are idle.
    #[schemars(extend("enum" = words(&CLOCKS)))]
    pub clock: Option<String>,
    /// What may execute it: kvm makes a skip where there is none.
    #[schemars(extend("enum" = words(&ACCELS)))]
    pub accel: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DiskShape {
    #[schemars(required)]
    pub name: Option<String>,
    pub image: Option<String>,
    pub blank: Option<String>,
    pub variable: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct PrepareShape {
    #[schemars(required)]
    pub shell: Option<String>,
    #[schemars(required)]
    pub output: Option<String>,
    pub tools: List<String>,
    pub inputs: List<String>,
    pub timeout: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct DoseShape {
    /// How long the program runs.
    pub seconds: Option<String>,
    /// How many rounds it does.
    pub rounds: Option<String>,
    /// Clean attempts for a `good`.
    pub attempts: Option<String>,
    /// Measured chance that an attempt on a bad kernel shows the symptom.
    pub chance: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct TimeoutShape {
    /// From here on it is shown as slow: 30s.
    pub slow: Option<String>,
    /// Here it is ended: 2m.
    pub terminate: Option<String>,
}

#[derive(Debug, Default, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct HangShape {
    pub seconds: Option<String>,
}

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct KnownShape {
    #[schemars(required)]
    pub versions: Option<String>,
    #[schemars(required)]
    #[schemars(extend("enum" = words(&VERDICTS)))]
    pub verdict: Option<String>,
    /// The old word for `reason`.
    pub note: Option<String>,
    /// Why, in a sentence.
    pub reason: Option<String>,
    /// Where more is said about it.
    pub link: Option<String>,
    /// The day on which the entry was written: 2026-11-29. Without `expires` it holds for 180 days.
    pub since: Option<String>,
    /// The last day on which the entry holds, or `never`.
    pub expires: Option<String>,
}
