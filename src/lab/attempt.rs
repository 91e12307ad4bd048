//! One attempt as a conversation with a live guest, from the first byte of its console to its end.

mod clock;
mod ending;
mod guest_time;
mod looks;
mod missing;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use self::clock::ClockCheck;
use self::ending::AskAt;
use self::guest_time::GuestTime;
use self::looks::Looks;
use self::missing::note_missing;
use super::evidence::Evidence;
use super::modules;
use super::output::Output;
use super::payload::Payload;
use super::plugging::Plugging;
use super::reader::{self, End, OutputReader, Stream};
use super::timeouts::{Limits, Timeouts};
use super::{InVain, Watch};
use crate::cancel::Cancel;
use crate::guest::blocked;
use crate::guest::kmsg;
use crate::guest::message::{FromGuest, ToGuest};
use crate::hang;
use crate::kernel::ModuleTree;
use crate::observation::{BlockedTask, Ending, GuestFacts, Observation, Phase, SetupFailure, Start, Stopped};
use crate::oops::Scanner;
use crate::vm::console::Capture;
use crate::vm::conversation::{Party, converse};
use crate::vm::guest::{Guest, MachineExit, VmEvent};
use crate::vm::spec::VmDevice;

/// What an emulated serial port carries under TCG at the least; 60 KB/s were seen.
const SERIAL_BYTES_A_SECOND: u64 = 16 * 1024;

/// What is reported for a program whose requests were no longer carried out.
const PLUG_FLOOD: &str =
    "blind it asked to plug devices faster than it took the answers, and was no longer listened to";

/// Why the conversation is being brought to its end, while evidence is still awaited.
#[derive(Clone, Debug, PartialEq)]
enum Closing {
    /// Not yet.
    No,
    /// The agent said its last word.
    Bye,
    /// The host decided to end the guest at the deadline.
    Stopping(Stopped),
}

/// The host's side of an attempt.
pub struct Attempt<'a> {
    payload: &'a Payload,
    modules: &'a ModuleTree,
    limits: Limits,
    timeouts: Timeouts,
    watch: &'a dyn Watch,
    cancel: &'a Cancel,
    capture: Capture,
    scanner: Scanner,
    seen: Observation,
    output: Output,
    start: Instant,
    /// When what is taken in now happened.
    now: Instant,
    /// When the present phase must be over.
    deadline: Instant,
    dose_start: Option<Instant>,
    slow_reported: bool,
    last_sign: Instant,
    nmi_sent: bool,
    closing: Closing,
    /// When the agent is to be asked for the blocked tasks: the kernel prints them on the console too, and must not
    /// do so into the report that is being printed.
    ask_at: Option<AskAt>,
    evidence: Evidence,
    plugging: Plugging,
    /// Whether the program asked for devices faster than it took answers.
    flooded: bool,
    /// Reads what the program writes.
    reader: Box<dyn OutputReader>,
    vmcore: Option<PathBuf>,
    reads_memory: bool,
    in_vain: InVain<'a>,
    looks: Looks,
    /// The guest's own time, where that leaps.
    guest_time: Option<GuestTime>,
    clock_check: ClockCheck,
}

/// What an attempt needs besides the guest itself.
pub struct AttemptContext<'a> {
    /// What is sent to the guest.
    pub payload: &'a Payload,
    /// The kernel's modules, for which the guest may ask.
    pub modules: &'a ModuleTree,
    /// The machine's devices.
    pub devices: &'a [VmDevice],
    /// The test's limits.
    pub limits: Limits,
    /// Everything else's limits.
    pub timeouts: Timeouts,
    /// Hears of progress.
    pub watch: &'a dyn Watch,
    /// Ends the attempt early.
    pub cancel: &'a Cancel,
    /// Where the console goes as it comes.
    pub console_file: Option<File>,
    /// Where the program's output goes as it comes.
    pub output_file: Option<File>,
    /// Where the guest's memory goes at the end; absent: it is not kept.
    pub vmcore: Option<PathBuf>,
    /// Whether the kernel's log is read out of the memory however the attempt ends.
    pub reads_memory: bool,
    /// Whether the guest's clock leaps over idle time.
    pub clock_leaps: bool,
    /// Whether the dose would be in vain, by what was observed up to its beginning.
    pub in_vain: InVain<'a>,
}

