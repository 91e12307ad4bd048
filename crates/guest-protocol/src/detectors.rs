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
    /// After the dose.
    pub after: Option<String>,
}

impl DetectorState {
    /// The first number before and after the dose.
    pub fn numbers(&self) -> (Option<i64>, Option<i64>) {
        let number = |text: &Option<String>| text.as_ref()?.split_whitespace().next()?.parse().ok();
        (number(&self.before), number(&self.after))
    }
}
