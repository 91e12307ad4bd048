//! Whether the kernel's detectors were at work from the dose's beginning to its end.

use crate::observation::{DetectorState, Observation};
use crate::oops::{Report, ReportKind};
use crate::suite::detector::{Detector, Stops};

/// What makes a detector blind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DetectorOff {
    /// In words.
    pub reason: String,
    /// Whether it was at work when the dose began.
    pub meanwhile: bool,
}

/// What the kernel says when lockdep stops looking (`debug_locks_off()`, `add_taint()`).
const LOCKDEP_OFF: &[&str] = &[
    "turning off the locking correctness validator",
    "Disabling lock debugging due to kernel taint",
    "INFO: lockdep is turned off",
];
/// What it says when there is no hard-lockup detector after all (`kernel/watchdog_perf.c`): under TCG always, because its
/// processor has no counter of cycles.
const HARD_LOCKUP_OFF: &[&str] = &["NMI watchdog permanently disabled", "Hard watchdog permanently disabled"];
/// `mm/kmemleak.c`
const KMEMLEAK_OFF: &[&str] = &["Kernel memory leak detector disabled"];
/// `lib/debugobjects.c`
const OBJECTS_OFF: &[&str] = &["ODEBUG: Out of memory. ODEBUG disabled", "ODEBUG disabled"];

/// Everything that tells of the detectors.
pub(super) struct Detectors<'a> {
    seen: &'a Observation,
    /// The kernel's reports before the dose.
    before: &'a [&'a Report],
}

