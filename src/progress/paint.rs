//! Colour, where the stream and the environment want it.

use console::Style;

/// Whether text is coloured. `NO_COLOR`, `CLICOLOR`, `CLICOLOR_FORCE`, a dumb terminal and a stream that is no
/// terminal are obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint(bool);

/// What a coloured word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// A bug.
    Bad,
    /// Something between: known, not judged, slow.
    Warn,
    /// Left out for a reason.
    Skip,
    /// A name to be found quickly.
    Name,
    /// Less important than the rest.
    Dim,
}

impl Paint {
    /// Never.
    pub const OFF: Paint = Paint(false);
    /// Always.
    pub const ON: Paint = Paint(true);

    /// As standard output wants it.
    pub fn for_stdout() -> Paint {
        Paint(console::colors_enabled())
    }

    /// As standard error wants it.
    pub fn for_stderr() -> Paint {
        Paint(console::colors_enabled_stderr())
    }

    /// `text` in the colour of `tone`.
    pub fn apply(self, tone: Tone, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let style = Style::new();
        let style = match tone {
            Tone::Good => style.green().bold(),
            Tone::Bad => style.red().bold(),
            Tone::Warn => style.yellow().bold(),
            Tone::Skip => style.cyan(),
            Tone::Name => style.bold(),
            Tone::Dim => style.dim(),
        };
        style.apply_to(text).force_styling(true).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_added_only_when_wanted() {
        assert_eq!(Paint::OFF.apply(Tone::Bad, "FAIL"), "FAIL");
        assert_eq!(Paint::ON.apply(Tone::Bad, "FAIL"), "\u{1b}[31m\u{1b}[1mFAIL\u{1b}[0m");
    }
}
