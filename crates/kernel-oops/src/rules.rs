//! The rule file: its shape, and the regular expressions made of it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::kind::ReportKind;
use super::pattern::Pattern;

/// Why a rule file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuleError {
    /// The text is no YAML, or has unknown keys or values of the wrong type.
    #[error("the rules cannot be read: {source}")]
    Syntax {
        /// What the YAML reader says, with line and column.
        #[from]
        source: serde_yaml::Error,
    },
    /// A pattern is no regular expression, or uses a word that is not defined.
    #[error("`{pattern}` is no usable pattern: {reason}")]
    Pattern {
        /// The pattern as it stands in the file.
        pattern: String,
        /// What is wrong with it and what to do.
        reason: String,
    },
    /// A title uses a capture that its pattern does not have.
    #[error(
        "the title `{title}` uses {{{placeholder}}}, which its rule does not provide: the pattern has {captures} \
         captures ({{1}} is the first), a function ({{frame}}, {{frame2}}) needs `blame`, and {{place}} needs `place` and \
         must stand at the end"
    )]
    Placeholder {
        /// The title as it stands in the file.
        title: String,
        /// What stands between the braces.
        placeholder: String,
        /// How many captures the pattern has.
        captures: usize,
    },
}

/// The rule file as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RuleFile {
    pub(super) words: BTreeMap<String, String>,
    pub(super) trace_starts: Vec<String>,
    pub(super) trace_starts_maybe: Vec<String>,
    pub(super) trace_lines: Vec<String>,
    pub(super) trace_breakers: Vec<String>,
    pub(super) other_traces: Vec<String>,
    pub(super) continuations: Vec<String>,
    pub(super) dividers: Vec<String>,
    pub(super) aftermath: Vec<String>,
    pub(super) panicked: Option<String>,
    pub(super) replay: Option<String>,
    pub(super) suppressions: Vec<Suppression>,
    pub(super) cuts: Vec<String>,
    pub(super) syscall_prefixes: Vec<String>,
    pub(super) skip: Vec<String>,
    pub(super) stall_anchors: Vec<String>,
    pub(super) stall_names: BTreeMap<String, String>,
    pub(super) hang_names: BTreeMap<String, String>,
    pub(super) hang_skip: Option<String>,
    pub(super) families: Vec<FamilyText>,
    pub(super) kinds: Vec<KindText>,
    pub(super) subjects: Vec<String>,
}

impl RuleFile {
    /// Puts another file on top of this one.
    pub(super) fn lay_over(&mut self, upper: RuleFile) {
        self.words.extend(upper.words);
        for (lower, upper) in [
            (&mut self.trace_starts, upper.trace_starts),
            (&mut self.trace_starts_maybe, upper.trace_starts_maybe),
            (&mut self.trace_lines, upper.trace_lines),
            (&mut self.trace_breakers, upper.trace_breakers),
            (&mut self.other_traces, upper.other_traces),
            (&mut self.continuations, upper.continuations),
            (&mut self.dividers, upper.dividers),
            (&mut self.aftermath, upper.aftermath),
            (&mut self.cuts, upper.cuts),
            (&mut self.syscall_prefixes, upper.syscall_prefixes),
            (&mut self.skip, upper.skip),
            (&mut self.stall_anchors, upper.stall_anchors),
        ] {
            lower.extend(upper);
        }
        self.replay = upper.replay.or(self.replay.take());
        self.panicked = upper.panicked.or(self.panicked.take());
        self.suppressions.extend(upper.suppressions);
        self.stall_names.extend(upper.stall_names);
        self.hang_names.extend(upper.hang_names);
        self.hang_skip = match (self.hang_skip.take(), upper.hang_skip) {
            (Some(lower), Some(upper)) => Some(format!("{lower}|{upper}")),
            (lower, upper) => lower.or(upper),
        };
        for family in upper.families {
            match self.families.iter_mut().find(|known| known.header == family.header) {
                None => self.families.push(family),
                Some(known) => {
                    known.rules.splice(0..0, family.rules);
                    known.ignore.extend(family.ignore);
                    known.fatal |= family.fatal;
                    known.plain = family.plain.or(known.plain.take());
                }
            }
        }
        self.kinds.splice(0..0, upper.kinds);
        self.subjects.splice(0..0, upper.subjects);
    }
}

