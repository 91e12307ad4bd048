//! What a reader of a report wants to know of a test besides its result: the journal has it once for each test, so that a
//! report can show it when the suite is no longer there.

use std::io::Read as _;

use serde::{Deserialize, Serialize};

use super::Event;
use crate::suite::{Commit, Program, ProgramSource, Test};

/// The longest text of a program or a symptom, bytes.
const TEXT_LIMIT: usize = 8 << 10;

/// What a suite says of a test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestAbout {
    /// The suite's file, as it was named.
    pub file: String,
    /// Line in it where the test begins, from 1.
    pub line: usize,
    /// The text of its program, where that is one; cut to a bound.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub program: String,
    /// The symptom as the suite has it, in YAML.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub symptom: String,
    /// The report, the discussion, the fix.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<String>,
    /// The commits that removed the bug, with the first version that has each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fixes: Vec<String>,
}

impl TestAbout {
    /// What there is to say of a test. The source of a program is read; where that cannot be, its name is there.
    pub fn of(test: &Test) -> TestAbout {
        TestAbout {
            file: test.span.file.display().to_string(),
            line: test.span.line,
            program: cut(program(&test.program)),
            symptom: cut(symptom(test)),
            links: test.links.clone(),
            fixes: test.history.fixes().map(fix).collect(),
        }
    }
}

impl Event {
    /// The same event with what there is to say of its test; other kinds of events stay as they are.
    #[must_use]
    pub fn with_about(mut self, of: &Test) -> Event {
        if let Event::Planned { about, .. } = &mut self {
            *about = Some(Box::new(TestAbout::of(of)));
        }
        self
    }
}

fn fix(commit: &Commit) -> String {
    let version = commit.version.as_ref().map(|version| format!(" ({version})"));
    let title = commit.title.as_ref().map(|title| format!(" {title}"));
    format!("{}{}{}", commit.commit, title.unwrap_or_default(), version.unwrap_or_default())
}

fn program(program: &Program) -> String {
    match program.launch().source {
        ProgramSource::Script(text) => text.to_owned(),
        ProgramSource::Compiled { file, .. } => read(file),
        ProgramSource::File(file) => file.display().to_string(),
        ProgramSource::Collection(of) => of.program.display().to_string(),
    }
}

fn read(source: &std::path::Path) -> String {
    let mut text = Vec::new();
    let file = std::fs::File::open(source);
    match file.and_then(|file| file.take(TEXT_LIMIT as u64 + 1).read_to_end(&mut text)) {
        Ok(_) => String::from_utf8_lossy(&text).into_owned(),
        Err(_) => source.display().to_string(),
    }
}

/// The symptom without the keys that say nothing.
fn symptom(test: &Test) -> String {
    let text = serde_yaml::to_string(&test.symptom).unwrap_or_default();
    let says = |line: &&str| !line.ends_with(": null") && !line.ends_with(": []");
    text.lines().filter(says).collect::<Vec<_>>().join("\n")
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_LIMIT {
        let mut end = TEXT_LIMIT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str("\n…");
    }
    text
}
