//! Runs on disk without virtual machines, for tests of what is made of them.

use std::path::Path;

use jiff::{Timestamp, ToSpan};
use kregress::event::{AttemptRecord, CellId, CellRecord, Event, PartitionRecord, SCHEMA, Split};
use kregress::journal::{Journal, RunDir};
use kregress::observation::{Ending, Exit, Phase, ProgramRun, Start};
use kregress::verdict::Verdict;

/// An hour of the day on which the runs began.
#[derive(Clone, Copy)]
pub struct At(pub u32);

impl At {
    pub fn timestamp(self) -> Timestamp {
        let day: Timestamp = "2026-11-21T00:00:00Z".parse().unwrap();
        day + i64::from(self.0).hours()
    }
}

pub type Cell = ((&'static str, &'static str), Option<Verdict>);

/// A run that is to be written.
pub struct Made<'a> {
    pub at: At,
    /// Tests and kernels, with their verdicts if they have one.
    pub cells: &'a [Cell],
    pub part: Option<Box<PartitionRecord>>,
    pub killed: bool,
    /// The words behind `kregress run`.
    pub options: &'a [&'a str],
    /// What selects the kernels again.
    pub select: Option<&'a str>,
}

impl Made<'_> {
    pub fn at(hour: u32) -> Made<'static> {
        Made { at: At(hour), cells: &[], part: None, killed: false, options: &[], select: None }
    }

    /// Writes its folder into `root`. Every attempt has a console that says whose it is.
    pub fn write(&self, root: &Path) -> RunDir {
        let run = RunDir::create_of(root, self.at.timestamp()).unwrap();
        let journal = Journal::create(run.path()).unwrap();
        let tell = |event: Event| journal.append(&event).unwrap();
        tell(Event::RunStarted {
            schema: SCHEMA,
            run: run.id().into(),
            kregress: "0.1.0".into(),
            at: self.at.timestamp(),
            command: ["kregress", "run"].iter().chain(self.options).map(|word| (*word).to_owned()).collect(),
            cells: self.cells.len() as u64,
            split: Split { partition: self.part.clone(), merged: Vec::new() },
        });
        for ((test, kernel), _) in self.cells {
            let cell = CellId { test: (*test).into(), kernel: (*kernel).into() };
            tell(Event::Planned {
                cell,
                release: None,
                summary: format!("what {test} is"),
                expectation: None,
                about: None,
                select: self.select.map(str::to_owned),
                options: Vec::new(),
            });
        }
        let mut counts = kregress::event::Counts::default();
        for ((test, kernel), verdict) in self.cells {
            let Some(verdict) = verdict else { continue };
            let cell = CellId { test: (*test).into(), kernel: (*kernel).into() };
            let dir = run.attempt(&cell, 1);
            dir.create().unwrap();
            std::fs::write(dir.console(), format!("console of {cell} in {}\n", run.id())).unwrap();
            tell(Event::AttemptStarted { cell: cell.clone(), attempt: 1, of: 1 });
            tell(Event::Attempt { record: Box::new(attempt(*verdict, dir.console_relative())), cell });
            tell(Event::Cell(Box::new(record(test, kernel, *verdict))));
            counts.add(*verdict);
        }
        if !self.killed {
            counts.not_run = self.cells.len() as u64 - counts.finished();
            tell(Event::RunFinished { at: self.at.timestamp(), seconds: 10.0, cancelled: false, counts });
        }
        drop(journal);
        run.make_latest().unwrap();
        run
    }
}

pub fn record(test: &str, kernel: &str, verdict: Verdict) -> CellRecord {
    CellRecord {
        test: test.into(),
        kernel: kernel.into(),
        release: None,
        verdict,
        title: matches!(verdict, Verdict::Bad | Verdict::Other)
            .then(|| "BUG: unable to handle kernel NULL pointer dereference in x".into()),
        attempts: 1,
        seconds: 3.2,
        reason: None,
        miss_chance: None,
        known: None,
        arch: None,
        package: None,
        expectation: None,
    }
}

fn attempt(verdict: Verdict, console: String) -> AttemptRecord {
    AttemptRecord {
        attempt: 1,
        verdict,
        title: None,
        reason: None,
        seconds: 3.2,
        start: Start::default(),
        time_travel: false,
        clock: None,
        processor_seconds: None,
        boot_seconds: Some(1.0),
        phase: Phase::Stop,
        ending: Ending::Complete,
        program: ProgramRun { started: true, exit: Some(Exit::Code(0)), ..ProgramRun::default() },
        probes: Vec::new(),
        blocked: Vec::new(),
        findings: Vec::new(),
        diagnoses: Vec::new(),
        console: Some(console),
        reproduce: None,
    }
}
