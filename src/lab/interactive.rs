//! A command or a shell in a guest, for a person: no test, no verdict.

use std::collections::BTreeMap;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use super::kernel_files;
use super::modules;
use super::payload::Payload;
use super::prepare::userland;
use super::setup::SetupStep;
use super::share;
use super::timeouts::Timeouts;
use crate::cancel::Cancel;
use crate::guest::layout::{INBOX, SHARE};
use crate::guest::message::{ExecuteRequest, FromGuest, ToGuest, WindowSize};
use crate::kernel::{Kernel, ModuleError, ModuleState, ModuleTree};
use crate::machine::Machine;
use crate::observation::{Exit, GuestFacts, Phase, SetupFailure};
use crate::oops::{Scanner, Sighting};
use crate::vm::console::Capture;
use crate::vm::conversation::{Party, converse};
use crate::vm::guest::{Guest, VmEvent};
use crate::vm::spec::serial;

/// Input on its way to the command at once, bytes: as much as it may leave unread without the host reading more.
const IN_FLIGHT: u64 = 256 * 1024;

/// A time that nothing takes.
pub const NEVER: Duration = Duration::from_secs(100 * 24 * 3600);

/// The file beside a test's program that runs it, where a person looks at the test's guest.
pub const RUN_TEST: &str = "run-test";

/// The person's side of an interactive session.
pub trait SessionIo {
    /// The guest is up, so long after its start.
    fn arrived(&mut self, guest: &GuestFacts, after: Duration);
    /// The command runs from now on.
    fn started(&mut self) -> io::Result<()>;
    /// The command wrote this to standard output, or to its terminal.
    fn output(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The command wrote this to standard error.
    fn errors(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// The kernel's console printed this.
    fn console(&mut self, bytes: &[u8]);
    /// Something to know, a sentence without a full stop.
    fn notice(&mut self, text: &str);
    /// What input is read from; absent: there is none, or no more.
    fn input_source(&self) -> Option<BorrowedFd<'_>>;
    /// What becomes readable when the window's size changed.
    fn resize_source(&self) -> Option<BorrowedFd<'_>>;
    /// Reads input; called when its source has some.
    fn input(&mut self) -> Input;
    /// The window's new size; called when its source has something to tell.
    fn resized(&mut self) -> Option<WindowSize>;
}

/// What a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// For the command; may be empty.
    Bytes(Vec<u8>),
    /// There is no more.
    End,
    /// The person leaves, whatever the command does.
    Leave,
}

/// What is to be done in a guest.
#[derive(Clone, Debug, Default)]
pub struct GuestCommand {
    steps: Vec<SetupStep>,
    command: Option<ExecuteRequest>,
    timeout: Option<Duration>,
    environment: BTreeMap<String, String>,
}

impl GuestCommand {
    /// One that runs nothing: it is over when the guest is up and has its modules.
    ///
    /// # Errors
    /// A module is not in this kernel, or cannot be read.
    pub fn new(
        kernel: &Kernel,
        modules: &[&str],
        machine: &Machine,
        share: bool,
    ) -> Result<GuestCommand, ModuleError> {
        let mut command = GuestCommand::default();
        let of_share = share::MODULES.into_iter().filter(|_| share);
        let of_userland = machine.modules().filter(|_| machine.has_userland());
        let names: Vec<&str> = of_share
            .chain(of_userland)
            .filter(|name| kernel.modules.find(name) == ModuleState::Loadable)
            .chain(modules.iter().copied())
            .collect();
        for module in kernel.modules.load_order(&names)? {
            let path = format!("{INBOX}/modules/{}.ko", module.name);
            let optional = module.optional;
            let contents = kernel.modules.read(&module)?;
            command.steps.push(SetupStep::File {
                path: path.clone(),
                mode: 0o644,
                contents: contents.into(),
            });
            command.ask(ToGuest::Module {
                name: module.name.clone(),
                path,
                parameters: String::new(),
                optional,
            });
        }
        if machine.has_userland() {
            userland::entering().into_iter().for_each(|message| command.ask(message));
        }
        kernel_files::nodes(kernel).into_iter().for_each(|message| command.ask(message));
        if share {
            let (name, serial) = (share::DISK.to_owned(), serial(share::DISK));
            command.ask(ToGuest::Disk { name, serial, variable: None });
            command.ask(ToGuest::Mount {
                disk: share::DISK.to_owned(),
                path: SHARE.to_owned(),
                file_system: share::FILE_SYSTEM.to_owned(),
            });
        }
        Ok(command)
    }

    /// One that makes the guest what an attempt of a test makes it, up to the program. That lies in [`INBOX`], with
    /// [`RUN_TEST`] beside it, and does not run.
    pub fn of_test(payload: Payload) -> GuestCommand {
        let (mut steps, program) = payload.before_program();
        let words = program.iter().flat_map(|program| &program.command).map(|word| quoted(word));
        let line = words.collect::<Vec<_>>().join(" ");
        // what it reports is for the person
        let script = format!("#!/bin/sh\ncd {INBOX} && exec {line} \"$@\" 3>&1\n");
        steps.push(SetupStep::File {
            path: format!("{INBOX}/{RUN_TEST}"),
            mode: 0o755,
            contents: script.into_bytes().into(),
        });
        let environment = program.map(|program| program.environment).unwrap_or_default();
        GuestCommand { steps, environment, ..GuestCommand::default() }
    }

