//! What the transport of a mail did to a patch, as facts: where, what, and whether it can be undone in exactly one way.

use serde::Serialize;

/// Kinds of damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum DamageKind {
    /// A line was broken in two.
    LineWrapped,
    /// Lines lost the blank that marks context.
    MarkLost,
    /// Empty lines were dropped.
    BlankLinesLost,
    /// Runs of white space became one blank, or none at the start of lines.
    IndentationLost,
    /// Tabs became blanks.
    TabsToBlanks,
    /// `=3D` and `=20` were not decoded.
    QuotedPrintable,
    /// `&lt;` and the like of a web page.
    Entities,
    /// No-break spaces in place of blanks.
    NoBreakSpaces,
    /// Lines were stuffed and joined as `format=flowed` allows.
    Flowed,
    /// Lines end with carriage returns.
    CarriageReturns,
    /// The end is missing.
    Truncated,
    /// A hunk holds another number of lines than it announces.
    Miscounted,
    /// All line breaks are gone.
    LineBreaksLost,
    /// Every line is quoted, as in an answer.
    Quoted,
    /// An empty line stands behind every line.
    DoubleSpaced,
    /// A hunk's header is not one.
    HunkHeader,
    /// A file's section has no hunk.
    NoHunk,
    /// The diff is not what the mail's statistics say.
    StatDiffers,
    /// The result is not the file that the patch was made with.
    OtherResult,
    /// Quotes as they are set in print, where a program's text has others.
    TypographicQuotes,
    /// The text is in another character set than the source.
    Charset,
}

impl DamageKind {
    /// In a sentence.
    pub fn words(self) -> &'static str {
        match self {
            DamageKind::LineWrapped => "line wrapped",
            DamageKind::MarkLost => "leading blanks stripped",
            DamageKind::BlankLinesLost => "blank lines dropped",
            DamageKind::IndentationLost => "indentation lost",
            DamageKind::TabsToBlanks => "tabs turned into blanks",
            DamageKind::QuotedPrintable => "quoted-printable left undecoded",
            DamageKind::Entities => "HTML entities left undecoded",
            DamageKind::NoBreakSpaces => "blanks turned into no-break spaces",
            DamageKind::Flowed => "format=flowed",
            DamageKind::CarriageReturns => "carriage returns",
            DamageKind::Truncated => "truncated",
            DamageKind::Miscounted => "line count wrong",
            DamageKind::LineBreaksLost => "line breaks lost",
            DamageKind::Quoted => "quoted",
            DamageKind::DoubleSpaced => "double line spacing",
            DamageKind::HunkHeader => "hunk header damaged",
            DamageKind::NoHunk => "no hunk below the header",
            DamageKind::StatDiffers => "not what the diffstat says",
            DamageKind::OtherResult => "not the file that was sent",
            DamageKind::TypographicQuotes => "typographic quotes",
            DamageKind::Charset => "other character set",
        }
    }
}

/// Whether and how a damage can be undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "can", content = "how")]
pub enum Fix {
    /// In exactly one way; the text says which.
    OneWay(String),
    /// But for something that is lost; the text says what.
    InPart(String),
    /// Only beside the source that the patch is for.
    WithSource(String),
    /// Not without guessing.
    None(String),
}

impl Fix {
    /// What can be done, or why nothing can.
    pub fn text(&self) -> &str {
        match self {
            Fix::OneWay(text) | Fix::InPart(text) | Fix::WithSource(text) | Fix::None(text) => text,
        }
    }
}

/// One damage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Its kind; `what` in JSON.
    #[serde(rename = "what")]
    pub kind: DamageKind,
    /// The lines of the input that show it.
    pub lines: Vec<usize>,
    /// How it was found.
    pub proof: String,
    /// What can be done; `cure` in JSON.
    #[serde(rename = "cure")]
    pub fix: Fix,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}: {}; ", ranges(&self.lines), self.kind.words(), self.proof)?;
        match &self.fix {
            Fix::OneWay(how) => write!(f, "repairable: {how}"),
            Fix::InPart(how) => write!(f, "repairable in part: {how}"),
            Fix::WithSource(how) => write!(f, "repairable beside the source: {how}"),
            Fix::None(why) => write!(f, "not repairable: {why}"),
        }
    }
}

/// Line numbers for a reader: `line 7`, `lines 3-5, 9`.
pub fn ranges(lines: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    let mut sorted = lines.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    for line in &sorted {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == *line => *last = *line,
            _ => runs.push((*line, *line)),
        }
    }
    const SHOWN: usize = 6;
    let more =
        if runs.len() > SHOWN { format!(" and {} more places", runs.len() - SHOWN) } else { String::new() };
    let shown: Vec<String> = runs
        .iter()
        .take(SHOWN)
        .map(|(first, last)| if first == last { first.to_string() } else { format!("{first}-{last}") })
        .collect();
    let word = if sorted.len() == 1 { "line" } else { "lines" };
    format!("{word} {}{more}", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_numbers_are_put_together() {
        assert_eq!(ranges(&[7]), "line 7");
        assert_eq!(ranges(&[9, 3, 4, 5, 4]), "lines 3-5, 9");
        assert_eq!(
            ranges(&(0..20).map(|n| n * 2).collect::<Vec<_>>()),
            "lines 0, 2, 4, 6, 8, 10 and 14 more places"
        );
    }
}