impl<'a> Detectors<'a> {
    pub fn of(seen: &'a Observation, before: &'a [&'a Report]) -> Detectors<'a> {
        Detectors { seen, before }
    }

    /// Why none of these detectors could see its symptom; `None`: one could. One that stopped meanwhile may be the one on
    /// which it rested.
    pub fn all_off(&self, detectors: &[Detector]) -> Option<String> {
        let off: Vec<DetectorOff> = detectors.iter().filter_map(|detector| self.off(detector)).collect();
        let first = off.iter().find(|off| off.meanwhile).or(off.first())?;
        (first.meanwhile || off.len() == detectors.len()).then(|| first.reason.clone())
    }

    /// Why this detector was not at work all the time, as far as anything tells.
    pub fn off(&self, detector: &Detector) -> Option<DetectorOff> {
        let named = |off: DetectorOff| DetectorOff {
            reason: format!("{} (CONFIG_{})", off.reason, detector.option),
            ..off
        };
        self.stopped(detector.stops).map(named)
    }

    fn stopped(&self, by: Stops) -> Option<DetectorOff> {
        match by {
            Stops::Never => None,
            Stops::HungTask => self.hung_task(),
            Stops::SoftLockup => self.watchdog(&["kernel.watchdog", "kernel.soft_watchdog"]),
            Stops::HardLockup => self
                .said(HARD_LOCKUP_OFF, "the hard-lockup detector")
                .or_else(|| self.watchdog(&["kernel.watchdog", "kernel.nmi_watchdog"])),
            Stops::Lockdep => self.lockdep(),
            Stops::ProveLocking => self.lockdep().or_else(|| self.not_zero("kernel.prove_locking")),
            Stops::Kasan => self.kasan(),
            Stops::Kcsan => self.not_zero("kcsan"),
            Stops::Kfence => {
                self.not_zero("kfence.sample_interval").or_else(|| self.not_raised("kfence.sample_interval"))
            }
            Stops::Kmemleak => self.said(KMEMLEAK_OFF, "kmemleak"),
            Stops::Objects => self.said(OBJECTS_OFF, "the debugging of objects"),
            Stops::Workqueues => self
                .not_zero("workqueue.watchdog_thresh")
                .or_else(|| self.not_raised("workqueue.watchdog_thresh")),
            Stops::RcuStalls => {
                self.zero("rcu_cpu_stall_suppress").or_else(|| self.not_raised("rcu_cpu_stall_timeout"))
            }
            Stops::SlabRedZones => self.slab("slab_debug=Z"),
            Stops::SlabPoison => self.slab("slab_debug=P"),
            Stops::SlabChecks => self.slab("slab_debug=F"),
        }
    }

    fn hung_task(&self) -> Option<DetectorOff> {
        match self.seen.guest.as_ref().and_then(|guest| guest.hung_task_timeout) {
            Some(seconds) if seconds > 0 => {}
            _ => {
                let reason = "this kernel has no hung-task detector, or it is switched off".to_owned();
                return Some(DetectorOff { reason, meanwhile: false });
            }
        }
        self.not_zero("kernel.hung_task_timeout_secs")
            .or_else(|| self.not_raised("kernel.hung_task_timeout_secs"))
            .or_else(|| self.not_zero("kernel.hung_task_warnings"))
            .or_else(|| self.not_lowered("kernel.hung_task_check_count"))
            .or_else(|| self.interval())
    }

    /// An interval of 0 is as long as the timeout.
    fn interval(&self) -> Option<DetectorOff> {
        let name = "kernel.hung_task_check_interval_secs";
        self.became(name, |before, now| before > 0 && now == 0).or_else(|| self.not_raised(name))
    }

    fn watchdog(&self, switches: &[&str]) -> Option<DetectorOff> {
        let switched_off = switches.iter().find_map(|switch| self.not_zero(switch));
        let thresh = "kernel.watchdog_thresh";
        switched_off
            .or_else(|| self.not_zero(thresh))
            .or_else(|| self.not_raised(thresh))
            // the processors that are watched
            .or_else(|| self.unchanged("kernel.watchdog_cpumask"))
    }

    fn lockdep(&self) -> Option<DetectorOff> {
        if let Some(report) = self.before.iter().find(|report| report.kind == ReportKind::Lockdep) {
            let reason =
                format!("lockdep was off: it reports once, and did before the dose ({})", report.title);
            return Some(DetectorOff { reason, meanwhile: false });
        }
        self.said(LOCKDEP_OFF, "lockdep").or_else(|| self.not_zero("debug_locks"))
    }

    /// KASAN reports once, unless an option at boot says otherwise.
    fn kasan(&self) -> Option<DetectorOff> {
        let multi = self.seen.guest.as_ref().is_some_and(|guest| guest.cmdline.contains("kasan_multi_shot"));
        let report =
            self.before.iter().find(|report| report.kind.word().starts_with("KASAN")).filter(|_| !multi)?;
        let reason = format!("KASAN was off: it reports once, and did before the dose ({})", report.title);
        Some(DetectorOff { reason, meanwhile: false })
    }

    /// Flags may have been given for some caches only.
    fn slab(&self, flag: &str) -> Option<DetectorOff> {
        let for_some = self.seen.guest.as_ref().is_some_and(|guest| {
            let mut words = guest.cmdline.split_whitespace();
            words.any(|word| {
                (word.starts_with("slab_debug=") || word.starts_with("slub_debug=")) && word.contains(',')
            })
        });
        self.not_zero(flag).filter(|_| !for_some)
    }

    fn state(&self, name: &str) -> Option<&'a DetectorState> {
        self.seen.detectors.iter().find(|state| state.name == name)
    }

    fn not_zero(&self, name: &str) -> Option<DetectorOff> {
        let state = self.state(name)?;
        match state.numbers() {
            (Some(0), _) => Some(off_before(state)),
            (Some(_), None) => Some(DetectorOff {
                reason: format!("{name} could not be read after the dose"),
                meanwhile: true,
            }),
            _ => self.became(name, |_, now| now == 0),
        }
    }

    /// A switch that silences.
    fn zero(&self, name: &str) -> Option<DetectorOff> {
        let state = self.state(name)?;
        match state.numbers().0 {
            Some(0) => self.became(name, |_, now| now != 0),
            Some(_) => Some(off_before(state)),
            None => None,
        }
    }

    fn unchanged(&self, name: &str) -> Option<DetectorOff> {
        let state = self.state(name)?;
        let other = |(text, _): &(&str, Option<i64>)| state.before.as_deref() != Some(text);
        state.later().find(other).map(|(text, _)| changed(state, text))
    }

    fn not_lowered(&self, name: &str) -> Option<DetectorOff> {
        self.became(name, |before, now| now < before)
    }

    fn not_raised(&self, name: &str) -> Option<DetectorOff> {
        self.became(name, |before, now| now > before)
    }

    /// Whether it was so at any time after it was read before the dose.
    fn became(&self, name: &str, is_so: impl Fn(i64, i64) -> bool) -> Option<DetectorOff> {
        let state = self.state(name)?;
        let before = state.numbers().0?;
        let mut later = state.later();
        later.find(|(_, now)| now.is_some_and(|now| is_so(before, now))).map(|(text, _)| changed(state, text))
    }

    /// Whether the kernel said one of these things at any time.
    fn said(&self, words: &[&str], who: &str) -> Option<DetectorOff> {
        let console = &self.seen.console;
        let find = |words: &&str| {
            Some((memchr::memmem::find(&console.text, words.as_bytes())?, (*words).to_owned()))
        };
        let (at, words) = words.iter().find_map(find)?;
        let meanwhile = console.dose_start.is_some_and(|start| at >= start);
        Some(DetectorOff { reason: format!("{who} was off: the console says {words:?}"), meanwhile })
    }
}

fn off_before(state: &DetectorState) -> DetectorOff {
    let DetectorState { name, before, .. } = state;
    let before = before.as_deref().unwrap_or_default();
    DetectorOff {
        reason: format!("a detector was off: {name} was {before} before the dose"),
        meanwhile: false,
    }
}

fn changed(state: &DetectorState, to: &str) -> DetectorOff {
    let DetectorState { name, before, after, .. } = state;
    let before = before.as_deref().unwrap_or("unreadable");
    let back = if after.as_deref() == Some(to) { "" } else { ", for a while" };
    let reason = format!("a detector was lowered during the dose: {name} went from {before} to {to}{back}");
    DetectorOff { reason, meanwhile: true }
}
