//! A damaged hunk's lines: what they can have been. The header says how many there were; a reading that does not
//! count right is none. Where several do, beside the source at most one fits.

use super::damage::{Damage, DamageKind, Fix};
use super::diff::{Body, Hunk, HunkLine, Kind, marked};
use super::text::{Line, shortened};

/// More readings than this are not looked at.
const MOST: usize = 64;

/// One way to read a damaged hunk.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    /// The lines.
    pub lines: Vec<HunkLine>,
    /// How many empty context lines are missing.
    pub lost_blanks: usize,
    /// Whether the white space at the start of lines is only what was left of it.
    pub loose: bool,
    /// What was joined to the hunk's header.
    pub section: Option<String>,
}

/// What a damaged hunk can have said.
#[derive(Clone, Debug, Default)]
pub struct Repair {
    /// The damage found.
    pub damages: Vec<Damage>,
    /// The ways to read it; exactly one that is not loose needs no source.
    pub readings: Vec<Reading>,
}

/// Reads a damaged hunk.
pub fn repair(hunk: &Hunk) -> Repair {
    match &hunk.body {
        Body::Whole(_) => Repair::default(),
        Body::Wrapped(damage) => Repair { damages: vec![damage.clone()], readings: Vec::new() },
        Body::RunTogether(_) => Repair {
            damages: vec![Damage {
                kind: DamageKind::LineBreaksLost,
                lines: vec![hunk.line],
                proof: format!("a hunk of {} and {} lines stands on one line", hunk.old.len, hunk.new.len),
                fix: Fix::None("nothing says where each line ended; fetch the raw mail".into()),
            }],
            readings: Vec::new(),
        },
        Body::Damaged { raw, at_end } => Search::new(hunk, raw).repair(*at_end),
    }
}

/// The reading of a whole hunk whose last line was broken in two, so that the count stays right.
pub fn with_tail(hunk: &Hunk) -> Option<(Reading, Damage)> {
    let (lines, tail) = (hunk.lines()?, hunk.tail.as_ref()?);
    let whole = Reading { lines: lines.to_vec(), lost_blanks: 0, loose: false, section: None };
    let damage = Damage {
        kind: DamageKind::LineWrapped,
        lines: vec![tail.number],
        proof: "it stands right behind the hunk, whose last line is in the source only with it".into(),
        fix: Fix::OneWay("joined to the line before".into()),
    };
    Some((joined(&whole, hunk, tail)?, damage))
}

/// A choice for a line without a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// It goes on with the line before.
    Joined,
    /// It is context that lost its mark.
    Context,
}

struct Search<'h> {
    hunk: &'h Hunk,
    raw: &'h [Line],
    found: Vec<(Reading, Vec<(usize, Choice)>)>,
}

impl<'h> Search<'h> {
    fn new(hunk: &'h Hunk, raw: &'h [Line]) -> Search<'h> {
        Search { hunk, raw, found: Vec::new() }
    }

    fn repair(mut self, at_end: bool) -> Repair {
        let empty = Reading { lines: Vec::new(), lost_blanks: 0, loose: false, section: None };
        self.walk(0, self.hunk.old.len, self.hunk.new.len, empty, &mut Vec::new());
        if self.found.is_empty() {
            return self.short(at_end);
        }
        let damages = self.damages();
        let readings = self.found.into_iter().map(|(reading, _)| reading).collect();
        Repair { damages, readings }
    }

    /// Tries the lines from `at` on; `old` and `new` are what the header still promises.
    fn walk(
        &mut self,
        at: usize,
        old: usize,
        new: usize,
        so_far: Reading,
        choices: &mut Vec<(usize, Choice)>,
    ) {
        if self.found.len() >= MOST {
            return;
        }
        if old == 0 && new == 0 {
            // what follows may be text, but no more lines of a hunk
            let goes_on = |line: &Line| marked(line).is_some_and(|marked| !marked.text.trim().is_empty());
            let wrapped = so_far
                .lines
                .last()
                .is_some_and(|last| last.text.ends_with(' ') && !last.text.trim().is_empty());
            if !self.raw[at..].iter().take(3).any(goes_on) && !wrapped {
                self.found.push((so_far.clone(), choices.clone()));
            }
            if !wrapped {
                return;
            }
        }
        let Some(line) = self.raw.get(at) else { return };
        if line.text.starts_with("\\ ") {
            let mut next = so_far;
            if let Some(last) = next.lines.last_mut() {
                last.newline = false;
            }
            return self.walk(at + 1, old, new, next, choices);
        }
        if let Some(marked) = marked(line) {
            let (of_old, of_new) = marked.kind.counts();
            if of_old <= old && of_new <= new {
                let mut next = so_far;
                next.lines.push(marked);
                self.walk(at + 1, old - of_old, new - of_new, next, choices);
            }
            return;
        }
        if !line.text.starts_with('\t')
            && let Some(joined) = joined(&so_far, self.hunk, line)
        {
            choices.push((at, Choice::Joined));
            self.walk(at + 1, old, new, joined, choices);
            choices.pop();
        }
        // git trims the text behind a header, so a blank at its end is where a mail client broke the line
        let ends_header =
            so_far.lines.is_empty() && self.hunk.section.ends_with(' ') && so_far.section.is_none();
        if old > 0 && new > 0 && !ends_header {
            let mut next = so_far;
            // one blank before a tab is all that can be missing
            next.loose |= !line.text.starts_with('\t');
            next.lines.push(HunkLine::new(Kind::Context, line.text.clone(), line.number));
            choices.push((at, Choice::Context));
            self.walk(at + 1, old - 1, new - 1, next, choices);
            choices.pop();
        }
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
                fix: Fix::OneWay(format!("joined to {where_to}")),
            });
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
        let line = differs.map_or(self.hunk.line, |(at, _)| self.raw[*at].number);
        let text = differs.map_or(String::new(), |(at, _)| shortened(&self.raw[*at].text));
        Damage {
            kind: DamageKind::LineWrapped,
            lines: vec![line],
            proof: format!("`{text}` has no mark"),
            fix: Fix::WithSource(format!(
                "line {line} either goes on with the line before or is context without its blank, and the hunk counts right both ways; the source decides"
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
                let reading = Reading { lines, lost_blanks: lost, loose: true, section: None };
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

/// The reading with the line joined to the one before, or to the hunk's header.
fn joined(so_far: &Reading, hunk: &Hunk, line: &Line) -> Option<Reading> {
    let mut next = so_far.clone();
    let text = line.text.trim_start();
    match next.lines.last_mut() {
        Some(last) => {
            if last.text.trim().is_empty() || !last.newline {
                return None;
            }
            if !last.text.ends_with(' ') {
                last.text.push(' ');
            }
            last.text.push_str(text);
        }
        None => {
            let section = next.section.get_or_insert_with(|| hunk.section.clone());
            if section.is_empty() {
                return None;
            }
            if !section.ends_with(' ') {
                section.push(' ');
            }
            section.push_str(text);
        }
    }
    Some(next)
}
