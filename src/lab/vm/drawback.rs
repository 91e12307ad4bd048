//! What another QEMU does better for some guests.

/// A reason to take a newer QEMU where there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawback {
    /// Clocks do not leap over idle time.
    NoTimeTravel,
    /// Programs are translated anew at each start.
    TranslatesEachStart,
}

impl Drawback {
    /// For a notice, of the QEMU that has it.
    pub fn reason(self) -> &'static str {
        match self {
            Drawback::NoTimeTravel => "as no clock leaps in the first one",
            Drawback::TranslatesEachStart => "as the first one translates programs anew at each start",
        }
    }
}
