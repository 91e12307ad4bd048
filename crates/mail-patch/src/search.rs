//! The ways to read a damaged hunk: lines without a mark continue the line before or are context, and the header says
//! how many there were.

use std::collections::HashSet;

use super::budget::Budget;
use super::damage::{Damage, DamageKind, Fix};
use super::diff::{self, Hunk, HunkLine, Kind, marked};
use super::reading::{BLANKS_UNKNOWN, Reading, Repair, behind_added, is_text, join};
use super::text::{Line, shortened};

/// Where there are more readings than this, none is tried.
const MOST: usize = 64;

/// A choice for a line without a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// It continues the line before.
    Joined,
    /// It is context that lost its mark.
    Context,
}

/// What matters of the lines read so far for how the next can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct ParseState {
    /// The next line.
    at: usize,
    /// What the header still promises of the old and the new file.
    old: usize,
    new: usize,
    last: Last,
    /// Whether something was joined to the header.
    section: bool,
    /// Whether a line was joined to another one or to the header, so that the mail is known to be wrapped.
    wrapped: bool,
}

/// The line before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Last {
    /// The header.
    Header,
    /// A line that nothing can be joined to.
    Closed,
    /// One with text, which ends with a blank or not, and is added or not.
    Open { blank: bool, added: bool },
}

impl Last {
    fn of(text: &str, kind: Kind) -> Last {
        match text.trim().is_empty() {
            true => Last::Closed,
            false => Last::Open { blank: text.ends_with(' '), added: kind == Kind::Add },
        }
    }

    /// The same line with this one joined to it.
    fn with(self, text: &str) -> Last {
        match self {
            Last::Open { added, .. } => Last::Open { blank: text.ends_with(' '), added },
            other => other,
        }
    }
}

/// How a hunk whose lines are all there can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Here.
    Here,
    /// With the line below, which is the rest of the last one.
    Below,
    /// In either way; the source decides.
    Either,
}

/// How a hunk that has all its lines can end, with this below it. Nothing but the source tells the rest of a line from a
/// text; of added lines it knows nothing, and where others were broken in two, this one is likelier than not.
fn end(state: ParseState, below: &[Line]) -> End {
    let text = below.first().is_some_and(is_text);
    match state.last {
        Last::Open { blank: true, .. } => End::Below,
        Last::Open { added: true, .. } if text && state.wrapped => End::Below,
        Last::Open { added: false, .. } if text && state.wrapped => End::Either,
        _ => End::Here,
    }
}

type Choices = Vec<(usize, Choice)>;

pub struct Search<'h> {
    hunk: &'h Hunk,
    raw: &'h [Line],
    budget: &'h Budget,
    /// Choices that count right.
    ways: Vec<Choices>,
    found: Vec<(Reading, Choices)>,
    /// Where nothing that follows counts right.
    dead: HashSet<ParseState>,
    gave_up: bool,
}

