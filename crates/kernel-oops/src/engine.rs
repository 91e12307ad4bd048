//! The engine: rules in, console in, reports out.

use std::io::Read as _;
use std::sync::LazyLock;

use memchr::memmem;

use super::console::{Context, Line, facility};
use super::dialect::Dialect;
use super::header::{Header, LineFinder};
use super::kind::ReportKind;
use super::pattern::Pattern;
use super::reading::{Findings, Reading};
use super::report::Report;
use super::rules::{Family, Rule, RuleError, RuleFile, Words};
use super::stack::{PickForm, TraceForm};

/// The rules that come with the program.
const EMBEDDED: &str = include_str!("rules.yaml");

/// What repeats a report in other words comes within so many bytes behind it.
const ECHO_REACH: usize = 1024;

/// So many lines that may begin reports are remembered.
const MAX_CANDIDATES: usize = 65_536;

/// So far apart are the lines from whose neighbourhood the form of a console is learned.
const LESSON_REACH: usize = 16 << 10;

/// A console that is read from somewhere is looked at in pieces of this size …
const WINDOW: usize = 8 << 20;

/// … and read in pieces of this one.
const CHUNK: usize = 1 << 20;

/// Reads consoles by a set of rules.
#[derive(Debug)]
pub struct Engine {
    pub(super) finder: LineFinder,
    pub(super) families: Vec<Family>,
    suppressions: Vec<(String, Option<Pattern>)>,
    cuts: Vec<String>,
    continuations: Option<Pattern>,
    dividers: Vec<String>,
    aftermath: Option<Pattern>,
    panicked: Option<Pattern>,
    replay: Option<String>,
    pub(super) other_traces: Option<Pattern>,
    pub(super) form: TraceForm,
    pub(super) pick: PickForm,
    kinds: Vec<(ReportKind, Vec<String>)>,
    pub(super) subjects: Vec<Pattern>,
}

