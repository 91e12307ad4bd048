//! One attempt: made on the lab, its console read, judged.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Reproduction, Sink, attempt_seed, findings, record};
use crate::cancel::Cancel;
use crate::event::{AttemptRecord, CellId, Event};
use crate::journal::AttemptDir;
use crate::lab::{Lab, Request, Watch};
use crate::observation::{KernelLog, Observation, Phase};
use crate::oops;
use crate::plan::Cell;
use crate::suite::{MatchContext, SortedReports};
use crate::verdict::{
    Judgement, Verdict, is_undetectable, judge_allowing, likeness_findings, message_findings,
    overlooked_leaks, shows_symptom, slab_findings, unrelated_leaks, with_messages,
};
use crate::witness::{self, WitnessEvidence};

/// The result of an attempt.
pub struct Finished {
    /// What it says alone.
    pub judgement: Judgement,
    /// The crash reports of its console.
    pub sorted: SortedReports,
    /// Its record.
    pub record: AttemptRecord,
}

impl Finished {
    /// Leaves the script by which a person comes into its guest, where it failed.
    pub fn leave_script(&mut self, script: &Reproduction, dir: &AttemptDir, reporter: &AttemptReporter<'_>) {
        if matches!(self.judgement.verdict, Verdict::Good | Verdict::Skip) {
            return;
        }
        match script.write(dir, reporter.cell, reporter.attempt) {
            Ok(()) => self.record.reproduce = Some(dir.reproduce_relative()),
            Err(error) => {
                reporter.report_file_trouble(&format!("{}: {error}", dir.reproduce().display()));
            }
        }
    }
}

/// Reports an attempt's progress as events.
pub struct AttemptReporter<'a> {
    /// Receives the events.
    pub sink: Sink<'a>,
    /// The attempt's cell.
    pub cell: &'a CellId,
    /// Its number.
    pub attempt: u32,
    /// Whether a trouble with the host's files was reported already: a full disk has the same for every attempt.
    pub report_file_trouble_reported: &'a AtomicBool,
    /// Called when the program has ended and the guest is only watched any more.
    pub settling: &'a dyn Fn(),
}

impl AttemptReporter<'_> {
    /// Reports that a file of the attempt could not be written.
    pub fn report_file_trouble(&self, text: &str) {
        if !self.report_file_trouble_reported.swap(true, Ordering::Relaxed) {
            let text =
                format!("{}, attempt {}: {text}; later ones may lack theirs too", self.cell, self.attempt);
            (self.sink)(Event::Notice { text });
        }
    }
}

impl Watch for AttemptReporter<'_> {
    fn phase(&self, phase: Phase) {
        (self.sink)(Event::Phase { cell: self.cell.clone(), attempt: self.attempt, phase });
        if phase == Phase::Settle {
            (self.settling)();
        }
    }

    fn slow(&self, seconds: f64) {
        (self.sink)(Event::Slow { cell: self.cell.clone(), attempt: self.attempt, seconds });
    }

    fn trouble(&self, text: &str) {
        self.report_file_trouble(text);
    }

    fn notice(&self, text: &str) {
        (self.sink)(Event::Notice { text: text.to_owned() });
    }
}