impl<'h> Search<'h> {
    /// Of a hunk with these lines below its header.
    pub fn new(hunk: &'h Hunk, raw: &'h [Line], budget: &'h Budget) -> Search<'h> {
        Search {
            hunk,
            raw,
            budget,
            ways: Vec::new(),
            found: Vec::new(),
            dead: HashSet::new(),
            gave_up: false,
        }
    }

    /// The ways that count right, with what is damaged; `at_end` says whether the text ends behind the lines.
    pub fn repair(mut self, at_end: bool) -> Repair {
        let (old, new) = (self.hunk.old.len, self.hunk.new.len);
        let start = ParseState { at: 0, old, new, last: Last::Header, section: false, wrapped: false };
        self.walk(start, &mut Vec::new());
        // what putting a line of a reading together takes
        const LINE: usize = 50;
        let lines = self.raw.len().min(old.saturating_add(new)).saturating_mul(self.ways.len());
        if self.gave_up || self.ways.len() > MOST || !self.budget.compare(lines.saturating_mul(LINE)) {
            return Repair { damages: vec![self.too_many()], readings: Vec::new() };
        }
        if self.ways.is_empty() {
            return self.short(at_end);
        }
        self.found = self.ways.iter().map(|choices| (self.reading(choices), choices.clone())).collect();
        let damages = self.damages();
        let readings = self.found.into_iter().map(|(reading, _)| reading).collect();
        Repair { damages, readings }
    }

    /// Tries the lines from the state's on. Only lines without a mark can be read in two ways.
    fn walk(&mut self, mut state: ParseState, choices: &mut Choices) -> bool {
        /// Lines without a mark that are looked at.
        const DEEPEST: usize = 800;
        /// What looking at one of them takes.
        const STEP: usize = 15;
        let start = state;
        let before = self.ways.len();
        while self.ways.len() <= MOST && !self.gave_up {
            if !self.budget.compare(STEP) || choices.len() > DEEPEST {
                self.gave_up = true;
                break;
            }
            if state.old == 0 && state.new == 0 {
                // what follows may be text, but no more lines of a hunk
                let goes_on = |line: &Line| marked(line).is_some_and(|marked| !marked.text.trim().is_empty());
                let rest = &self.raw[state.at..];
                let end = end(state, rest);
                if !self.budget.spend(rest.len()) {
                    self.gave_up = true;
                    break;
                }
                if !rest.iter().take(3).any(goes_on) && !diff::goes_on(rest) && end != End::Below {
                    self.ways.push(choices.clone());
                }
                if end == End::Here {
                    break;
                }
            }
            let Some(line) = self.raw.get(state.at) else { break };
            if line.text.starts_with("\\ ") {
                state.last = if state.last == Last::Header { Last::Header } else { Last::Closed };
            } else if let Some(marked) = marked(line) {
                let (of_old, of_new) = marked.kind.counts();
                if of_old > state.old || of_new > state.new {
                    break;
                }
                (state.old, state.new) = (state.old - of_old, state.new - of_new);
                state.last = Last::of(&marked.text, marked.kind);
            } else {
                self.branch(state, line, choices);
                break;
            }
            state.at += 1;
        }
        let alive = self.ways.len() > before;
        if !alive && !self.gave_up {
            self.dead.insert(start);
        }
        alive
    }

    fn branch(&mut self, state: ParseState, line: &Line, choices: &mut Choices) {
        let section = state.section || !self.hunk.section.is_empty();
        let joins = match state.last {
            Last::Header => section,
            Last::Closed => false,
            Last::Open { .. } => true,
        };
        let mut next = Vec::new();
        if joins && !line.text.starts_with('\t') {
            let header = state.last == Last::Header;
            next.push((
                Choice::Joined,
                ParseState {
                    at: state.at + 1,
                    last: state.last.with(&line.text),
                    section: state.section || header,
                    wrapped: true,
                    ..state
                },
            ));
        }
        // git trims the text behind a header, so a blank at its end is where a mail client broke the line
        let ends_header = state.last == Last::Header && self.hunk.section.ends_with(' ') && !state.section;
        if state.old > 0 && state.new > 0 && !ends_header {
            let (old, new) = (state.old - 1, state.new - 1);
            next.push((
                Choice::Context,
                ParseState { at: state.at + 1, old, new, last: Last::of(&line.text, Kind::Context), ..state },
            ));
        }
        for (choice, next) in next {
            if self.dead.contains(&next) {
                continue;
            }
            choices.push((state.at, choice));
            self.walk(next, choices);
            choices.pop();
        }
    }

    /// The hunk's lines by these choices.
    fn reading(&self, choices: &Choices) -> Reading {
        let mut reading = Reading::of(Vec::new());
        let (mut old, mut new) = (self.hunk.old.len, self.hunk.new.len);
        let mut choices = choices.iter().peekable();
        let mut unknown = Vec::new();
        for (at, line) in self.raw.iter().enumerate() {
            if old == 0 && new == 0 && choices.peek().is_none() {
                if line.text.starts_with("\\ ")
                    && let Some(last) = reading.lines.last_mut()
                {
                    last.newline = false;
                }
                let fix = Fix::InPart("whether it is the rest of that line or a text is not known".into());
                let loose = reading.lines.last().and_then(|last| behind_added(last, line, fix));
                // nothing was joined, or this would have been
                reading.unknown = loose;
                break;
            }
            if line.text.starts_with("\\ ") {
                if let Some(last) = reading.lines.last_mut() {
                    last.newline = false;
                }
                continue;
            }
            let choice = choices.next_if(|(of, _)| *of == at).map(|(_, choice)| *choice);
            let next = match (choice, marked(line)) {
                (Some(Choice::Joined), _) => {
                    match reading.lines.last_mut() {
                        Some(last) => {
                            if join(last, line) && last.kind == Kind::Add {
                                unknown.push(line.number);
                            }
                        }
                        None => {
                            let section = reading.section.get_or_insert_with(|| self.hunk.section.clone());
                            if !section.ends_with(' ') {
                                section.push(' ');
                            }
                            section.push_str(line.text.trim_start());
                        }
                    }
                    continue;
                }
                (Some(Choice::Context), _) => {
                    // one blank before a tab is all that can be missing
                    reading.loose |= !line.text.starts_with('\t');
                    HunkLine::new(Kind::Context, line.text.clone(), line.number)
                }
                (None, Some(marked)) => marked,
                (None, None) => break,
            };
            let (of_old, of_new) = next.kind.counts();
            (old, new) = (old.saturating_sub(of_old), new.saturating_sub(of_new));
            reading.lines.push(next);
        }
        if !unknown.is_empty() {
            reading.unknown = Some(Damage {
                kind: DamageKind::LineWrapped,
                lines: unknown,
                proof: "an added line was broken in two".into(),
                fix: Fix::InPart(BLANKS_UNKNOWN.into()),
            });
        }
        reading
    }

    fn too_many(&self) -> Damage {
        let tried = self.ways.len().min(MOST);
        self.miscounted(Fix::None(format!(
            "given up after {tried} ways to join or mark its lines that count right; fetch the raw mail"
        )))
    }

    fn damages(&self) -> Vec<Damage> {
        let [(reading, choices)] = self.found.as_slice() else { return vec![self.ambiguous()] };
        let of = |wanted: Choice| {
            let chosen = choices.iter().filter(|(_, choice)| *choice == wanted);
            chosen.map(|(at, _)| self.raw[*at].number).collect::<Vec<_>>()
        };
        let (joined, context) = (of(Choice::Joined), of(Choice::Context));
        let counts = format!("the hunk counts {} and {} lines", self.hunk.old.len, self.hunk.new.len);
        let mut damages = Vec::new();
        if !joined.is_empty() {
            let where_to = if reading.section.is_some() { "the hunk's header" } else { "the line before" };
            damages.push(Damage {
                kind: DamageKind::LineWrapped,
                lines: joined,
                proof: format!("no mark before it, and {counts} only without it"),
                fix: match reading.unknown {
                    Some(_) => Fix::InPart(BLANKS_UNKNOWN.into()),
                    None => Fix::OneWay(format!("joined to {where_to}")),
                },
            });
        } else if let Some(unknown) = &reading.unknown {
            damages.push(unknown.clone());
        }
        if !context.is_empty() && reading.loose {
            damages.push(Damage {
                kind: DamageKind::MarkLost,
                lines: context,
                proof: format!("no mark before them, and {counts} only with them"),
                fix: Fix::WithSource("context lines are taken from there, with their white space".into()),
            });
        } else if !context.is_empty() {
            damages.push(Damage {
                kind: DamageKind::MarkLost,
                lines: context,
                proof: format!("a tab stands first, and {counts} only with them"),
                fix: Fix::OneWay("the blank that marks context is put back".into()),
            });
        }
        if damages.is_empty() {
            damages.push(self.miscounted(Fix::OneWay("the lines behind the hunk's end are left out".into())));
        }
        damages
    }

    fn ambiguous(&self) -> Damage {
        let (first, second) = (&self.found[0].1, &self.found[1].1);
        let differs = second.iter().find(|choice| !first.contains(choice)).or(second.first());
        let other = match differs.is_some_and(|(at, _)| first.iter().all(|(of, _)| of != at)) {
            true => "stands behind the hunk",
            false => "is context without its blank",
        };
        let line = differs.map_or(self.hunk.line, |(at, _)| self.raw[*at].number);
        let text = differs.map_or(String::new(), |(at, _)| shortened(&self.raw[*at].text));
        Damage {
            kind: DamageKind::LineWrapped,
            lines: vec![line],
            proof: format!("`{text}` has no mark"),
            fix: Fix::WithSource(format!(
                "line {line} either continues the line before or {other}, and the hunk counts right both ways; the source decides"
            )),
        }
    }

    /// No reading has enough lines.
    fn short(self, at_end: bool) -> Repair {
        let mut lines: Vec<HunkLine> = Vec::new();
        let mut bare = Vec::new();
        for line in self.raw.iter().filter(|line| !line.text.starts_with("\\ ")) {
            match marked(line) {
                Some(line) => lines.push(line),
                None => {
                    bare.push(line.number);
                    lines.push(HunkLine::new(Kind::Context, line.text.clone(), line.number));
                }
            }
        }
        // empty lines behind the last one belong to the mail
        if at_end {
            while lines.last().is_some_and(|line| line.kind == Kind::Context && line.text.is_empty()) {
                lines.pop();
            }
        }
        let (old, new) = lines
            .iter()
            .map(|line| line.kind.counts())
            .fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let missing = (self.hunk.old.len.checked_sub(old), self.hunk.new.len.checked_sub(new));
        let proof = format!(
            "the hunk announces {} old and {} new lines and holds {old} and {new}",
            self.hunk.old.len, self.hunk.new.len
        );
        let at = self.raw.last().map_or(self.hunk.line, |line| line.number);
        let no_empty = self.raw.iter().all(|line| !line.text.trim().is_empty());
        match missing {
            (Some(lost), Some(also)) if lost == also && lost > 0 && no_empty && !at_end => {
                let mut damages = vec![Damage {
                    kind: DamageKind::BlankLinesLost,
                    lines: vec![self.hunk.line],
                    proof: format!("{proof}, and no empty line is among them"),
                    fix: Fix::WithSource(format!("{lost} empty context lines are taken from there")),
                }];
                if !bare.is_empty() {
                    damages.push(Damage {
                        kind: DamageKind::MarkLost,
                        lines: bare,
                        proof: "no mark before them".into(),
                        fix: Fix::WithSource(
                            "context lines are taken from there, with their white space".into(),
                        ),
                    });
                }
                let reading = Reading { lost_blanks: lost, loose: true, ..Reading::of(lines) };
                Repair { damages, readings: vec![reading] }
            }
            (Some(_), Some(_)) if at_end => {
                let why = "what the missing lines said is nowhere in the input; fetch the whole mail".into();
                let damage =
                    Damage { kind: DamageKind::Truncated, lines: vec![at], proof, fix: Fix::None(why) };
                Repair { damages: vec![damage], readings: Vec::new() }
            }
            _ => {
                let why = "no way to join or mark its lines counts right; fetch the raw mail".into();
                let damage = Damage { proof, ..self.miscounted(Fix::None(why)) };
                Repair { damages: vec![damage], readings: Vec::new() }
            }
        }
    }

    fn miscounted(&self, fix: Fix) -> Damage {
        let (old, new) = (self.hunk.old.len, self.hunk.new.len);
        Damage {
            kind: DamageKind::Miscounted,
            lines: vec![self.hunk.line],
            proof: format!("the hunk announces {old} old and {new} new lines and holds others"),
            fix,
        }
    }
}
