//! Whether the kernel's detectors were at work from the dose's beginning to its end.

use crate::observation::{DetectorState, Observation};
use crate::oops::{Report, ReportKind};
use crate::suite::detector::{SLAB_CHECKS, SLAB_POISON, SLAB_RED_ZONE};

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

    /// Why none of the detectors behind these options could see its symptom; `None`: one could. One that stopped
    /// meanwhile may be the one on which it rested.
    pub fn all_off(&self, options: &[&str]) -> Option<String> {
        let off: Vec<DetectorOff> = options.iter().filter_map(|option| self.off(option)).collect();
        let first = off.iter().find(|off| off.meanwhile).or(off.first())?;
        (first.meanwhile || off.len() == options.len()).then(|| first.reason.clone())
    }

    /// Why the detector behind this option was not at work all the time, as far as anything tells.
    pub fn off(&self, option: &str) -> Option<DetectorOff> {
        match option {
            "DETECT_HUNG_TASK" => self.hung_task(),
            "SOFTLOCKUP_DETECTOR" => self.watchdog(&["kernel.watchdog", "kernel.soft_watchdog"]),
            "HARDLOCKUP_DETECTOR" => self
                .said(HARD_LOCKUP_OFF, "the hard-lockup detector")
                .or_else(|| self.watchdog(&["kernel.watchdog", "kernel.nmi_watchdog"])),
            "LOCKDEP" | "PROVE_LOCKING" | "PROVE_RCU" => self.lockdep(),
            "KASAN" => self.kasan(),
            "KFENCE" => {
                self.not_zero("kfence.sample_interval").or_else(|| self.not_raised("kfence.sample_interval"))
            }
            "DEBUG_KMEMLEAK" => self.said(KMEMLEAK_OFF, "kmemleak"),
            "DEBUG_OBJECTS" => self.said(OBJECTS_OFF, "the debugging of objects"),
            SLAB_RED_ZONE => self.slab("slab_debug=Z"),
            SLAB_POISON => self.slab("slab_debug=P"),
            SLAB_CHECKS => self.slab("slab_debug=F"),
            // the others cannot be switched off while the kernel runs
            _ => None,
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
            .or_else(|| self.interval())
    }

    /// An interval of 0 is as long as the timeout.
    fn interval(&self) -> Option<DetectorOff> {
        let state = self.state("kernel.hung_task_check_interval_secs")?;
        match state.numbers() {
            (Some(1..), Some(0)) => Some(changed(state)),
            _ => self.not_raised("kernel.hung_task_check_interval_secs"),
        }
    }

    fn watchdog(&self, switches: &[&str]) -> Option<DetectorOff> {
        let switched_off = switches.iter().find_map(|switch| self.not_zero(switch));
        let thresh = "kernel.watchdog_thresh";
        switched_off.or_else(|| self.not_zero(thresh)).or_else(|| self.not_raised(thresh))
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
            (Some(0), _) => Some(DetectorOff {
                reason: format!("a detector was off: {name} was 0 before the dose"),
                meanwhile: false,
            }),
            (Some(_), Some(0)) => Some(changed(state)),
            (Some(_), None) => Some(DetectorOff {
                reason: format!("{name} could not be read after the dose"),
                meanwhile: true,
            }),
            _ => None,
        }
    }

    fn not_raised(&self, name: &str) -> Option<DetectorOff> {
        let state = self.state(name)?;
        matches!(state.numbers(), (Some(before), Some(after)) if after > before).then(|| changed(state))
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

fn changed(state: &DetectorState) -> DetectorOff {
    let DetectorState { name, before, after } = state;
    let word = |text: &Option<String>| text.as_deref().unwrap_or("unreadable").to_owned();
    let reason = format!(
        "a detector was lowered during the dose: {name} went from {} to {}",
        word(before),
        word(after)
    );
    DetectorOff { reason, meanwhile: true }
}
