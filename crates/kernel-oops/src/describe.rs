//! Reading one report: what it is, whom it blames, what it is about.

use memchr::memmem;

use super::console::{Context, Line, facility};
use super::engine::{Engine, matches};
use super::excerpt::{self, Excerpt};
use super::header::Header;
use super::kind::ReportKind;
use super::own::OwnLines;
use super::report::Report;
use super::rules::{Family, Rule};
use super::stack::{Blamed, NO_FRAME};
use super::{damage, title};

/// So much of a report is looked at first to tell what it is.
const HEAD: usize = 8 << 10;

/// What the first line of a report and the text below it amount to.
struct Description {
    title: Vec<u8>,
    /// What the title ends in, and is no number that changes from run to run.
    place: Option<String>,
    also: Vec<Vec<u8>>,
    kind: Option<ReportKind>,
    traceless: bool,
    /// No rule matched: the header line itself is the title.
    plain: bool,
    weak: bool,
    /// Words that no rule knows, and no stack trace: any program can write them into the kernel's log.
    lonely: bool,
    damage: Option<&'static str>,
}

impl Engine {
    /// Reads the report that begins with `headers[which]`. What concerns the whole log is left open.
    /// The flag tells whether it only counts when there is no other.
    pub(super) fn read(
        &self,
        console: &[u8],
        headers: &[Header],
        which: usize,
        start_line: usize,
    ) -> (Report, bool) {
        let header = headers[which];
        let other_trace = |line: &[u8]| matches(&self.other_traces, line);
        let replayed = |behind: &[u8]| self.is_replayed(behind);
        let mut excerpt = excerpt::cut(console, headers, which, other_trace, replayed, false);
        // a kernel without frame pointers and tables for its unwinder (x86 up to 4.13) is sure of no function at all
        let unsure = excerpt.doubts && !self.has_frame(&excerpt.text) && {
            let all = excerpt::cut(console, headers, which, other_trace, replayed, true);
            let found = self.has_frame(&all.text);
            if found {
                excerpt = all;
            }
            found
        };
        let description = self.describe(&self.families[header.family], &excerpt.text[..excerpt.pure]);
        let damage = description.damage.or_else(|| {
            let traceless = description.traceless || description.plain;
            damage::reason(&description.title, &excerpt.text, traceless, &self.form)
        });
        let lonely = description.lonely && facility(&console[header.start..header.end]) != Some(0);
        let damage = damage.or(lonely.then_some("no rule knows the line, and no stack trace follows it"));
        let broken = description.plain && is_broken(&console[header.start..], header.end - header.start);
        let damage = damage.or(broken.then_some("the first line seems to be broken"));
        let damage = damage.or(unsure.then_some("every function of the stack trace is doubtful"));
        let damage = damage.or((header.end == console.len()).then_some("the log ends within the first line"));
        let headless = self.is_headless(&console[..header.end], &header, &excerpt.text);
        let damage = damage.or(headless.then_some("the log begins within the first line"));
        let raw_title = String::from_utf8_lossy(&description.title);
        let kind = description.kind.unwrap_or_else(|| self.kind_of(&raw_title));
        let mut title = title::stable(&description.title);
        if let Some(place) = &description.place {
            title = format!("{title} {place}");
        }
        let mut alt_titles = Vec::new();
        for alt in &description.also {
            let alt = title::stable(alt);
            if !alt_titles.contains(&alt) {
                alt_titles.push(alt);
            }
        }
        alt_titles.sort();
        let text = &excerpt.text[..excerpt.pure];
        let (task, pid, cpu) = self.subject(text);
        let hung = kind == ReportKind::Hang && title.starts_with("INFO: task ");
        let report = Report {
            // a title that ends in a line of a source file names no function
            frame: description
                .place
                .is_none()
                .then(|| title::blamed_frame(&title).map(str::to_owned))
                .flatten(),
            title,
            alt_titles,
            kind,
            corrupted: damage.is_some(),
            corrupted_reason: damage.map(str::to_owned),
            frames: self.functions(&excerpt, hung.then_some(pid)),
            suppressed: false,
            panicked: false,
            start: header.start,
            end: excerpt.end(header.end, |line| self.belongs(line)),
            start_line,
            task,
            pid,
            cpu,
        };
        (report, description.weak || lonely)
    }

