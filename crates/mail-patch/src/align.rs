//! A hunk whose white space did not survive, laid beside the source: its context is there, letter for letter.
//!
//! The lines are compared with every run of white space taken as one blank. Context and removed lines are then the
//! source's own. What the added lines were follows from what became of the context's white space, or is immaterial: in
//! C, where no literal is touched, only the layout stays unknown, and the compiler sees the same.

use super::damage::{Damage, DamageKind, Fix, ranges};
use super::diff::{HunkLine, Kind};
use super::place::{self, Fit};
use super::reading::Reading;
use super::text::squeezed;

/// A hunk with its white space put back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aligned {
    /// The first line of the source that it stands on, from 0.
    pub start: usize,
    /// Its lines; context and removed ones are the source's.
    pub lines: Vec<HunkLine>,
    /// What was put back.
    pub damage: Vec<Damage>,
}

/// Why a hunk cannot be laid beside the source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoMatch {
    /// Its words are nowhere in the file in this order.
    Nowhere,
    /// What it makes of the file is there, at this line (from 0).
    Already(usize),
    /// It is damaged.
    Damaged(Vec<Damage>),
    /// Too much was looked at for other hunks.
    GaveUp,
    /// They are at several lines (from 0).
    Several(Vec<usize>),
    /// They are, but the white space of the added lines cannot be known and matters.
    Unknowable(String),
}

/// The source's lines that the old side stands on, and the empty ones among them that the hunk lacks.
struct Laid {
    start: usize,
    /// For each line of the hunk's old side its line of the source.
    on: Vec<usize>,
}

/// Lays a reading of a hunk on the file's lines from `from` on; `words` are the lines with their white space squeezed.
///
/// # Errors
/// It fits nowhere, or not in one way only.
pub fn align(
    file: &[&str],
    words: &[String],
    from: usize,
    reading: &Reading,
    wanted: usize,
    section: &str,
    path: &str,
) -> Result<Aligned, NoMatch> {
    let old: Vec<String> = place::old_side(&reading.lines).iter().map(|line| squeezed(&line.text)).collect();
    if old.is_empty() || old.iter().all(String::is_empty) {
        return Err(NoMatch::Nowhere);
    }
    let laid: Vec<Laid> =
        (from..file.len()).filter_map(|at| lay(words, &old, at, reading.lost_blanks)).collect();
    let places: Vec<usize> = laid.iter().map(|laid| laid.start).collect();
    let near = (wanted..=wanted + reading.lost_blanks).find(|line| places.contains(line)).unwrap_or(wanted);
    match place::choose(file, &places, near, section) {
        Fit::At { line, .. } => {
            let Some(laid) = laid.iter().find(|laid| laid.start == line) else {
                return Err(NoMatch::Nowhere);
            };
            rebuilt(file, reading, laid, path)
        }
        Fit::Several(lines) => Err(NoMatch::Several(lines)),
        Fit::Nowhere => Err(NoMatch::Nowhere),
    }
}

fn lay(words: &[String], old: &[String], start: usize, lost: usize) -> Option<Laid> {
    let mut on = Vec::with_capacity(old.len());
    let mut at = start;
    let mut skipped = 0;
    for text in old {
        while at > start && words.get(at)?.is_empty() && !text.is_empty() && skipped < lost {
            skipped += 1;
            at += 1;
        }
        if words.get(at)? != text {
            return None;
        }
        on.push(at);
        at += 1;
    }
    // the other lost lines stood at the hunk's edges
    let above = words[..start].iter().rev().take_while(|text| text.is_empty()).count();
    let below = words[at..].iter().take_while(|text| text.is_empty()).count();
    (above + below >= lost - skipped).then_some(Laid { start, on })
}

