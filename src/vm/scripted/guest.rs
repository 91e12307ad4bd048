//! A guest that plays its script.

use std::fmt::Write;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use super::Clock;
use super::script::{Script, Step};
use crate::cancel::Cancel;
use crate::guest::message::ToGuest;
use crate::observation::LogExcerpt;
use crate::vm::VmError;
use crate::vm::guest::{Guest, MachineExit, VmEvent};
use crate::vm::snapshot::SaveError;

/// A conversation that waits more often without anything happening has no end.
const MOST_IDLE: u32 = 10_000;

/// A guest that plays its script.
#[derive(Debug)]
pub(crate) struct ScriptedGuest {
    clock: Clock,
    script: Script,
    /// What the host did, one line for each; those before `seen` are known to the script.
    actions: Vec<(Duration, String)>,
    seen: usize,
    shown: usize,
    exited: Option<MachineExit>,
    killed: bool,
    log: Result<LogExcerpt, String>,
    lost_frames: u64,
    /// What marks the dose of the program that was sent last.
    nonce: String,
    idle: u32,
}

impl ScriptedGuest {
    pub(crate) fn new(script: Script) -> ScriptedGuest {
        ScriptedGuest::with_clock(script, Clock::new())
    }

    pub(super) fn with_clock(script: Script, clock: Clock) -> ScriptedGuest {
        ScriptedGuest {
            clock,
            script,
            actions: Vec::new(),
            seen: 0,
            shown: 0,
            exited: None,
            killed: false,
            log: Err("the guest's memory has no VMCOREINFO".into()),
            lost_frames: 0,
            nonce: String::new(),
            idle: 0,
        }
    }

    /// What the host did since this was asked last, one line for each thing: the second, and what.
    pub(crate) fn take_actions(&mut self) -> String {
        let mut text = String::new();
        for (at, action) in &self.actions[self.shown..] {
            let _ = writeln!(text, "{:.1} {action}", at.as_secs_f64());
        }
        self.shown = self.actions.len();
        text
    }

    fn note(&mut self, action: impl Into<String>) {
        self.actions.push((self.clock.gone(), action.into()));
    }

    /// Whether the host did this since the script last asked for something.
    fn did(&mut self, action: &str) -> bool {
        let found = self.actions[self.seen..].iter().position(|(_, line)| line.starts_with(action));
        found.inspect(|at| self.seen += at + 1).is_some()
    }

    /// A text with the mark of the present dose in its place.
    fn marked(&self, bytes: &[u8]) -> Vec<u8> {
        String::from_utf8_lossy(bytes).replace("{nonce}", &self.nonce).into_bytes()
    }

    fn refuse_keys(&self) -> Result<(), VmError> {
        match self.script.refuses_keys {
            true => Err(VmError::Monitor("it does not answer".into())),
            false => Ok(()),
        }
    }

    fn idle_until(&mut self, deadline: Instant) -> VmEvent {
        self.clock.move_to(deadline);
        self.idle += 1;
        assert!(self.idle < MOST_IDLE, "the host waits for ever; it did {:?}", self.actions);
        VmEvent::Deadline
    }
}