/// Makes the attempt and judges it; `seed` is the run's. After `over` was set its result means nothing.
pub fn make(
    cell: &Cell,
    nth: u32,
    lab: &dyn Lab,
    seed: u64,
    reporter: &AttemptReporter<'_>,
    dir: Option<&AttemptDir>,
    over: &Cancel,
) -> Finished {
    let folder = dir.map(AttemptDir::path);
    let request = Request {
        kernel: &cell.kernel,
        test: &cell.test,
        machine: &cell.machine,
        attempt: nth,
        seed: attempt_seed(seed, reporter.cell, nth),
        dir: folder.as_deref(),
        cancel: over,
        in_vain: &|seen| is_undetectable(&cell.test, seen),
    };
    let mut seen = lab.attempt(&request, reporter);
    let printed = seen.console.text.len();
    let (sorted, testimony) = read_witnesses(cell, &mut seen);
    keep_added(dir, &seen.console.text[printed..], reporter);
    (seen.kernel_log.forged, seen.kernel_log.doubt) = (testimony.forged.clone(), testimony.doubt.clone());
    let mut judgement = with_messages(
        judge_allowing(&cell.test, &seen, &sorted.reports, allowed_in_dose(&seen, &sorted)),
        &seen,
        &sorted,
    );
    let mut findings = findings::of(&judgement, &seen, &sorted.reports);
    let decided = sorted.reports.iter().find(|report| judgement.title.as_ref() == Some(&report.title));
    findings.extend(decided.and_then(|report| testimony.on_deciding(report)));
    findings.extend(decided.into_iter().flat_map(|report| likeness_findings(&cell.test.symptom, report)));
    findings.extend(unrelated_leaks(&cell.test.symptom, &seen));
    judgement.explain(&findings);
    findings.extend(slab_findings(&cell.test.symptom, &seen));
    for warning in overlooked_leaks(&cell.test.symptom, &seen) {
        reporter.notice(&format!("{}, attempt {nth}: {warning}", reporter.cell));
        findings.push(warning);
    }
    findings.extend(message_findings(&sorted));
    findings.extend(testimony.findings());
    findings.extend(guest_memory_findings(&seen.kernel_log));
    let failed = !matches!(judgement.verdict, Verdict::Good | Verdict::Skip);
    findings.extend(dir.and_then(|dir| settle_vmcore(&dir.vmcore(), lab.keeps_vmcore(failed))));
    let reports = sorted.all();
    let record = record::attempt(nth, &judgement, seen, &reports, &testimony, findings, dir);
    Finished { judgement, sorted, record }
}

/// The crash reports of an attempt by all witnesses, known messages apart.
fn allowed_in_dose(seen: &Observation, sorted: &SortedReports) -> usize {
    let start = seen.console.dose_start.unwrap_or(usize::MAX);
    sorted.allowed.iter().filter(|(report, _)| report.start >= start).count()
}

fn read_witnesses(cell: &Cell, seen: &mut Observation) -> (SortedReports, WitnessEvidence) {
    let today = jiff::Zoned::now().date();
    let own = |report: &oops::Report| shows_symptom(&cell.test, report);
    witness::read(seen, &|text, lines_from| {
        // what was said before the dose is not the test's
        let now = MatchContext { today, version: Some(&cell.kernel.version), lines_from };
        cell.test.messages.read(oops::Engine::embedded(), text, now, own)
    })
}

/// Keeps the guest's memory, and says how to open it, or removes it.
fn settle_vmcore(path: &Path, keep: bool) -> Option<String> {
    if !keep {
        let _ = std::fs::remove_file(path);
        return None;
    }
    let path = path.canonicalize().ok()?;
    let (folder, name) = (path.parent()?.display(), path.file_name()?.display());
    // crash takes what follows an `@` in a path for an address
    Some(format!(
        "the guest's memory is in {}; with the kernel's debugging symbols (Debian: linux-image-RELEASE-dbg) open it by \
         `cd {folder} && drgn -c {name} -s /usr/lib/debug/boot/vmlinux-RELEASE`, or crash with {name} and that file",
        path.display()
    ))
}

/// What could not be read in the guest's memory.
fn guest_memory_findings(log: &KernelLog) -> Vec<String> {
    let unread = log
        .memory_error
        .iter()
        .map(|why| format!("the kernel's log in the guest's memory could not be read: {why}"));
    let bare = log.vmcore_lacks.iter().map(|why| {
        format!("the file of the guest's memory has no VMCOREINFO note, without which crash and drgn need more options: {why}")
    });
    unread.chain(bare).collect()
}

/// Adds what other witnesses have to the console's file, so that it has all lines that reports name.
fn keep_added(dir: Option<&AttemptDir>, added: &[u8], reporter: &AttemptReporter<'_>) {
    let Some(path) = dir.map(AttemptDir::console).filter(|_| !added.is_empty()) else { return };
    let written =
        OpenOptions::new().append(true).create(true).open(&path).and_then(|mut file| file.write_all(added));
    if let Err(error) = written {
        reporter
            .report_file_trouble(&format!("{} lacks what the kernel's log adds: {error}", path.display()));
    }
}
