//! Runs the test's program: its output and report lines go to the host, the host's answers to it, its end is reported.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::blocked;
use super::channel::Sender;
use super::detectors::Detectors;
use super::endless;
use super::follow::Follower;
use super::grace::grace_periods;
use super::leftovers::Processes;
use super::probe::{Dose, Probe};
use super::running::{OnceInAWhile, Running, spawn};
use guest_protocol::facts::{Phase, SetupFailure};
use guest_protocol::message::{FromGuest, ProgramRequest};

/// Where a running program reads the host's answers to its requests; empty while none runs.
#[derive(Clone, Default)]
pub struct Answers(Arc<Mutex<Option<File>>>);

impl Answers {
    /// Writes one answer as a line. A program that does not read its answers, or is gone, misses it.
    pub fn give(&self, error: Option<&str>) {
        let line = match error {
            None => "ok\n".to_owned(),
            Some(error) => format!("error {}\n", error.replace('\n', " ")),
        };
        if let Some(pipe) = &mut *self.0.lock().unwrap_or_else(|e| e.into_inner()) {
            let _ = pipe.write_all(line.as_bytes());
        }
    }

    /// Answers go there from now on.
    pub fn set(&self, pipe: Option<File>) {
        *self.0.lock().unwrap_or_else(|e| e.into_inner()) = pipe;
    }
}

/// Runs the program to its end. Where it asks for leave it begins when that is `granted`.
pub fn run(
    request: &ProgramRequest,
    sender: &Arc<Sender>,
    answers: &Answers,
    granted: &Receiver<()>,
) -> io::Result<()> {
    let probes: Vec<Probe> = request.probes.iter().map(Probe::start).collect();
    let processes = match (&request.endless_ms, probes.is_empty()) {
        (Some(_), _) => Some(Processes::open()?),
        (None, true) => None,
        (None, false) => Processes::open().ok(),
    };
    let mut detectors = Detectors::start(&request.settings);
    if request.asks_leave {
        let readings = probes.iter().map(|probe| probe.reading().clone()).collect();
        sender.tell(&FromGuest::Ready { states: detectors.states(), readings })?;
        if granted.recv().is_err() {
            return Ok(());
        }
    }
    // before the mark, which is then the first that it reads
    let log = match Follower::start(sender) {
        Ok(log) => Some(log),
        Err(error) => {
            sender.tell(&FromGuest::NoKernelLog { error: error.to_string() })?;
            None
        }
    };
    let marks = Marks::open(&request.nonce);
    marks.write("starts");
    sender.tell(&FromGuest::Reached { phase: Phase::Dose })?;
    let start = Instant::now();
    let mut running = match start_program(request, answers) {
        Ok(running) => running,
        Err(error) => {
            return sender.tell(&FromGuest::Failed(SetupFailure::Program { error: error.to_string() }));
        }
    };
    let started_in = start.elapsed();
    let mut meanwhile = OnceInAWhile::new(|| detectors.look());
    let (exit, runs) = match (request.endless_ms, &processes) {
        (Some(ms), Some(processes)) => {
            let end = start + Duration::from_millis(ms);
            let again = || start_program(request, answers);
            let (exit, runs);
            (running, exit, runs) =
                endless::run(running, started_in, again, end, processes, sender, &mut meanwhile)?;
            (exit, Some(runs))
        }
        _ => loop {
            if let Some(exit) = running.until_it_ends(None, sender, &mut meanwhile)? {
                break (exit, None);
            }
        },
    };
    let over = Instant::now();
    sender.tell(&running.exited(exit, over - start, runs))?;
    sender.tell(&FromGuest::Reached { phase: Phase::Settle })?;
    if request.endless_ms.is_some() {
        processes.as_ref().map(Processes::end_all);
    }
    let before = blocked::tasks();
    if let Some(settle) = request.settle {
        grace_periods();
        running.listen_until(over + settle.after(over - start), sender)?;
    }
    // a task that the program left blocked may hang: the kernel says so only after its own time, which is longer
    if !before.is_empty() {
        let mut tasks = blocked::tasks();
        tasks.retain(|task| before.contains(task));
        sender.tell(&FromGuest::BlockedTasks { tasks })?;
    }
    let left_running = processes.map_or(0, |processes| processes.end_all());
    let dose = Dose { over, iterations: running.iterations(), left_running };
    let readings = probes.into_iter().map(|probe| probe.finish(dose)).collect();
    running.finish(sender)?;
    answers.set(None);
    sender.tell(&FromGuest::Detectors { states: detectors.finish() })?;
    // before the last message: the host answers it with the order to power off
    marks.write("ends");
    if let Some(log) = log {
        log.finish();
    }
    sender.tell(&FromGuest::Probes { readings })
}

/// Starts the program, which gets its answers from then on.
fn start_program(request: &ProgramRequest, answers: &Answers) -> io::Result<Running> {
    let (running, pipe) = spawn(request)?;
    answers.set(Some(pipe));
    Ok(running)
}

/// Lines of the kernel log, and so of the console, that divide what happened before and after from what happened during the
/// dose. The log is opened before the program runs, which may mount something over it.
struct Marks<'r> {
    log: Option<File>,
    nonce: &'r str,
}

impl Marks<'_> {
    fn open(nonce: &str) -> Marks<'_> {
        Marks { log: OpenOptions::new().write(true).open("/dev/kmsg").ok(), nonce }
    }

    fn write(&self, what: &str) {
        if let Some(mut log) = self.log.as_ref() {
            let _ = log.write_all(format!("<5>kregress: dose {what} {}\n", self.nonce).as_bytes());
        }
    }
}