impl Engine {
    /// The engine with the rules that come with the program.
    pub fn embedded() -> &'static Engine {
        static ENGINE: LazyLock<Engine> = LazyLock::new(|| {
            let file = serde_yaml::from_str(EMBEDDED).expect("the embedded rules are tested");
            Engine::compile(&file, true).expect("the embedded rules are tested")
        });
        &ENGINE
    }

    /// The embedded rules with a user's on top: the rules of a family are tried before the embedded ones of the same
    /// header, everything else is added.
    ///
    /// # Errors
    /// If the text is no rule file, a pattern is no regular expression, or a title uses what its rule does not provide.
    pub fn with_overlay(text: &str) -> Result<Engine, RuleError> {
        let mut file: RuleFile = serde_yaml::from_str(EMBEDDED)?;
        file.lay_over(serde_yaml::from_str(text)?);
        Engine::compile(&file, false)
    }

    /// `trusted`: the patterns are known to be right, and are compiled when they are first used.
    fn compile(file: &RuleFile, trusted: bool) -> Result<Engine, RuleError> {
        let words = Words { words: &file.words, trusted };
        let families: Vec<Family> =
            file.families.iter().map(|family| family.compile(&words)).collect::<Result<_, _>>()?;
        let strings: Vec<&str> = families
            .iter()
            .map(|family| family.header.as_str())
            .chain(file.suppressions.iter().map(|suppression| suppression.find.as_str()))
            .chain(file.cuts.iter().map(String::as_str))
            .collect();
        let finder = LineFinder::new(&strings).ok_or_else(|| RuleError::Pattern {
            pattern: strings.join(" | "),
            reason: "there are more headers than can be searched for at once".to_owned(),
        })?;
        let mut starts = Vec::new();
        for (patterns, must) in [(&file.trace_starts, true), (&file.trace_starts_maybe, false)] {
            for pattern in patterns {
                starts.push((words.regex(pattern)?, must));
            }
        }
        let form = TraceForm {
            starts,
            lines: file.trace_lines.iter().map(|pattern| words.regex(pattern)).collect::<Result<_, _>>()?,
            breakers: words.any(&file.trace_breakers)?,
            pointer: words.regex("@IP")?,
            nowhere: words.regex("@NOWHERE")?,
            jumped: words.regex("@JUMPED")?,
        };
        let pairs = |map: &std::collections::BTreeMap<String, String>| {
            map.iter().map(|(part, name)| (part.clone(), name.clone())).collect()
        };
        let pick = PickForm {
            skip: words.any(&file.skip)?,
            stall_anchors: words.any(&file.stall_anchors)?,
            stall_names: pairs(&file.stall_names),
            hang_names: pairs(&file.hang_names),
            hang_skip: file.hang_skip.as_deref().map(|pattern| words.regex(pattern)).transpose()?,
            syscall_prefixes: file.syscall_prefixes.clone(),
        };
        let suppressions = file
            .suppressions
            .iter()
            .map(|entry| {
                Ok((entry.find.clone(), entry.pattern.as_deref().map(|p| words.regex(p)).transpose()?))
            })
            .collect::<Result<_, RuleError>>()?;
        Ok(Engine {
            finder,
            families,
            suppressions,
            cuts: file.cuts.clone(),
            continuations: words.any(&file.continuations)?,
            dividers: file.dividers.clone(),
            aftermath: words.any(&file.aftermath)?,
            panicked: file.panicked.as_deref().map(|pattern| words.regex(pattern)).transpose()?,
            replay: file.replay.clone(),
            other_traces: words.any(&file.other_traces)?,
            form,
            pick,
            kinds: file.kinds.iter().map(|entry| (entry.kind, entry.titles.clone())).collect(),
            subjects: file.subjects.iter().map(|pattern| words.regex(pattern)).collect::<Result<_, _>>()?,
        })
    }

    /// All reports in a console, in the order in which they begin.
    pub fn diagnose(&self, console: &[u8]) -> Vec<Report> {
        let mut reading = Reading::new(self);
        reading.take(console, true);
        reading.finish().reports
    }

    /// As [`Engine::diagnose`], with what the reports do not tell, and with those that `allow` knows to do no harm set
    /// aside. `allow` is given each report and its first line without time stamp.
    ///
    /// Reports that are set aside hide no other one: a sign of a defect that counts only where there is no report
    /// counts, and a header that would continue the report before it begins one of its own behind that one's lines.
    pub fn diagnose_allowing(&self, console: &[u8], allow: &dyn Fn(&Report, &[u8]) -> bool) -> Findings {
        let mut reading = Reading::new(self).allowing(allow);
        reading.take(console, true);
        reading.finish()
    }

    /// All reports in a console that is read from somewhere, in bounded memory however long it is.
    ///
    /// # Errors
    /// If reading fails.
    pub fn diagnose_reader(&self, source: impl std::io::Read) -> std::io::Result<Findings> {
        self.diagnose_reader_allowing(source, &|_, _| false)
    }

    /// As [`Engine::diagnose_allowing`], in bounded memory however long the console is.
    ///
    /// # Errors
    /// If reading fails.
    pub fn diagnose_reader_allowing(
        &self,
        mut source: impl std::io::Read,
        allow: &dyn Fn(&Report, &[u8]) -> bool,
    ) -> std::io::Result<Findings> {
        let mut reading = Reading::new(self).allowing(allow);
        let mut window = Vec::with_capacity(WINDOW + CHUNK);
        loop {
            let got = source.by_ref().take(CHUNK as u64).read_to_end(&mut window)?;
            if got == 0 {
                reading.take(&window, true);
                return Ok(reading.finish());
            }
            if window.len() >= WINDOW {
                let done = reading.take(&window, false);
                window.drain(..done);
            }
        }
    }

    /// The strings that the first line of a report contains one of.
    pub fn headers(&self) -> impl Iterator<Item = &str> {
        self.families.iter().map(|family| family.header.as_str())
    }

    /// The lines that may begin reports, as far as there are not too many of them, and where to look for more. From
    /// their neighbourhood it is learned in which forms the console is kept.
    pub(super) fn candidates(&self, console: &[u8], dialect: &mut Dialect) -> (Vec<(usize, usize)>, usize) {
        let mut lines = Vec::new();
        let (mut at, mut lesson) = (0, 0);
        while lines.len() < MAX_CANDIDATES {
            let Some((start, end)) = self.finder.next_line(console, at) else {
                at = console.len();
                break;
            };
            at = end;
            lines.push((start, end));
            if start >= lesson {
                dialect.learn(console, start, end);
                lesson = start + LESSON_REACH;
            }
        }
        (lines, at)
    }

    /// Whether a header only repeats in other words what the report with this title, that begins and ends there, has
    /// said.
    pub(super) fn is_echo(
        &self,
        line: &[u8],
        title: &str,
        (start, end): (usize, usize),
        header: &Header,
    ) -> bool {
        if header.aftermath || header.start - start < header.within {
            return true;
        }
        if header.start > end.saturating_add(ECHO_REACH) {
            return false;
        }
        match self.families[header.family].header.as_str() {
            _ if header.continuation => true,
            // the track of an object inside a report about it
            "INFO:" => self.is_remnant(header.family, line),
            // one line of die() behind one of report_bug()
            "Kernel BUG" => title.starts_with("kernel BUG"),
            _ => false,
        }
    }

    fn is_remnant(&self, family: usize, line: &[u8]) -> bool {
        let rules = &self.families[family].rules;
        rules.iter().find(|rule| rule.pattern.is_match(line)).is_some_and(|rule| rule.damaged)
    }

    /// Whether the line says that the log proves nothing.
    pub(super) fn suppresses(&self, line: &[u8]) -> bool {
        self.suppressions.iter().any(|(find, pattern)| {
            memmem::find(line, find.as_bytes()).is_some()
                && pattern.as_ref().is_none_or(|pattern| pattern.is_match(line))
        })
    }

    /// Whether the line says that the console was cut off.
    pub(super) fn cuts(&self, line: &[u8]) -> bool {
        self.cuts.iter().any(|cut| memmem::find(line, cut.as_bytes()).is_some())
    }

    /// Whether the line is the one of a panic.
    pub(super) fn panics(&self, line: &[u8]) -> bool {
        matches(&self.panicked, line)
    }

    /// Whether a console is divided somewhere in this text.
    pub(super) fn divides(&self, text: &[u8]) -> bool {
        self.dividers.iter().any(|divider| memmem::find(text, divider.as_bytes()).is_some())
    }

    /// The header that a line of this family is.
    pub(super) fn header(&self, family: usize, line: &[u8], start: usize) -> Header {
        Header {
            start,
            end: start + line.len(),
            family,
            continuation: matches(&self.continuations, line),
            within: self.families[family].within,
            aftermath: matches(&self.aftermath, line),
        }
    }

    /// Whether a line is only the beginning of one that is printed again; `behind` is what follows it.
    pub(super) fn is_replayed(&self, behind: &[u8]) -> bool {
        let behind = behind.strip_prefix(b"\r").unwrap_or(behind).strip_prefix(b"\n").unwrap_or_default();
        self.replay.as_ref().is_some_and(|replay| behind.starts_with(replay.as_bytes()))
    }

    /// The family whose report begins with this line, if one does.
    ///
    /// `stamped` tells whether the kernel's lines are known by their time stamps, `booted` whether the
    /// kernel has printed anything before.
    pub(super) fn family_of(
        &self,
        line: &[u8],
        stamped: impl FnOnce() -> bool,
        booted: impl FnOnce() -> bool,
    ) -> Option<usize> {
        if facility(line).is_some_and(|facility| facility > 0) {
            return None;
        }
        let parsed = Line::parse(line);
        let (stamped, booted) = (std::cell::LazyCell::new(stamped), std::cell::LazyCell::new(booted));
        let begins = |family: &Family| {
            let Some(at) = memmem::find(line, family.header.as_bytes()) else { return false };
            if matches(&family.ignore, line) || family.after_kernel && !*booted {
                return false;
            }
            if family.rules.iter().any(|rule| knows(rule, &parsed, line)) {
                return true;
            }
            let ahead = line.get(parsed.offset..at).unwrap_or_default();
            let foreign = parsed.context == Context::Foreign;
            if foreign && is_quoting(ahead) {
                return false;
            }
            let Some(plain) = &family.plain else { return true };
            plain.is_match(ahead) && (!foreign || !*stamped)
        };
        // a line may hold the headers of several families (`Internal error: Oops - BUG: …`)
        self.families.iter().position(begins)
    }

    /// Whether a line that begins a report of this family looks like nothing that a rule knows, and like no line of a
    /// kernel: a sentence that begins with `INFO:`.
    pub(super) fn is_mere_words(&self, family: usize, line: &[u8]) -> bool {
        let parsed = Line::parse(line);
        parsed.context == Context::Foreign
            && !self.families[family].rules.iter().any(|rule| knows(rule, &parsed, line))
    }

    /// Whether this function is never to blame: it reports, or it does for any caller what that caller asked for.
    pub(super) fn never_blames(&self, function: &str) -> bool {
        self.pick.skip.as_ref().is_some_and(|skip| skip.is_match(function.as_bytes()))
    }

    /// The class of defects a title belongs to.
    pub fn kind_of(&self, title: &str) -> ReportKind {
        let belongs = |titles: &Vec<String>| titles.iter().any(|prefix| title.starts_with(prefix.as_str()));
        self.kinds.iter().find(|(_, titles)| belongs(titles)).map_or(ReportKind::Unknown, |(kind, _)| *kind)
    }
}