/// A line that makes the reports of a log worthless.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suppression {
    pub(super) find: String,
    #[serde(rename = "match")]
    pub(super) pattern: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindText {
    pub(super) kind: ReportKind,
    pub(super) titles: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FamilyText {
    pub(super) header: String,
    #[serde(default)]
    pub(super) fatal: bool,
    #[serde(default)]
    pub(super) after_kernel: bool,
    pub(super) part_of_report_within: Option<usize>,
    pub(super) plain: Option<String>,
    #[serde(default)]
    pub(super) ignore: Vec<String>,
    #[serde(default)]
    pub(super) rules: Vec<RuleText>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleText {
    #[serde(rename = "match")]
    pattern: String,
    within: Option<String>,
    title: String,
    #[serde(default)]
    also: Vec<String>,
    kind: Option<ReportKind>,
    alone: Option<String>,
    place: Option<String>,
    blame: Option<BlameText>,
    #[serde(default)]
    traceless: bool,
    #[serde(default)]
    damaged: bool,
    #[serde(default)]
    weak: bool,
    #[serde(default)]
    fatal: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BlameText {
    path: Vec<String>,
    #[serde(default)]
    otherwise: Vec<String>,
    #[serde(default)]
    finally: Vec<String>,
    #[serde(default)]
    skip: Vec<String>,
    #[serde(default)]
    pick: Pick,
}

/// Which of the functions that are left is blamed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Pick {
    /// The topmost one.
    #[default]
    First,
    /// The one called by the dispatcher of a loop.
    Stall,
    /// The topmost one that does not merely wait.
    Hang,
}

/// One form of report.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) pattern: Pattern,
    pub(super) within: Option<Pattern>,
    pub(super) title: String,
    pub(super) also: Vec<String>,
    pub(super) kind: Option<ReportKind>,
    /// The title where nothing but the first line is left.
    pub(super) alone: Option<String>,
    /// Captures the line of a source file that `{place}` stands for.
    pub(super) place: Option<Pattern>,
    pub(super) blame: Option<Blame>,
    pub(super) traceless: bool,
    pub(super) damaged: bool,
    /// Only a report when the console has no other.
    pub(super) weak: bool,
    pub(super) fatal: bool,
}

/// How the function to blame is found.
#[derive(Debug)]
pub(super) struct Blame {
    pub(super) path: Vec<Step>,
    pub(super) otherwise: Vec<Step>,
    pub(super) last: Vec<Step>,
    /// Functions to step over besides those that are never to blame.
    pub(super) skip: Option<Pattern>,
    pub(super) pick: Pick,
}

/// One step through the text of a report.
#[derive(Debug)]
pub(super) enum Step {
    /// Go to the next line that matches; its first capture is a candidate.
    Line(Pattern),
    /// Take the functions of the stack trace that begins here.
    Walk,
}

/// All reports whose first line contains `header`.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) header: String,
    pub(super) fatal: bool,
    pub(super) after_kernel: bool,
    /// So many bytes behind the first line of another report it is part of that one.
    pub(super) within: usize,
    pub(super) plain: Option<Pattern>,
    pub(super) ignore: Option<Pattern>,
    pub(super) rules: Vec<Rule>,
}

/// The words of a rule file, to put into its patterns.
pub(super) struct Words<'a> {
    pub(super) words: &'a BTreeMap<String, String>,
    /// Whether the file is known to be right, so that its patterns are compiled when they are first used.
    pub(super) trusted: bool,
}

