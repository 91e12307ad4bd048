//! A simulated lab: attempts without virtual machines, for the runner at scale and for its tests.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Lab, Request, Unprepared, Watch};
use crate::kernel::{Kernel, ModuleTree, Origin};
use crate::machine::Machine;
use crate::observation::{
    Console, Ending, Exit, GuestFacts, Observation, Phase, ProgramReport, ProgramRun, Stopped,
};
use crate::suite::Test;

/// What a simulated attempt comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole dose, and nothing.
    Clean,
    /// The program says that it saw the symptom; the test's symptom must be `reported`.
    Symptom,
    /// The program says that it cannot judge.
    Blind,
    /// The kernel crashes during the dose.
    Crash,
    /// No boot.
    Lost,
    /// It was called off.
    Cancelled,
}

/// A lab whose attempts come to what a function says.
pub struct SimLab<F> {
    behave: F,
}

impl<F: Fn(&Request<'_>) -> Outcome + Sync> SimLab<F> {
    /// A lab; `behave` is called in the worker's thread, and the attempt lasts as long as that.
    pub fn new(behave: F) -> SimLab<F> {
        SimLab { behave }
    }
}

impl<F: Fn(&Request<'_>) -> Outcome + Sync> Lab for SimLab<F> {
    fn prepare(&self, _: &Kernel, _: &Test, _: &Machine) -> Result<(), Unprepared> {
        Ok(())
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        watch.phase(Phase::Dose);
        observation((self.behave)(request), request.kernel)
    }
}

/// A kernel of which nothing is known but its name, which is its version.
///
/// # Panics
/// The name is no version.
pub fn kernel(name: &str) -> Arc<Kernel> {
    Arc::new(Kernel {
        name: name.to_owned(),
        release: format!("{name}-simulated"),
        version: name.parse().expect("the name is a version"),
        flavour: None,
        image: PathBuf::new(),
        vmlinux: None,
        config: None,
        system_map: None,
        modules: ModuleTree::unknown(name),
        origin: Origin::Local { image: PathBuf::new(), modules: None },
        digest: String::new(),
    })
}

fn observation(outcome: Outcome, kernel: &Kernel) -> Observation {
    let text: &[u8] = match outcome {
        Outcome::Crash => {
            b"begin\n[    2.0] BUG: kernel NULL pointer dereference, address: 0000000000000008\n\
              [    2.0] Oops: Oops: 0002 [#1] SMP NOPTI\n[    2.0] RIP: 0010:simulated+0x1/0x2\nend\n"
        }
        _ => b"begin\nend\n",
    };
    let program = ProgramRun {
        started: true,
        exit: (outcome != Outcome::Crash).then_some(Exit::Code(0)),
        reports: match outcome {
            Outcome::Symptom => vec![ProgramReport::Symptom("simulated".into())],
            Outcome::Blind => vec![ProgramReport::Blind("simulated".into())],
            _ => Vec::new(),
        },
        ..ProgramRun::default()
    };
    let seen = Observation {
        phase: Phase::Stop,
        console: Console {
            text: text.to_vec(),
            printed: text.len() as u64,
            left_out: 0,
            dose_start: Some(b"begin\n".len()),
            dose_end: (outcome != Outcome::Crash).then(|| text.len() - b"end\n".len()),
        },
        guest: Some(GuestFacts { release: kernel.release.clone(), ..GuestFacts::default() }),
        program,
        ..Observation::not_started("")
    };
    match outcome {
        Outcome::Clean | Outcome::Symptom | Outcome::Blind => {
            Observation { ending: Ending::Complete, ..seen }
        }
        Outcome::Crash => Observation { phase: Phase::Dose, ending: Ending::GuestReset, ..seen },
        Outcome::Cancelled => Observation { ending: Ending::Stopped(Stopped::Cancelled), ..seen },
        Outcome::Lost => Observation {
            phase: Phase::Boot,
            ending: Ending::Stopped(Stopped::BootTimeout { limit: 0.0 }),
            ..Observation::not_started("")
        },
    }
}