fn rebuilt(file: &[&str], reading: &Reading, laid: &Laid, path: &str) -> Result<Aligned, NoMatch> {
    let mut on = laid.on.iter().copied();
    let pairs: Vec<(&HunkLine, Option<usize>)> = reading
        .lines
        .iter()
        .map(|line| (line, if line.kind == Kind::Add { None } else { on.next() }))
        .collect();
    let space = WhiteSpace::of(file, &pairs);
    let added: Vec<&HunkLine> = reading.lines.iter().filter(|line| line.kind == Kind::Add).collect();
    if matches!(space, WhiteSpace::Lost) {
        check_immaterial(&added, path)?;
    }
    let mut lines: Vec<HunkLine> = Vec::new();
    let mut next = laid.start;
    let mut indent = String::new();
    let mut waiting: Vec<HunkLine> = Vec::new();
    for (line, at) in &pairs {
        let Some(at) = *at else {
            waiting.push(HunkLine { text: space.restored(&line.text, &indent), ..(*line).clone() });
            continue;
        };
        let blanks = (next..at).map(|_| HunkLine::new(Kind::Context, "", line.line));
        if waiting.first().is_some_and(|first| first.text.is_empty()) {
            lines.append(&mut waiting);
            lines.extend(blanks);
        } else {
            lines.extend(blanks);
            lines.append(&mut waiting);
        }
        lines.push(HunkLine { text: file[at].to_owned(), ..(*line).clone() });
        if !file[at].trim().is_empty() {
            indent = leading(file[at]).to_owned();
        }
        next = at + 1;
    }
    lines.append(&mut waiting);
    // between which of them an added line stood is the likeliest of several ways
    let order = (reading.lost_blanks > 0 && !added.is_empty()).then(|| Damage {
        kind: DamageKind::BlankLinesLost,
        lines: added.iter().map(|line| line.line).collect(),
        proof: "empty lines of the source stand around these".into(),
        fix: Fix::InPart("which of them stood above the added lines and which below is not known".into()),
    });
    let damage = space.damage(&reading.lines, &added).into_iter().chain(order).collect();
    Ok(Aligned { start: laid.start, damage, lines })
}

fn leading(text: &str) -> &str {
    &text[..text.len() - text.trim_start().len()]
}

/// What tabs at the start of lines became.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tabs {
    /// So many blanks each.
    Each(usize),
    /// Blanks up to the next eighth column, the mark of the diff being the first: what `expand` makes of a mail.
    Stops,
}

impl Tabs {
    fn blanks(self, tabs: usize) -> usize {
        match self {
            Tabs::Each(width) => tabs * width,
            Tabs::Stops => (tabs * 8).saturating_sub(1),
        }
    }

    fn restored(self, text: &str) -> String {
        let found = leading(text).len();
        let (tabs, blanks) = match self {
            Tabs::Each(width) => (found / width, found % width),
            Tabs::Stops if found < 7 => (0, found),
            Tabs::Stops => ((found + 1) / 8, (found + 1) % 8),
        };
        format!("{}{}{}", "\t".repeat(tabs), " ".repeat(blanks), text.trim_start())
    }
}

/// What became of the white space.
#[derive(Clone, Debug, PartialEq, Eq)]
enum WhiteSpace {
    /// Nothing.
    Kept,
    /// Each tab at the start of a line became so many blanks.
    Blanks(Tabs),
    /// It cannot be derived from what is left.
    Lost,
}

impl WhiteSpace {
    fn of(file: &[&str], pairs: &[(&HunkLine, Option<usize>)]) -> WhiteSpace {
        let old: Vec<(&HunkLine, &str)> = pairs
            .iter()
            .filter_map(|(line, at)| Some((*line, file[(*at)?])))
            .filter(|(line, _)| !line.text.trim().is_empty())
            .collect();
        if old.iter().all(|(line, source)| line.text == **source) {
            return WhiteSpace::Kept;
        }
        let added: Vec<&str> =
            pairs.iter().filter(|(_, at)| at.is_none()).map(|(line, _)| line.text.as_str()).collect();
        let tabs = |text: &str| leading(text).bytes().filter(|byte| *byte == b'\t').count();
        let blanks_only =
            old.iter().all(|(line, _)| tabs(&line.text) == 0) && added.iter().all(|text| tabs(text) == 0);
        if !blanks_only || old.iter().all(|(_, source)| tabs(source) == 0) {
            return WhiteSpace::Lost;
        }
        // format=flowed puts one more blank before a line that starts with one, which added lines do not
        let fits = |how: Tabs, stuffed: usize| {
            old.iter().all(|(line, source)| {
                let blanks = leading(source).len() - tabs(source);
                let stuffed = if line.kind == Kind::Context { stuffed } else { 0 };
                leading(&line.text).len() == how.blanks(tabs(source)) + blanks + stuffed
            })
        };
        let mut ways: Vec<Tabs> = (2..=8)
            .map(Tabs::Each)
            .chain([Tabs::Stops])
            .flat_map(|how| [(how, 0), (how, 1)])
            .filter(|(how, stuffed)| fits(*how, *stuffed))
            .map(|(how, _)| how)
            .collect();
        ways.dedup();
        let results = |how: Tabs| added.iter().map(|text| how.restored(text)).collect::<Vec<_>>();
        match ways.as_slice() {
            [] => WhiteSpace::Lost,
            [first, rest @ ..] if rest.iter().all(|how| results(*how) == results(*first)) => {
                WhiteSpace::Blanks(*first)
            }
            _ => WhiteSpace::Lost,
        }
    }