impl Guest for ScriptedGuest {
    fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Events that are there come first, then the machine's end, the caller's token, and the deadline.
    fn wait(&mut self, deadline: Instant, cancel: &Cancel, _: &[BorrowedFd<'_>]) -> Result<VmEvent, VmError> {
        loop {
            if let Some(exit) = &self.exited {
                return Ok(VmEvent::Exited(exit.clone()));
            }
            let Some(step) = self.script.steps.pop_front() else {
                return Ok(if cancel.is_set() { VmEvent::Cancelled } else { self.idle_until(deadline) });
            };
            match step {
                Step::Event(event) => {
                    if let VmEvent::Exited(exit) = &event {
                        self.exited = Some(exit.clone());
                    }
                    return Ok(match event {
                        VmEvent::Console(bytes) => VmEvent::Console(self.marked(&bytes)),
                        other => other,
                    });
                }
                Step::Log(log) => self.log = log,
                Step::LostFrames(frames) => self.lost_frames += frames,
                Step::Cancel(token) => token.set(),
                waiting if cancel.is_set() => {
                    self.script.steps.push_front(waiting);
                    return Ok(VmEvent::Cancelled);
                }
                Step::Until(action) => {
                    if !self.did(action) {
                        self.script.steps.push_front(Step::Until(action));
                        return Ok(self.idle_until(deadline));
                    }
                }
                Step::After(time) => {
                    let over = self.clock.now() + time;
                    if over > deadline {
                        self.script.steps.push_front(Step::After(over - deadline.max(self.clock.now())));
                        return Ok(self.idle_until(deadline));
                    }
                    self.clock.move_to(over);
                }
            }
        }
    }

    fn send(&mut self, message: &ToGuest) {
        if let ToGuest::Run(request) = message {
            self.nonce.clone_from(&request.nonce);
        }
        let line = match message {
            ToGuest::Ping => "ping".to_owned(),
            ToGuest::Refresh { .. } => "refresh".to_owned(),
            ToGuest::Put { path, .. } => format!("put {path}"),
            ToGuest::Module { name, .. } => format!("module {name}"),
            ToGuest::Nodes { nodes } => format!("{} nodes", nodes.len()),
            ToGuest::Sysctl { name, value, .. } => format!("sysctl {name}={value}"),
            ToGuest::Disk { name, .. } => format!("disk {name}"),
            ToGuest::Mount { disk, path, .. } => format!("mount {disk} {path}"),
            ToGuest::Check => "check".to_owned(),
            ToGuest::Run(request) => format!("run {}", request.command.join(" ")),
            ToGuest::Execute(request) => format!("execute {}", request.command.join(" ")),
            ToGuest::Input { size } => format!("input {size}"),
            ToGuest::InputEnds => "input-ends".to_owned(),
            ToGuest::Resize(size) => format!("resize {}x{}", size.rows, size.columns),
            ToGuest::Answer { error } => format!("answer: {}", error.as_deref().unwrap_or("done")),
            ToGuest::Begin => "begin".to_owned(),
            ToGuest::ClockLeaps => "clock-leaps".to_owned(),
            ToGuest::Blocked => "blocked-tasks".to_owned(),
            ToGuest::ModuleFile { name, .. } => format!("send module {name}"),
            ToGuest::ModulesEnd { error, .. } => {
                format!("modules: {}", error.as_deref().unwrap_or("all sent"))
            }
            ToGuest::AwaitUptime { ms } => format!("wait for {ms} ms since boot"),
            ToGuest::Enter { disk, .. } => format!("enter {disk}"),
            ToGuest::PowerOff => "power-off".to_owned(),
        };
        self.note(line);
    }

    fn send_file(&mut self, path: &str, _: u32, _: &[u8]) {
        self.note(format!("file {path}"));
    }

    fn send_module(&mut self, message: &ToGuest, _: &[u8]) {
        self.send(message);
    }

    fn send_input(&mut self, input: &[u8]) {
        self.note(format!("input {}", String::from_utf8_lossy(input).escape_debug()));
    }

    fn unsent(&self) -> usize {
        0
    }

    fn frames_missing(&self) -> u64 {
        self.lost_frames
    }

    fn is_running(&self) -> bool {
        self.exited.is_none() && !self.killed
    }

    fn console_sysrq(&mut self, key: u8) -> Result<(), VmError> {
        self.note(format!("sysrq {}", char::from(key)));
        self.refuse_keys()
    }

    fn nmi(&mut self) -> Result<(), VmError> {
        self.note("nmi");
        self.refuse_keys()
    }

    fn plug(&mut self, device: &str) -> Result<(), VmError> {
        self.note(format!("plug {device}"));
        match self.script.refused_plugs.get(device) {
            Some(why) => Err(VmError::Monitor((*why).to_owned())),
            None => Ok(()),
        }
    }

    fn unplug(&mut self, device: &str) -> Result<(), VmError> {
        self.note(format!("unplug {device}"));
        Ok(())
    }

    fn pause_at_end(&mut self) -> Result<(), VmError> {
        self.note("pause-at-end");
        Ok(())
    }

    fn pause(&mut self) -> Result<(), VmError> {
        self.note("pause");
        Ok(())
    }

    fn go_on(&mut self) -> Result<(), VmError> {
        self.note("go-on");
        Ok(())
    }

    fn kernel_log(&mut self) -> Result<LogExcerpt, String> {
        self.note("read-log");
        self.log.clone()
    }

    fn dump_memory(&mut self, path: &Path) -> Result<Option<String>, VmError> {
        self.note(format!("dump {}", path.file_name().unwrap_or_default().to_string_lossy()));
        Ok(self.log.as_ref().err().cloned())
    }

    fn save(&mut self) -> Result<(), SaveError> {
        self.note("save");
        self.script.refuses_save.map_or(Ok(()), |why| Err(SaveError::Refused(why.to_owned())))
    }

    /// What was about to be printed is printed before the end.
    fn kill(&mut self) -> Vec<u8> {
        self.killed = true;
        self.note("kill");
        let mut rest = Vec::new();
        while let Some(Step::Event(event)) = self.script.steps.pop_front() {
            if let VmEvent::Console(bytes) = event {
                rest.extend(self.marked(&bytes));
            }
        }
        rest
    }
}
