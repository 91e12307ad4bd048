//! What is told of kernels that are here, come later, or never have a history.

use std::io::Write;

use super::*;
use crate::expectation::{Expected, FixSource};
use crate::kernel::{KernelSpec, NoProgress};
use crate::plan::sample;
use crate::report::sample::record;
use crate::verdict::Verdict;

const CHANGELOG: &str = "\
linux (6.12.117-1) trixie; urgency=high

  * New upstream stable update:
    - net: take the lock (CVE-2026-10001)

 -- A Maker <maker@example.org>  Mon, 16 Nov 2026 10:17:40 +0100

linux (6.12.57-1) trixie; urgency=medium

  * New upstream stable update:
    - fs: count twice

 -- A Maker <maker@example.org>  Mon, 16 Nov 2025 10:17:40 +0100
";

struct World {
    root: tempfile::TempDir,
    tests: Vec<Arc<Test>>,
}

impl World {
    fn new() -> World {
        let history = [
            "history: {cves: [CVE-2026-10001]}",
            "",
            "history: {fixed: {commit: 0123456789ab, version: v6.1}}",
        ];
        let tests = ["by-cve", "without", "by-version"].into_iter().zip(history);
        let tests = tests.map(|(name, keys)| sample::placed(name, keys).test).collect();
        World { root: tempfile::tempdir().expect("a temporary folder"), tests }
    }

    /// Puts a kernel of Debian's into the store, as a record with its changelog: the entries up to its own version.
    fn store(&self, version: &str) {
        let release = format!("{version}+deb13-cloud-amd64");
        let folder = self.root.path().join("kernels").join(format!("{release}-0123456789ab"));
        std::fs::create_dir_all(&folder).expect("a folder");
        let own = CHANGELOG.find(&format!("linux ({version}")).expect("an entry");
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&CHANGELOG.as_bytes()[own..]).expect("memory");
        std::fs::write(folder.join("changelog.gz"), packed.finish().expect("memory")).expect("a file");
        let record = serde_json::json!({
            "format": 1, "release": release, "version": format!("{version}+deb13"), "flavour": "cloud",
            "origin": {"debian": {"packages": [], "version": format!("{version}-1"), "suites": []}},
            "digest": "0123456789abcdef", "files": {"changelog.gz": {"bytes": 1, "sha256": ""}},
        });
        std::fs::write(folder.join("kernel.json"), record.to_string()).expect("a file");
    }

    fn library(&self) -> Library {
        Library::open(self.root.path(), &[]).expect("no catalogue")
    }
}

fn ended(test: &str, kernel: &str) -> Event {
    Event::Cell(Box::new(record(&format!("s::{test}"), kernel, Verdict::Good)))
}

/// What is expected of an event's cell.
fn expected(event: &Event) -> Option<(Expected, FixSource)> {
    let expectation = match event {
        Event::Cell(record) => record.expectation.as_deref(),
        Event::Planned { expectation, .. } => expectation.as_deref(),
        _ => None,
    };
    expectation.map(|found| (found.expected, found.source))
}

#[test]
fn what_becomes_known_late_is_told_again_and_nothing_waits() {
    let world = World::new();
    world.store("6.12.57");
    let library = world.library();
    let spec: KernelSpec = "6.12.57".parse().expect("a version");
    let wanted = library.resolve(&[spec], &NoProgress).expect("it is stored").wanted;
    let means = |_: &Test, _: &RequestedKernel| true;
    let histories = Histories { library: &library, tree: None, means: &means };
    let (told, expectations) = (Mutex::new(Vec::new()), Expectations::default());
    let sink = |event: Event| told.lock().push(event);
    // before anything is known
    for test in &world.tests {
        let mut event = ended(&test.name, "6.12.57");
        expectations.attach(&mut event);
        assert_eq!(expected(&event), None);
    }
    std::thread::scope(|scope| {
        scope.spawn(|| expectations.look_up(&histories, &wanted, &world.tests, &sink));
        // the first kernel's own changelog does not tell of the fix; that of a later one does
        world.store("6.12.117");
        let cell = CellId { test: "s::by-cve".into(), kernel: "6.12.117".into() };
        expectations.attach(&mut Event::AttemptStarted { cell, attempt: 1, of: 1 });
        expectations.finish(&Cancel::new());
    });
    let told = told.into_inner();
    let mut shown: Vec<String> = told.iter().map(|event| format!("{:?}", expected(event))).collect();
    shown.sort();
    assert_eq!(shown, ["Some((Good, Version))", "Some((PossiblyBad, Changelog))"], "{told:?}");
    let mut event = ended("by-cve", "6.12.57");
    expectations.attach(&mut event);
    assert_eq!(expected(&event), Some((Expected::PossiblyBad, FixSource::Changelog)));
    let mut event = ended("without", "6.12.57");
    expectations.attach(&mut event);
    assert_eq!(expected(&event), None);
}