impl<'a> Attempt<'a> {
    /// An attempt that began at `start`, with a guest that was just started for it.
    fn new(with: AttemptContext<'a>, start: Instant) -> Attempt<'a> {
        let mut seen = Observation::not_started("");
        seen.phase = Phase::Boot;
        with.watch.phase(Phase::Boot);
        Attempt {
            capture: Capture::new(&with.payload.nonce, with.console_file),
            payload: with.payload,
            modules: with.modules,
            limits: with.limits,
            timeouts: with.timeouts,
            watch: with.watch,
            cancel: with.cancel,
            scanner: Scanner::new(),
            seen,
            output: Output::new(with.output_file),
            start,
            now: start,
            deadline: start + with.timeouts.boot,
            dose_start: None,
            slow_reported: false,
            last_sign: start,
            nmi_sent: false,
            closing: Closing::No,
            ask_at: None,
            evidence: Evidence::default(),
            plugging: Plugging::new(with.devices),
            flooded: false,
            reader: reader::of(with.payload.output),
            vmcore: with.vmcore,
            reads_memory: with.reads_memory,
            in_vain: with.in_vain,
            looks: Looks::default(),
            guest_time: with.clock_leaps.then(GuestTime::default),
            clock_check: ClockCheck::default(),
        }
    }

    /// Takes over a guest that was restored: its boot is reported again, so that nothing differs from a guest that was
    /// booted for this attempt.
    fn resume(&mut self, guest: &mut dyn Guest, console: Vec<u8>, facts: GuestFacts) -> Option<Ending> {
        self.seen.start = Start::Restored;
        // the machine that is restored may have been booted and saved first, for longer than a guest may be silent
        self.now = guest.now();
        self.last_sign = self.now;
        self.take(guest, VmEvent::Console(console))
            .or_else(|| self.take(guest, VmEvent::Message(FromGuest::Hello(facts))))
    }

    /// Holds the conversation to its end, which may be there already.
    fn run(mut self, guest: &mut dyn Guest, ended: Option<Ending>) -> Observation {
        if (self.vmcore.is_some() || self.reads_memory)
            && let Err(error) = guest.pause_at_end()
        {
            self.watch.trouble(&format!("the memory of a guest that restarts is not kept: {error}"));
        }
        let cancel = self.cancel;
        let ending = match ended {
            Some(ending) => ending,
            None => converse(guest, &mut self, cancel)
                .unwrap_or_else(|error| Ending::QemuDied { detail: error.to_string() }),
        };
        self.read_memory(guest, &ending);
        self.keep_memory(guest, &ending);
        self.capture.push(&guest.kill());
        let now = guest.now();
        let mut seen = self.seen;
        seen.processor_seconds = guest.processor_time().map(|time| time.as_secs_f64());
        seen.ending = ending;
        note_missing(&mut seen, guest.frames_missing());
        let (console, write_error) = self.capture.finish();
        seen.console = console;
        if let Some(error) = write_error {
            self.watch.trouble(&format!("the console is not kept whole: {error}"));
        }
        let (output, write_error) = self.output.finish();
        seen.program.output = output;
        seen.program.subtests = self.reader.subtests();
        if let Some(error) = write_error {
            self.watch.trouble(&format!("the program's output is not kept whole: {error}"));
        }
        if seen.blocked.is_empty() && self.evidence.was_asked_by_host() {
            seen.blocked = hang::sleepers(&seen.console.text);
        }
        seen.seconds = now.saturating_duration_since(self.start).as_secs_f64();
        seen
    }

    /// Writes the guest's memory where that is wanted.
    fn keep_memory(&mut self, guest: &mut dyn Guest, ending: &Ending) {
        let Some(path) = self.vmcore.clone().filter(|_| guest.is_running()) else { return };
        if *ending == Ending::Stopped(Stopped::Cancelled) {
            return;
        }
        match guest.dump_memory(&path) {
            Ok(lacking) => self.seen.kernel_log.vmcore_lacks = lacking,
            Err(error) => {
                let _ = std::fs::remove_file(&path);
                self.watch.trouble(&format!("the guest's memory is not kept: {error}"));
            }
        }
    }

    /// A guest that did not end by itself may have said more than its console and its agent could tell.
    fn read_memory(&mut self, guest: &mut dyn Guest, ending: &Ending) {
        let is_settled = matches!(ending, Ending::Stopped(Stopped::Cancelled | Stopped::Undetectable));
        let in_need = matches!(ending, Ending::Stopped(_) | Ending::GuestReset);
        if !(in_need || self.reads_memory) || is_settled || !guest.is_running() {
            return;
        }
        let start = guest.now();
        // what is written meanwhile could not be distinguished from what is damaged
        match guest.pause().map_err(|e| e.to_string()).and_then(|()| guest.kernel_log()) {
            Ok(log) => self.seen.kernel_log.memory = Some(log),
            Err(error) => self.seen.kernel_log.memory_error = Some(error),
        }
        self.seen.kernel_log.memory_micros = Some((guest.now() - start).as_micros() as u64);
    }

    fn take(&mut self, guest: &mut dyn Guest, event: VmEvent) -> Option<Ending> {
        self.now = guest.now();
        match event {
            VmEvent::Console(bytes) => {
                self.capture.push(&bytes);
                if let Some(ask) = &mut self.ask_at {
                    ask.move_on(self.now);
                }
                if let Some(sighting) = self.scanner.feed(&bytes) {
                    self.sighted(&sighting);
                }
                // the last word was said, and the console has caught up with it
                (self.closing == Closing::Bye && self.capture.dose_ended()).then_some(Ending::Complete)
            }
            VmEvent::Message(message) => {
                self.last_sign = self.now;
                self.on_message(guest, message)
            }
            VmEvent::Output(bytes) => {
                self.last_sign = self.now;
                self.read_output(Stream::Output, &bytes);
                self.output.push(&bytes);
                None
            }
            // only commands of people have it apart, and nobody else's input is waited for
            VmEvent::Errors(_) | VmEvent::Readable(_) => None,
            VmEvent::Device(event) => {
                self.plugging.on_event(guest, &event);
                None
            }
            VmEvent::Resumed | VmEvent::Saved(_) => None,
            VmEvent::Paused if self.closing == Closing::Bye => Some(Ending::Complete),
            VmEvent::Paused => Some(Ending::GuestReset),
            VmEvent::Exited(exit) => Some(self.ended(exit)),
            VmEvent::Deadline => self.late(guest),
            VmEvent::Cancelled => Some(Ending::Stopped(Stopped::Cancelled)),
        }
    }

    fn read_output(&mut self, stream: Stream, piece: &[u8]) {
        self.reader.read(stream, piece).into_iter().for_each(|report| self.seen.program.take(report));
    }

    fn reach(&mut self, phase: Phase) {
        self.seen.phase = self.seen.phase.max(phase);
        self.watch.phase(phase);
    }

    fn on_message(&mut self, guest: &mut dyn Guest, message: FromGuest) -> Option<Ending> {
        match message {
            FromGuest::Hello(facts) if self.seen.guest.is_none() => {
                self.seen.boot_seconds = Some((self.now - self.start).as_secs_f64());
                // what is sent over an emulated serial port takes its time
                let bytes = if facts.channel == "serial" { self.payload.size() } else { 0 };
                self.compare_boot(&facts);
                self.clock_check.sent(self.now);
                self.seen.guest = Some(facts);
                self.reach(Phase::Setup);
                self.deadline = self.now
                    + self.timeouts.setup
                    + Duration::from_secs(bytes / SERIAL_BYTES_A_SECOND)
                    + self.payload.waits();
                if self.guest_time.is_some() {
                    guest.send(&ToGuest::ClockLeaps);
                }
                self.payload.send(guest);
            }
            FromGuest::Heartbeat { uptime_ms } => {
                self.time_passed(uptime_ms);
                self.compare_dose(uptime_ms);
            }
            FromGuest::Hello(_) | FromGuest::Refreshed { .. } | FromGuest::Consumed { .. } => {}
            FromGuest::Reached { phase } => {
                self.reach(phase);
                match phase {
                    Phase::Dose => {
                        self.seen.program.started = true;
                        self.dose_start = Some(self.now);
                        self.deadline = self.now + self.longest_dose();
                    }
                    Phase::Settle if self.closing == Closing::No => {
                        self.dose_start = None;
                        self.deadline = self.now + self.payload.settle() + self.timeouts.setup;
                    }
                    _ => {}
                }
            }
            FromGuest::Failed(failure) => {
                if matches!(failure, SetupFailure::Program { .. }) {
                    self.seen.program.started = false;
                }
                self.seen.setup_failure = Some(failure);
                guest.send(&ToGuest::PowerOff);
                self.deadline = self.now + self.timeouts.power_off;
            }
            FromGuest::SysctlIs { name, value } => {
                if let (Some(guest), "kernel.hung_task_timeout_secs") = (&mut self.seen.guest, name.as_str())
                {
                    guest.hung_task_timeout = value.parse().ok();
                }
            }
            FromGuest::Asks(request) => {
                if !self.plugging.ask(guest, &request) && !self.flooded {
                    self.flooded = true;
                    self.seen.program.take_report(PLUG_FLOOD);
                }
            }
            FromGuest::ModuleWanted(request) => modules::lend(self.modules, &request, guest),
            FromGuest::Report { line } => self.read_output(Stream::Reports, line.as_bytes()),
            FromGuest::Exited { exit, output_bytes, output_tail, ran_ms, runs } => {
                self.seen.program.runs = runs;
                self.seen.program.ran_ms = Some(ran_ms);
                self.seen.program.exit = Some(exit);
                self.seen.program.output_bytes = output_bytes;
                self.seen.program.reports.extend(self.reader.finish(End { exit, output_bytes }));
                if !output_tail.is_empty() {
                    let text = format!("\n[kregress: output beyond the bound left out]\n{output_tail}");
                    self.output.push(text.as_bytes());
                }
                self.dose_start = None;
            }
            FromGuest::Probes { readings } => {
                self.seen.probes = readings;
                if self.closing == Closing::No {
                    self.reach(Phase::Stop);
                    guest.send(&ToGuest::PowerOff);
                    self.deadline = self.now + self.timeouts.power_off;
                }
            }
            FromGuest::KernelLog { records, lost, left_out, ended } => {
                let log = self.seen.kernel_log.kmsg.get_or_insert_default();
                log.records.extend(records.lines().filter_map(|line| kmsg::parse(line.as_bytes())));
                log.lost += lost;
                log.left_out += left_out;
                log.ended |= ended;
            }
            FromGuest::NoKernelLog { error } => self.seen.kernel_log.kmsg_error = Some(error),
            FromGuest::Ready { states, readings } => {
                (self.seen.detectors, self.seen.probes) = (states, readings);
                self.seen.console.text = self.capture.beginning().to_vec();
                if (self.in_vain)(&self.seen) {
                    return Some(Ending::Stopped(Stopped::Undetectable));
                }
                self.clock_check.sent(self.now);
                guest.send(&ToGuest::Begin);
            }
            FromGuest::Detectors { states } => self.seen.detectors = states,
            FromGuest::BlockedTasks { tasks } => {
                self.seen.blocked = tasks.into_iter().map(blocked_task).collect();
                self.evidence.answered();
                if matches!(self.closing, Closing::Stopping(_)) {
                    self.deadline = self.deadline.min(self.now + self.last_lines());
                }
            }
            FromGuest::Bye => {
                if self.closing == Closing::Stopping(Stopped::CrashSeen) {
                    // what the console began to say is waited for, and not forgotten for a last word
                    return None;
                }
                let failed = self.seen.setup_failure.is_some();
                if failed || self.capture.dose_ended() {
                    return Some(Ending::Complete);
                }
                self.closing = Closing::Bye;
                self.deadline = self.now + self.timeouts.power_off;
            }
        }
        None
    }

    fn ended(&self, exit: MachineExit) -> Ending {
        if self.closing == Closing::Bye {
            return Ending::Complete;
        }
        if exit.by_guest && self.capture.printed() > 0 {
            return Ending::GuestReset;
        }
        Ending::QemuDied { detail: exit.detail() }
    }
}

impl Party for Attempt<'_> {
    type Outcome = Ending;

    fn deadline(&self) -> Instant {
        self.next_deadline()
    }

    fn on_event(&mut self, guest: &mut dyn Guest, event: VmEvent) -> ControlFlow<Ending> {
        self.take(guest, event).map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }
}

/// Makes the attempt, which began at `start`, with a guest that boots.
pub fn run(guest: &mut dyn Guest, with: AttemptContext<'_>, start: Instant) -> Observation {
    Attempt::new(with, start).run(guest, None)
}

/// Makes the attempt, which began at `start`, with a guest that was restored: what its console printed since its boot, and
/// what it said of itself.
pub fn resume(
    guest: &mut dyn Guest,
    console: Vec<u8>,
    facts: GuestFacts,
    with: AttemptContext<'_>,
    start: Instant,
) -> Observation {
    let mut attempt = Attempt::new(with, start);
    let ended = attempt.resume(guest, console, facts);
    attempt.run(guest, ended)
}

fn blocked_task(task: blocked::BlockedTask) -> BlockedTask {
    let blocked::BlockedTask { pid, comm, stack } = task;
    BlockedTask { pid, comm, stack }
}