/// Whether the rule knows the line. A line that does not look like one of the kernel's may quote it in a sentence.
fn knows(rule: &Rule, line: &Line<'_>, raw: &[u8]) -> bool {
    if line.context != Context::Foreign {
        return rule.pattern.is_match(line.text) || rule.pattern.is_match(raw);
    }
    rule.pattern.find(line.text).is_some_and(|found| !is_quoting(&line.text[..found.start()]))
}

/// Whether these words lead to a quotation: before a message of the kernel stand times and names that end in a colon or
/// a bracket, not words and not quotation marks.
fn is_quoting(ahead: &[u8]) -> bool {
    let ahead = ahead.trim_ascii();
    let last = ahead.last();
    last.is_some_and(|last| {
        last.is_ascii_alphabetic() || matches!(last, b'"' | b'\'' | b'`' | b',' | b'.' | b'(')
    }) || is_heading(ahead)
        || is_sentence(ahead)
        || is_program(ahead)
}

/// Whether this ends in the name and process id of a program, as syslog writes them (`app[811]:`). The kernel has no id.
fn is_program(ahead: &[u8]) -> bool {
    let Some(rest) = ahead.strip_suffix(b"]:") else { return false };
    let digits = rest.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let name = rest[..rest.len() - digits].strip_suffix(b"[");
    digits > 0 && name.and_then(|name| name.last()).is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether this begins the heading of a mail or of an issue.
fn is_heading(ahead: &[u8]) -> bool {
    const HEADINGS: [&[u8]; 5] = [b"Subject:", b"Re:", b"Fwd:", b"Title:", b"Summary:"];
    ahead.starts_with(b"#") || HEADINGS.iter().any(|heading| ahead.starts_with(heading))
}

/// Whether these are words of a sentence (`I get this on every boot:`): three in a row with nothing but letters. A time,
/// a host and a program have none.
fn is_sentence(ahead: &[u8]) -> bool {
    let ahead = ahead.strip_suffix(b":").unwrap_or(ahead);
    let mut row = 0;
    !ahead.ends_with(b"kernel")
        && ahead.split(|byte| *byte == b' ').any(|word| {
            row = if word.iter().all(u8::is_ascii_alphabetic) && !word.is_empty() { row + 1 } else { 0 };
            row == 3
        })
}

pub(super) fn matches(pattern: &Option<Pattern>, line: &[u8]) -> bool {
    pattern.as_ref().is_some_and(|pattern| pattern.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The embedded rules are compiled when they are first used, with an overlay all of them at once.
    #[test]
    fn every_embedded_pattern_is_one() {
        Engine::with_overlay("{}").expect("the embedded rules must be right");
    }

    #[test]
    fn names_of_programs_lead_to_their_words() {
        let table = [
            ("Nov 26 10:00:00 host app[811]:", true),
            ("Nov 26 10:00:00 host kernel:", false),
            ("[   12.345678] I[3:    kworker/3:2:  411]", false),
            ("[guest0/uart0]:", false),
            ("[811]:", false),
            ("]:", false),
        ];
        for (ahead, wanted) in table {
            assert_eq!(is_program(ahead.as_bytes()), wanted, "{ahead}");
        }
    }
}