    /// Runs a command, for so long at the most.
    pub fn command(mut self, mut command: ExecuteRequest, timeout: Option<Duration>) -> GuestCommand {
        if command.terminal.is_none() {
            // whoever waits for a command wants to hear of a crash; at a terminal one may want to look around
            let (name, value) = ("kernel.panic_on_oops".to_owned(), "1".to_owned());
            self.ask(ToGuest::Sysctl { name, value, required: false });
        }
        for (name, value) in &self.environment {
            command.environment.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self.command = Some(command);
        self.timeout = timeout;
        self
    }

    fn ask(&mut self, message: ToGuest) {
        self.steps.push(SetupStep::Message(message));
    }
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How a session ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The guest came up, and there was no command.
    Booted,
    /// The command ended.
    Exited(Exit),
    /// Something before the command failed, or it could not be started.
    Failed(SetupFailure),
    /// The agent did not speak in time, seconds.
    NotBooted(f64),
    /// The guest ended by itself, or said nothing any more; `detail` is what QEMU said, where it failed.
    GuestLost {
        /// Whether the agent had spoken.
        up: bool,
        /// QEMU's own words.
        detail: Option<String>,
    },
    /// The command ran longer than it was given, seconds.
    TimedOut(f64),
    /// The person left.
    Left,
    /// The person takes no more output.
    OutputClosed,
    /// The user interrupted it.
    Cancelled,
}

/// What is known after a session.
#[derive(Clone, Debug)]
pub struct SessionEnd {
    /// How it ended.
    pub outcome: Outcome,
    /// The guest; absent: it never spoke.
    pub guest: Option<GuestFacts>,
    /// From the start of the virtual machine to the agent's first message.
    pub boot: Option<Duration>,
    /// What the kernel's console said, within its bound.
    pub console: Vec<u8>,
}

struct InteractiveSession<'a> {
    command: &'a GuestCommand,
    modules: &'a ModuleTree,
    io: &'a mut dyn SessionIo,
    timeouts: Timeouts,
    capture: Capture,
    scanner: Scanner,
    start: Instant,
    /// When what is taken in now happened.
    now: Instant,
    deadline: Instant,
    last_sign: Instant,
    guest: Option<GuestFacts>,
    boot: Option<Duration>,
    running: bool,
    crashed: bool,
    silence_reported: bool,
    in_flight: u64,
}

/// Runs the command in a guest that was just started, whose kernel has these modules.
pub fn run(
    guest: &mut dyn Guest,
    command: &GuestCommand,
    modules: &ModuleTree,
    timeouts: Timeouts,
    io: &mut dyn SessionIo,
    cancel: &Cancel,
) -> SessionEnd {
    let start = guest.now();
    let mut session = InteractiveSession {
        command,
        modules,
        io,
        timeouts,
        capture: Capture::new("", None),
        scanner: Scanner::new(),
        start,
        now: start,
        deadline: start + timeouts.boot,
        last_sign: start,
        guest: None,
        boot: None,
        running: false,
        crashed: false,
        silence_reported: false,
        in_flight: 0,
    };
    let outcome = converse(guest, &mut session, cancel).unwrap_or_else(|error| Outcome::GuestLost {
        up: session.guest.is_some(),
        detail: Some(error.to_string()),
    });
    session.capture.push(&guest.kill());
    let (console, _) = session.capture.finish();
    SessionEnd { outcome, guest: session.guest, boot: session.boot, console: console.text }
}

impl Party for InteractiveSession<'_> {
    type Outcome = Outcome;

    fn deadline(&self) -> Instant {
        self.next_deadline()
    }

    fn inputs(&self) -> Vec<BorrowedFd<'_>> {
        let mut inputs: Vec<BorrowedFd<'_>> = self.input_source().into_iter().collect();
        inputs.extend(self.io.resize_source().filter(|_| self.running));
        inputs
    }

    fn on_event(&mut self, guest: &mut dyn Guest, event: VmEvent) -> ControlFlow<Outcome> {
        self.now = guest.now();
        self.take(guest, event).map_or(ControlFlow::Continue(()), ControlFlow::Break)
    }
}

