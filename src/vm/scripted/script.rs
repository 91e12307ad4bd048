//! What a scripted guest does, step by step.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::cancel::Cancel;
use crate::guest::message::FromGuest;
use crate::observation::{Exit, GuestFacts, LogExcerpt, Phase};
use crate::vm::guest::{MachineExit, VmEvent};

/// One step.
#[derive(Clone, Debug)]
pub(super) enum Step {
    /// This happens.
    Event(VmEvent),
    /// Nothing happens for so long.
    After(Duration),
    /// Nothing happens until the host did something whose line begins like this.
    Until(&'static str),
    /// The user interrupts.
    Cancel(Cancel),
    /// From now on the guest's memory holds this log, or is unreadable for this reason.
    Log(Result<LogExcerpt, String>),
    /// So many frames of the agent's were lost.
    LostFrames(u64),
}

/// What a scripted guest does, and what its machine refuses.
#[derive(Clone, Debug, Default)]
pub(crate) struct Script {
    pub(super) steps: VecDeque<Step>,
    pub(super) refused_plugs: BTreeMap<&'static str, &'static str>,
    pub(super) refuses_save: Option<&'static str>,
    /// Whether it answers neither over the console nor by an NMI.
    pub(super) refuses_keys: bool,
}

impl Script {
    /// A guest that never says a word.
    pub(crate) fn new() -> Script {
        Script::default()
    }

    /// One whose agent speaks after two seconds.
    pub(crate) fn booted() -> Script {
        Script::new().after(2.0).console("[    0.0] Linux version 6.1.0\n").hello()
    }

    /// One whose agent speaks, takes everything that is sent, and starts the test's program a second later.
    pub(crate) fn in_dose() -> Script {
        Script::booted().until("run").after(1.0).dose_begins()
    }

    /// One that can be saved.
    pub(crate) fn saved() -> Script {
        Script::booted().until("save").event(VmEvent::Saved(Ok(())))
    }

    /// One that is restored, rehearses, and takes fresh randomness.
    pub(crate) fn restored() -> Script {
        Script::new()
            .event(VmEvent::Resumed)
            .until("ping")
            .hello()
            .until("run")
            .say(FromGuest::Probes { readings: Vec::new() })
            .until("refresh")
            .say(FromGuest::Refreshed { error: None })
    }

    pub(crate) fn event(self, event: VmEvent) -> Script {
        self.step(Step::Event(event))
    }

    pub(crate) fn say(self, message: FromGuest) -> Script {
        self.event(VmEvent::Message(message))
    }

    pub(crate) fn hello(self) -> Script {
        let facts = GuestFacts { release: "6.1.0".into(), ..GuestFacts::default() };
        self.say(FromGuest::Hello(facts))
    }

    /// The console prints this, with the word that marks the dose of the present attempt for `{nonce}`.
    pub(crate) fn console(self, text: &str) -> Script {
        self.event(VmEvent::Console(text.as_bytes().to_vec()))
    }

    pub(crate) fn output(self, text: &str) -> Script {
        self.event(VmEvent::Output(text.as_bytes().to_vec()))
    }

    pub(crate) fn report(self, line: &str) -> Script {
        self.say(FromGuest::Report { line: line.into() })
    }

    pub(crate) fn asks(self, line: &str) -> Script {
        self.say(FromGuest::Asks(crate::guest::message::HostRequest::parse(line).expect("a request")))
    }

    pub(crate) fn reached(self, phase: Phase) -> Script {
        self.say(FromGuest::Reached { phase })
    }

    /// The program starts, and the console says so.
    pub(crate) fn dose_begins(self) -> Script {
        self.console("[    3.0] kregress: dose starts {nonce}\n").reached(Phase::Dose)
    }

    /// The program ends with this code.
    pub(crate) fn program_exits(self, code: i32) -> Script {
        let exit = Exit::Code(code);
        let (output_tail, ran_ms, runs) = (String::new(), 1000, None);
        self.say(FromGuest::Exited { exit, output_bytes: 0, output_tail, ran_ms, runs })
    }

    /// Everything from the program's end to the agent's last word.
    pub(crate) fn completes(self) -> Script {
        self.ends_with(0)
    }

    /// The same, of a program that ends with this code.
    pub(crate) fn ends_with(self, code: i32) -> Script {
        self.program_exits(code)
            .reached(Phase::Settle)
            .console("[    5.0] kregress: dose ends {nonce}\n")
            .say(FromGuest::KernelLog { records: String::new(), lost: 0, left_out: 0, ended: true })
            .say(FromGuest::Probes { readings: Vec::new() })
            .until("power-off")
            .say(FromGuest::Bye)
    }

    pub(crate) fn after(self, seconds: f64) -> Script {
        self.step(Step::After(Duration::from_secs_f64(seconds)))
    }

    pub(crate) fn until(self, action: &'static str) -> Script {
        self.step(Step::Until(action))
    }

    pub(crate) fn interrupted(self, cancel: &Cancel) -> Script {
        self.step(Step::Cancel(cancel.clone()))
    }

    pub(crate) fn memory_holds(self, log: Result<LogExcerpt, &str>) -> Script {
        self.step(Step::Log(log.map_err(str::to_owned)))
    }

    pub(crate) fn loses_frames(self, frames: u64) -> Script {
        self.step(Step::LostFrames(frames))
    }

    /// The guest powers off or restarts, which ends its machine.
    pub(crate) fn resets(self) -> Script {
        self.exits(true, "QEMU ended with exit code 0", "")
    }

    /// The machine ends.
    pub(crate) fn exits(self, by_guest: bool, how: &str, stderr: &str) -> Script {
        self.event(VmEvent::Exited(MachineExit { by_guest, how: how.into(), stderr: stderr.into() }))
    }

    pub(crate) fn refuses_to_plug(mut self, device: &'static str, why: &'static str) -> Script {
        self.refused_plugs.insert(device, why);
        self
    }

    pub(crate) fn refuses_to_save(mut self, why: &'static str) -> Script {
        self.refuses_save = Some(why);
        self
    }

    pub(crate) fn refuses_keys(mut self) -> Script {
        self.refuses_keys = true;
        self
    }

    /// This script, then another.
    pub(crate) fn then(mut self, other: Script) -> Script {
        self.steps.extend(other.steps);
        self.refused_plugs.extend(other.refused_plugs);
        self
    }

    fn step(mut self, step: Step) -> Script {
        self.steps.push_back(step);
        self
    }
}