    fn restored(&self, text: &str, indent: &str) -> String {
        match self {
            WhiteSpace::Kept => text.to_owned(),
            WhiteSpace::Blanks(how) => how.restored(text),
            WhiteSpace::Lost if text.trim().is_empty() => String::new(),
            WhiteSpace::Lost => format!("{indent}{}", text.trim_start()),
        }
    }

    fn damage(&self, lines: &[HunkLine], added: &[&HunkLine]) -> Option<Damage> {
        let damage = |kind, lines: Vec<usize>, proof: &str, fix: Fix| {
            Some(Damage { kind, lines, proof: proof.to_owned(), fix })
        };
        match self {
            WhiteSpace::Kept => None,
            WhiteSpace::Blanks(tabs) => {
                let width = match tabs {
                    Tabs::Each(width) => format!("{width} blanks"),
                    Tabs::Stops => "7 blanks, and 8 behind them,".to_owned(),
                };
                let how = format!("context is taken from the source; {width} at the start of an added line are a tab, as in all of the context");
                let unknown: Vec<usize> =
                    added.iter().filter(|line| may_hold_tabs(&line.text)).map(|line| line.line).collect();
                damage(
                    DamageKind::TabsToBlanks,
                    lines.iter().map(|line| line.line).collect(),
                    "the context is in the source with tabs",
                    match unknown.is_empty() {
                        true => Fix::OneWay(how),
                        false => Fix::InPart(format!(
                            "{how}; whether the blanks inside {} were tabs is not known",
                            ranges(&unknown)
                        )),
                    },
                )
            }
            WhiteSpace::Lost => damage(
                DamageKind::IndentationLost,
                added.iter().map(|line| line.line).collect(),
                "the context is in the source but for its white space",
                Fix::InPart("context is taken from the source; how the added lines were indented is not known, and the compiler does not see it: test the result, do not commit it".into()),
            ),
        }
    }
}

/// Whether blanks behind the start of an added line may have been a tab: two or more, or one that ends where a tab does.
pub fn may_hold_tabs(text: &str) -> bool {
    const STOP: usize = 8;
    let blanks = leading(text).len();
    let inside: Vec<char> = text.chars().collect();
    (blanks..inside.len()).any(|at| {
        inside[at] == ' '
            && (inside.get(at + 1) == Some(&' ') || at + 1 == inside.len() || (at + 1) % STOP == 0)
    })
}

/// Whether white space means nothing in these added lines.
fn check_immaterial(added: &[&HunkLine], path: &str) -> Result<(), NoMatch> {
    if !path.ends_with(".c") && !path.ends_with(".h") {
        return Err(NoMatch::Unknowable(format!(
            "white space has a meaning in {path}, and that of the added lines is lost"
        )));
    }
    let literal = added
        .iter()
        .find(|line| line.text.split('"').skip(1).step_by(2).any(|inside| inside.contains([' ', '\t'])));
    match literal {
        Some(line) => Err(NoMatch::Unknowable(format!(
            "line {}: a string with blanks; whether it had one or several is lost",
            line.line
        ))),
        None => Ok(()),
    }
}
