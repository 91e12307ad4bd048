//! A lab without virtual machines: attempts come out as a function says. For tests of everything above the lab, and at
//! scale. What it answers with is judged like any other observation.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Lab, Request, Watch};
use crate::failure::Failure;
use crate::kernel::{Kernel, KernelOrigin, ModuleTree};
use crate::machine::Machine;
use crate::observation::{
    Console, Ending, Exit, GuestFacts, Observation, Phase, ProgramReport, ProgramRun, Runs, Stopped,
};
use crate::suite::{Ends, Test};

/// What a simulated attempt shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The program itself reports the symptom, in these words.
    Symptom(String),
    /// The whole dose, and nothing.
    Clean,
    /// A crash that is not the symptom.
    Crash,
    /// The program says that it could not judge.
    Blind(String),
    /// The program says that something is missing.
    Skip(String),
    /// The guest never spoke.
    Lost,
    /// It was called off.
    Cancelled,
}

impl Outcome {
    /// A symptom in any words.
    pub fn symptom() -> Outcome {
        Outcome::Symptom("simulated".into())
    }

    /// A program that cannot judge, for any reason.
    pub fn blind() -> Outcome {
        Outcome::Blind("simulated".into())
    }
}

/// A lab whose attempts come out as `outcome` says. It is called in the worker's thread, and the attempt lasts as long as
/// that.
pub struct SimLab<F> {
    outcome: F,
}

impl<F: Fn(&Request<'_>) -> Outcome + Sync> SimLab<F> {
    /// A lab of this function.
    pub fn new(outcome: F) -> SimLab<F> {
        SimLab { outcome }
    }
}

/// A crash that no test of the simulated lab asks for.
const CRASH: &str = "\
[    5.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    5.000001] #PF: supervisor read access in kernel mode
[    5.000002] Oops: Oops: 0000 [#1] SMP NOPTI
[    5.000003] CPU: 0 UID: 0 PID: 99 Comm: program Not tainted 6.99.1 #1
[    5.000004] RIP: 0010:simulated_crash+0x10/0x20
[    5.000005] Call Trace:
[    5.000006]  <TASK>
[    5.000007]  simulated_caller+0x10/0x20
[    5.000008]  </TASK>
[    5.000009] ---[ end trace 0000000000000000 ]---
";

impl<F: Fn(&Request<'_>) -> Outcome + Sync> Lab for SimLab<F> {
    fn prepare(&self, _: &Kernel, _: &Test, _: &Machine) -> Result<(), Failure> {
        Ok(())
    }

    fn attempt(&self, request: &Request<'_>, watch: &dyn Watch) -> Observation {
        watch.phase(Phase::Dose);
        let mut seen = whole_dose(request.kernel, request.test);
        match (self.outcome)(request) {
            Outcome::Clean => {}
            Outcome::Symptom(words) => seen.program.reports.push(ProgramReport::Symptom(words)),
            Outcome::Blind(reason) => seen.program.reports.push(ProgramReport::Blind(reason)),
            Outcome::Skip(reason) => {
                seen.program.reports.push(ProgramReport::Skip(reason));
                seen.program.exit = Some(Exit::Code(77));
            }
            Outcome::Crash => {
                let at = seen.console.text.len();
                seen.console.text.extend_from_slice(CRASH.as_bytes());
                (seen.console.dose_start, seen.console.dose_end) = (Some(at), None);
                (seen.phase, seen.ending) = (Phase::Dose, Ending::Stopped(Stopped::CrashSeen));
                seen.program.exit = None;
            }
            Outcome::Cancelled => seen.ending = Ending::Stopped(Stopped::Cancelled),
            Outcome::Lost => {
                seen = Observation {
                    phase: Phase::Boot,
                    ending: Ending::Stopped(Stopped::BootTimeout { limit: 60.0 }),
                    ..Observation::not_started("")
                };
            }
        }
        if seen.phase == Phase::Stop {
            watch.phase(Phase::Settle);
        }
        seen
    }
}

/// A dose that was done to its end without any sign.
pub(super) fn whole_dose(kernel: &Kernel, test: &Test) -> Observation {
    let before = b"[    1.0] a first line\n[    2.0] the dose begins\n".to_vec();
    let dose_start = before.len();
    let text = [&before[..], b"[    9.0] the dose ends\n"].concat();
    let facts = GuestFacts {
        release: kernel.release.clone(),
        hung_task_timeout: Some(u64::from(test.hang.seconds)),
        ..GuestFacts::default()
    };
    let seconds = test.dose.seconds.unwrap_or(1);
    let endless = test.program.launch().ends == Ends::Never;
    let runs = Runs { started: 1, worked_us: u64::from(seconds) * 1_000_000, ..Runs::default() };
    let rounds = test.dose.rounds.map(ProgramReport::Iterations);
    Observation {
        phase: Phase::Stop,
        ending: Ending::Complete,
        console: Console {
            printed: text.len() as u64,
            left_out: 0,
            dose_start: Some(dose_start),
            dose_end: Some(dose_start + 10),
            text,
        },
        guest: Some(facts),
        program: ProgramRun {
            started: true,
            exit: Some(Exit::Code(0)),
            ran_ms: Some(u64::from(seconds) * 1000),
            runs: endless.then_some(runs),
            reports: rounds.into_iter().collect(),
            ..ProgramRun::default()
        },
        boot_seconds: Some(2.0),
        seconds: 10.0,
        ..Observation::not_started("")
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
        arch: crate::arch::GUEST,
        flavour: None,
        image: PathBuf::new(),
        vmlinux: None,
        config: None,
        system_map: None,
        modules: ModuleTree::unknown(name),
        origin: KernelOrigin::Local { image: PathBuf::new(), modules: None },
        digest: String::new(),
    })
}
