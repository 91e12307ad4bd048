//! Journals, and every report of what they say.
#![no_main]

use std::path::Path;
use std::sync::OnceLock;

use kregress::journal::{Events, RunDir};
use kregress::render::{FORMATS, Kind, Run, Subject};
use kregress::report::RunSummary;
use kregress::report::junit::JunitKnown;
use kregress::report::matrix::MatrixStyle;
use libfuzzer_sys::fuzz_target;

static RUN: OnceLock<RunDir> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let mut run = RunSummary::default();
    for event in Events::new(Path::new("journal"), bytes).map_while(Result::ok) {
        run.apply(event);
    }
    let dir = RUN.get_or_init(|| {
        let folder = kregress_fuzz::as_file("nothing", b"");
        RunDir::create(folder.parent().expect("a folder")).expect("a run's folder")
    });
    let subject = Subject::Run(Run { summary: &run, dir, junit_known: JunitKnown::default() });
    for format in FORMATS.iter().filter(|format| format.name(Kind::Run).is_some()) {
        let mut text = Vec::new();
        format.render(&subject, MatrixStyle::PLAIN, &mut text).expect("a document");
        let name = format.name(Kind::Run).unwrap_or_default();
        let text = String::from_utf8(text).expect("a document is text");
        // JSON escapes what would do anything
        let harmful = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        assert!(["json", "kcidb"].contains(&name) || !text.contains(harmful), "{name}");
    }
});