    /// The rule that matches earliest in the text says what it is.
    fn describe(&self, family: &Family, text: &[u8]) -> Description {
        let first_line = memchr::memchr(b'\n', text).unwrap_or(text.len());
        // nearly always the first line decides; only a damaged report is searched to its end by every rule
        let head = &text[..memchr::memrchr(b'\n', &text[..text.len().min(HEAD)]).unwrap_or(text.len())];
        let decided = family.rules.iter().any(|rule| rule.pattern.is_match(head));
        let scope = if decided { head } else { text };
        let mut best: Option<usize> = None;
        let mut found: Option<Description> = None;
        for rule in &family.rules {
            let Some(matched) = rule.pattern.captures(scope) else { continue };
            let at = matched.get(0).map_or(0, |whole| whole.start());
            match best {
                Some(before) if at > before || at == before && found.is_some() => continue,
                Some(before) if at < before => found = None,
                _ => {}
            }
            best = Some(at);
            let matched = match &rule.within {
                None => matched,
                Some(within) => match within.captures(text) {
                    Some(matched) => matched,
                    None => continue,
                },
            };
            found = Some(self.fill(rule, text, &matched));
        }
        found.unwrap_or_else(|| {
            let at = memmem::find(&text[..first_line], family.header.as_bytes()).unwrap_or(0);
            Description {
                title: text[at..first_line].to_vec(),
                place: None,
                also: Vec::new(),
                kind: None,
                traceless: true,
                plain: true,
                weak: false,
                lonely: best.is_none() && !self.has_frame(text),
                damage: best.map(|_| "the report lacks what its first line promises"),
            }
        })
    }

    fn fill(&self, rule: &Rule, text: &[u8], matched: &regex::bytes::Captures<'_>) -> Description {
        let captures: Vec<&[u8]> =
            matched.iter().skip(1).map(|group| group.map_or(&b""[..], |group| group.as_bytes())).collect();
        let from = matched.get(0).map_or(0, |whole| whole.start());
        let (blamed, complete) = match &rule.blame {
            Some(blame) => self.form.blame(blame, &self.pick, &text[from..]),
            None => (Vec::new(), true),
        };
        let names: Vec<&[u8]> = blamed.iter().map(|frame| frame.name.as_bytes()).collect();
        let template = match &rule.alone {
            Some(alone) if !complete && self.is_alone(&text[from..]) => alone,
            _ => &rule.title,
        };
        let place = template.ends_with("{place}").then(|| place(rule, &text[from..])).flatten();
        let title = title::fill(template, &captures, &names);
        let mut also: Vec<Vec<u8>> =
            rule.also.iter().map(|alt| title::fill(alt, &captures, &names)).collect();
        for names in self.other_names(&blamed) {
            let names: Vec<&[u8]> = names.iter().map(|name| name.as_bytes()).collect();
            let other = title::fill(&rule.title, &captures, &names);
            if other != title {
                also.push(other);
            }
            also.extend(rule.also.iter().map(|alt| title::fill(alt, &captures, &names)));
        }
        let damage = if !complete {
            Some("no function to blame was found in the stack trace")
        } else if rule.damaged {
            Some("only a remnant of a report is there")
        } else {
            None
        };
        Description {
            title,
            place,
            also,
            kind: rule.kind,
            traceless: rule.traceless,
            plain: false,
            weak: rule.weak,
            lonely: false,
            damage,
        }
    }

    /// The blamed functions under their raw names, and with each system call prefix removed that one of them has.
    fn other_names(&self, blamed: &[Blamed]) -> Vec<Vec<String>> {
        let raw: Vec<String> = blamed.iter().map(|frame| frame.raw.clone()).collect();
        let mut all = vec![raw];
        for prefix in &self.pick.syscall_prefixes {
            let strip =
                |frame: &Blamed| frame.raw.strip_prefix(prefix.as_str()).unwrap_or(&frame.raw).to_owned();
            if blamed.iter().any(|frame| frame.raw.starts_with(prefix.as_str())) {
                all.push(blamed.iter().map(strip).collect());
            }
        }
        all
    }

    /// Whether nothing but first lines of reports is left, as of `dmesg | grep BUG`.
    fn is_alone(&self, text: &[u8]) -> bool {
        !text.split(|byte| *byte == b'\n').skip(1).any(|line| self.belongs(line))
    }