impl Words<'_> {
    /// The pattern with every `@WORD` replaced.
    pub(super) fn regex(&self, pattern: &str) -> Result<Pattern, RuleError> {
        let fail = |reason: String| RuleError::Pattern { pattern: pattern.to_owned(), reason };
        let expanded = self.expand(pattern, 0).map_err(fail)?;
        if self.trusted {
            return Ok(Pattern::trusted(expanded));
        }
        Pattern::checked(expanded).map_err(|error| fail(error.to_string()))
    }

    /// All patterns as one alternative, or nothing if there are none.
    pub(super) fn any(&self, patterns: &[String]) -> Result<Option<Pattern>, RuleError> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let joined = patterns.iter().map(|pattern| format!("(?:{pattern})")).collect::<Vec<_>>().join("|");
        self.regex(&joined).map(Some).map_err(|error| {
            // name the one that is to blame
            patterns.iter().find_map(|pattern| self.regex(pattern).err()).unwrap_or(error)
        })
    }

    fn expand(&self, pattern: &str, depth: u8) -> Result<String, String> {
        if depth > 4 {
            return Err("the words of the rule file refer to each other in a circle".to_owned());
        }
        let mut out = String::with_capacity(pattern.len() * 2);
        let mut rest = pattern;
        while let Some(at) = rest.find('@') {
            out.push_str(&rest[..at]);
            let name_len =
                rest[at + 1..].bytes().take_while(|byte| byte.is_ascii_uppercase() || *byte == b'_').count();
            let name = &rest[at + 1..at + 1 + name_len];
            let Some(value) = self.words.get(name) else {
                let known = self.words.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err(format!("there is no word @{name}; known are {known}"));
            };
            out.push_str("(?:");
            out.push_str(&self.expand(value, depth + 1)?);
            out.push(')');
            rest = &rest[at + 1 + name_len..];
        }
        out.push_str(rest);
        Ok(out)
    }
}

impl FamilyText {
    pub(super) fn compile(&self, words: &Words<'_>) -> Result<Family, RuleError> {
        let rules =
            self.rules.iter().map(|rule| rule.compile(words, self.fatal)).collect::<Result<_, _>>()?;
        Ok(Family {
            header: self.header.clone(),
            fatal: self.fatal,
            after_kernel: self.after_kernel,
            within: self.part_of_report_within.unwrap_or(0),
            plain: self.plain.as_deref().map(|plain| words.regex(plain)).transpose()?,
            ignore: words.any(&self.ignore)?,
            rules,
        })
    }
}

impl RuleText {
    fn compile(&self, words: &Words<'_>, fatal: bool) -> Result<Rule, RuleError> {
        let pattern = words.regex(&self.pattern)?;
        let within = self.within.as_deref().map(|within| words.regex(within)).transpose()?;
        if !words.trusted {
            let captures = within.as_ref().unwrap_or(&pattern).captures_len() - 1;
            for title in std::iter::once(&self.title).chain(&self.also).chain(&self.alone) {
                check_placeholders(title, captures, self.blame.is_some(), self.place.is_some())?;
            }
        }
        let blame = self.blame.as_ref().map(|blame| blame.compile(words)).transpose()?;
        Ok(Rule {
            pattern,
            within,
            title: self.title.clone(),
            also: self.also.clone(),
            kind: self.kind,
            alone: self.alone.clone(),
            place: self.place.as_deref().map(|place| words.regex(place)).transpose()?,
            blame,
            traceless: self.traceless,
            damaged: self.damaged,
            weak: self.weak,
            fatal: self.fatal || fatal,
        })
    }
}

impl BlameText {
    fn compile(&self, words: &Words<'_>) -> Result<Blame, RuleError> {
        let steps = |path: &[String]| -> Result<Vec<Step>, RuleError> {
            path.iter()
                .map(|step| if step == "walk" { Ok(Step::Walk) } else { words.regex(step).map(Step::Line) })
                .collect()
        };
        Ok(Blame {
            path: steps(&self.path)?,
            otherwise: steps(&self.otherwise)?,
            last: steps(&self.finally)?,
            skip: words.any(&self.skip)?,
            pick: self.pick,
        })
    }
}

/// Every `{…}` of a title must stand for something.
fn check_placeholders(title: &str, captures: usize, blames: bool, placed: bool) -> Result<(), RuleError> {
    let mut rest = title;
    while let Some(open) = rest.find('{') {
        let Some(len) = rest[open..].find('}') else { break };
        let name = &rest[open + 1..open + len];
        let known = match name {
            "frame" | "frame2" => blames,
            "place" => placed && title.ends_with("{place}"),
            _ => name.parse::<usize>().is_ok_and(|number| (1..=captures).contains(&number)),
        };
        if !known {
            return Err(RuleError::Placeholder {
                title: title.to_owned(),
                placeholder: name.to_owned(),
                captures,
            });
        }
        rest = &rest[open + len + 1..];
    }
    Ok(())
}