impl InteractiveSession<'_> {
    /// Where the command's input comes from, while it takes some.
    fn input_source(&self) -> Option<BorrowedFd<'_>> {
        self.io.input_source().filter(|_| self.running && self.in_flight < IN_FLIGHT)
    }

    fn take(&mut self, guest: &mut dyn Guest, event: VmEvent) -> Option<Outcome> {
        match event {
            VmEvent::Readable(0) if self.input_source().is_some() => self.pass_input(guest),
            VmEvent::Readable(_) => {
                if let Some(size) = self.io.resized() {
                    guest.send(&ToGuest::Resize(size));
                }
                None
            }
            VmEvent::Console(bytes) => {
                self.take_console(&bytes);
                None
            }
            VmEvent::Output(bytes) => self.pass_output(&bytes, false),
            VmEvent::Errors(bytes) => self.pass_output(&bytes, true),
            VmEvent::Message(message) => self.on_message(guest, message),
            VmEvent::Device(_) | VmEvent::Resumed | VmEvent::Saved(_) | VmEvent::Paused => None,
            VmEvent::Exited(exit) => {
                let words = if exit.stderr.is_empty() { exit.how } else { exit.stderr };
                let detail = (!exit.by_guest).then_some(words);
                Some(Outcome::GuestLost { up: self.guest.is_some(), detail })
            }
            VmEvent::Deadline => self.late(),
            VmEvent::Cancelled => Some(Outcome::Cancelled),
        }
    }

    fn next_deadline(&self) -> Instant {
        let silence = self.last_sign + self.timeouts.silence;
        if self.guest.is_some() && !self.silence_reported {
            self.deadline.min(silence)
        } else {
            self.deadline
        }
    }

    fn is_at_terminal(&self) -> bool {
        self.command.command.as_ref().is_some_and(|command| command.terminal.is_some())
    }

    fn on_message(&mut self, guest: &mut dyn Guest, message: FromGuest) -> Option<Outcome> {
        self.last_sign = self.now;
        self.silence_reported = false;
        match message {
            FromGuest::Hello(facts) if self.guest.is_none() => {
                let boot = self.now - self.start;
                self.io.arrived(&facts, boot);
                (self.guest, self.boot) = (Some(facts), Some(boot));
                self.deadline = self.now + self.timeouts.setup;
                for step in &self.command.steps {
                    step.send(guest);
                }
                match &self.command.command {
                    Some(command) => guest.send(&ToGuest::Execute(command.clone())),
                    None => guest.send(&ToGuest::PowerOff),
                }
            }
            FromGuest::Reached { phase: Phase::Dose } => {
                self.running = true;
                self.deadline = self.now + self.command.timeout.unwrap_or(NEVER);
                if self.io.started().is_err() {
                    return Some(Outcome::OutputClosed);
                }
            }
            FromGuest::ModuleWanted(request) => modules::lend(self.modules, &request, guest),
            FromGuest::Failed(failure) => return Some(Outcome::Failed(failure)),
            FromGuest::Consumed { bytes } => self.in_flight = self.in_flight.saturating_sub(bytes),
            FromGuest::Exited { exit, .. } => return Some(Outcome::Exited(exit)),
            FromGuest::Bye => return Some(Outcome::Booted),
            _ => {}
        }
        None
    }

    fn pass_input(&mut self, guest: &mut dyn Guest) -> Option<Outcome> {
        match self.io.input() {
            Input::Bytes(bytes) if bytes.is_empty() => {}
            Input::Bytes(bytes) => {
                self.in_flight += bytes.len() as u64;
                guest.send_input(&bytes);
            }
            Input::End => guest.send(&ToGuest::InputEnds),
            Input::Leave => return Some(Outcome::Left),
        }
        None
    }

    fn pass_output(&mut self, bytes: &[u8], errors: bool) -> Option<Outcome> {
        self.last_sign = self.now;
        let written = if errors { self.io.errors(bytes) } else { self.io.output(bytes) };
        written.is_err().then_some(Outcome::OutputClosed)
    }

    fn take_console(&mut self, bytes: &[u8]) {
        self.capture.push(bytes);
        self.io.console(bytes);
        let fatal = self.scanner.feed(bytes).is_some_and(|Sighting { goes_on, .. }| !goes_on);
        // at a terminal a kernel that goes on after all is left to the person; one that panics restarts by itself
        if fatal && !self.crashed && !(self.is_at_terminal() && self.running) {
            self.crashed = true;
            self.deadline = self.now + self.timeouts.crash;
        }
    }

    fn late(&mut self) -> Option<Outcome> {
        let now = self.now;
        let up = self.guest.is_some();
        if now >= self.deadline {
            return Some(match (self.crashed, up, self.running) {
                (true, ..) => Outcome::GuestLost { up, detail: None },
                (false, false, _) => Outcome::NotBooted(self.timeouts.boot.as_secs_f64()),
                (false, true, true) => Outcome::TimedOut(self.command.timeout.unwrap_or(NEVER).as_secs_f64()),
                (false, true, _) => {
                    let detail =
                        Some(format!("it did not get ready in {:.0} s", self.timeouts.setup.as_secs_f64()));
                    Outcome::GuestLost { up, detail }
                }
            });
        }
        let seconds = self.timeouts.silence.as_secs_f64();
        if self.is_at_terminal() && self.running {
            self.silence_reported = true;
            self.io.notice(&format!("the guest has been silent for {seconds:.0} s; Ctrl-A x ends it"));
            return None;
        }
        Some(Outcome::GuestLost { up, detail: Some(format!("it was silent for {seconds:.0} s")) })
    }
}

#[cfg(test)]
mod tests;