    /// The functions of the traces; of a hung task, those of its own stack.
    fn functions(&self, excerpt: &Excerpt, hung: Option<Option<u32>>) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        let mut own = hung.map(OwnLines::of);
        let mut is_first = true;
        for line in excerpt.text[..excerpt.pure].split(|byte| *byte == b'\n') {
            if own.as_mut().is_some_and(|own| !own.next(line, self.form.is_start(line))) {
                continue;
            }
            let is_frame = self.form.is_frame(line);
            let functions = self.form.functions(line, is_first || !is_frame);
            is_first = if is_frame { false } else { is_first || self.form.is_start(line) };
            for function in functions {
                let name = String::from_utf8_lossy(function);
                if name != NO_FRAME && names.last().is_none_or(|last| *last != name) {
                    names.push(name.into_owned());
                }
            }
        }
        names
    }

    /// The task, its process id and the CPU that a report is about.
    fn subject(&self, text: &[u8]) -> (Option<String>, Option<u32>, Option<u32>) {
        let text = &text[..text.len().min(16 << 10)];
        let (mut task, mut pid, mut cpu) = (None, None, None);
        for pattern in &self.subjects {
            let Some(found) = pattern.captures(text) else { continue };
            let word =
                |name| found.name(name).map(|group| String::from_utf8_lossy(group.as_bytes()).into_owned());
            let number = |name| word(name).and_then(|digits| digits.parse::<u32>().ok());
            // another task's line says nothing about this one
            if pid.is_some() && number("pid") != pid {
                continue;
            }
            task = task.or_else(|| word("task"));
            pid = pid.or_else(|| number("pid"));
            cpu = cpu.or_else(|| number("cpu"));
        }
        (task, pid, cpu)
    }

    /// Whether a report that begins with the log's first line has lost what stood above it. Of a line without a stamp
    /// nobody knows whether it is whole, only its words tell; the trap of BUG() stands below the line that says so.
    fn is_headless(&self, line: &[u8], header: &Header, text: &[u8]) -> bool {
        if header.start != 0 {
            return false;
        }
        let family = self.families[header.family].header.as_str();
        family.starts_with(' ') && Line::parse(line).context == Context::Foreign
            || family == "invalid opcode:" && memmem::find(text, b"<0f> 0b").is_some()
    }

    /// Whether the text has a line of a stack trace.
    fn has_frame(&self, text: &[u8]) -> bool {
        text.split(|byte| *byte == b'\n')
            .any(|line| memmem::find(line, b"+0x").is_some() && self.form.is_frame(line))
    }

    /// Whether a line looks like part of a report rather than like ordinary output.
    fn belongs(&self, line: &[u8]) -> bool {
        const WORDS: [&[u8]; 15] = [
            b" blocked on a ",
            b" blocked on an ",
            b"Modules linked in",
            b"---[ end trace",
            b"Code: ",
            b"Hardware name",
            b"Kernel panic",
            b"Comm:",
            b"CR2: ",
            b"Call Trace",
            b"=====",
            b"<TASK>",
            b"</TASK>",
            b"RSP: ",
            b"R13: ",
        ];
        self.form.is_start(line)
            || memmem::find(line, b"+0x").is_some() && self.form.is_frame(line)
            || WORDS.iter().any(|word| memmem::find(line, word).is_some())
            || self.form.pointer.is_match(line)
    }
}

/// Whether a stamped line, which ends at `end`, is followed by one that has no stamp: it may be the rest of it.
fn is_broken(text: &[u8], end: usize) -> bool {
    let next = text.get(end + 1..).unwrap_or_default();
    let next = &next[..memchr::memchr(b'\n', next).unwrap_or(next.len())];
    let is_foreign = |line: &[u8]| Line::parse(line).context == Context::Foreign;
    !is_foreign(&text[..end]) && is_foreign(next) && !next.trim_ascii().is_empty()
}

/// The line of a source file that a title names: from the root of the kernel's tree, or the bare file where the path is
/// that of a build machine.
fn place(rule: &Rule, text: &[u8]) -> Option<String> {
    let found = rule.place.as_ref()?.captures(text)?;
    let place = String::from_utf8_lossy(found.get(1)?.as_bytes()).into_owned();
    Some(match place.rsplit_once('/') {
        Some((_, file)) if place.starts_with('/') || place.contains("../") => file.to_owned(),
        _ => place,
    })
}
