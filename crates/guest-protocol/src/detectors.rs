//! The state of the kernel's detectors around the dose.

use serde::{Deserialize, Serialize};

/// What one file of the kernel said of a detector, read by the agent through a descriptor that was open before the
/// program ran.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DetectorState {
    /// The setting, such as `kernel.hung_task_timeout_secs`.
    pub name: String,
    /// Just before the dose; absent: it could not be read.
    pub before: Option<String>,
    /// Why it could not be read, before the dose or after it. A kernel that has no such setting has no such state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What else it was while the program ran, as far as that was seen: it was looked at once a second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub meanwhile: Vec<String>,
    /// After the dose.
    pub after: Option<String>,
}

impl DetectorState {
    /// The first number before and after the dose.
    pub fn numbers(&self) -> (Option<i64>, Option<i64>) {
        let of = |text: &Option<String>| number(text.as_ref()?);
        (of(&self.before), of(&self.after))
    }

    /// Everything that it was later than before the dose, each with its first number.
    pub fn later(&self) -> impl Iterator<Item = (&str, Option<i64>)> {
        self.meanwhile.iter().chain(&self.after).map(|text| (text.as_str(), number(text)))
    }
}

fn number(text: &str) -> Option<i64> {
    text.split_whitespace().next()?.parse().ok()
}
