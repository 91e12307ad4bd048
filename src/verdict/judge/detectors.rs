//! Whether the kernel's detectors were at work from the dose's beginning to its end.

use crate::observation::{DetectorState, Observation};
use crate::oops::{Report, ReportKind};
use crate::suite::detector::{Detector, Stops};

/// What makes a detector blind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DetectorOff {
    /// In words.
    pub reason: String,
    /// Since when.
    pub when: When,
}

/// Since when a detector is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// It was not at work in this guest, and nothing says that it ever was.
    Never,
    /// It stopped before the dose, or it is not known whether it was at work.
    Before,
    /// It was at work when the dose began.
    Meanwhile,
}

impl DetectorOff {
    /// It is not known whether it was at work.
    pub fn unknown(reason: String) -> DetectorOff {
        DetectorOff { reason, when: When::Before }
    }

    fn never(reason: impl Into<String>) -> Option<DetectorOff> {
        Some(DetectorOff { reason: reason.into(), when: When::Never })
    }
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
/// `mm/kasan/report.c`
const KASAN_REPORTED: &[&str] = &["BUG: KASAN: "];
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
    pub fn all_off(&self, detectors: &[Detector]) -> Option<DetectorOff> {
        let off: Vec<DetectorOff> = detectors.iter().filter_map(|detector| self.off(detector)).collect();
        let all = off.len() == detectors.len();
        // the first of those that were at work for longest
        let first = off.into_iter().rev().max_by_key(|off| off.when)?;
        (first.when == When::Meanwhile || all).then_some(first)
    }

    /// Why this detector was not at work all the time, as far as anything tells.
    pub fn off(&self, detector: &Detector) -> Option<DetectorOff> {
        let named = |off: DetectorOff| DetectorOff {
            reason: format!("{} (CONFIG_{})", off.reason, detector.option),
            ..off
        };
        let stopped = self.stopped(detector.stops);
        stopped.or_else(|| self.unread(detector.stops)).map(named)
    }

    /// A setting that this kernel has and that could not be read leaves open whether the detector was at work.
    fn unread(&self, by: Stops) -> Option<DetectorOff> {
        let mut settings = by.settings().iter().filter_map(|name| self.state(name));
        settings.find_map(|state| {
            let (reason, when) = unreadable(state)?;
            // it is not due before the program has ended
            let is_due = when != When::Meanwhile || self.seen.program.exit.is_some();
            is_due.then_some(DetectorOff { reason, when })
        })
    }

    fn stopped(&self, by: Stops) -> Option<DetectorOff> {
        match by {
            Stops::Never => None,
            Stops::HungTask => self.hung_task(),
            Stops::SoftLockup => self.watchdog(&["kernel.watchdog", "kernel.soft_watchdog"]),
            Stops::HardLockup => self
                .said(HARD_LOCKUP_OFF, "the hard-lockup detector")
                .map(|off| DetectorOff { when: When::Never, ..off })
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
                return DetectorOff::never("this kernel has no hung-task detector, or it is switched off");
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
            return Some(DetectorOff { reason, when: When::Before });
        }
        self.said(LOCKDEP_OFF, "lockdep").or_else(|| self.not_zero("debug_locks"))
    }

    /// KASAN reports once, unless an option at boot says otherwise. What it reported may be known and allowed.
    fn kasan(&self) -> Option<DetectorOff> {
        if self.seen.guest.as_ref().is_some_and(|guest| guest.cmdline.contains("kasan_multi_shot")) {
            return None;
        }
        let Some(report) = self.before.iter().find(|report| report.kind.word().starts_with("KASAN")) else {
            let off = self.said(KASAN_REPORTED, "KASAN")?;
            return Some(DetectorOff { reason: format!("{}, and it reports once", off.reason), ..off });
        };
        let reason = format!("KASAN was off: it reports once, and did before the dose ({})", report.title);
        Some(DetectorOff { reason, when: When::Before })
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
        let in_dose = console.dose_start.is_some_and(|start| at >= start);
        let when = if in_dose { When::Meanwhile } else { When::Before };
        Some(DetectorOff { reason: format!("{who} was off: the console says {words:?}"), when })
    }
}

fn off_before(state: &DetectorState) -> DetectorOff {
    let DetectorState { name, before, .. } = state;
    let before = before.as_deref().unwrap_or_default();
    let reason = format!("a detector was off: {name} was {before} before the dose");
    // lockdep is at work from the first lock on, until something ends it
    let when = if name == "debug_locks" { When::Before } else { When::Never };
    DetectorOff { reason, when }
}

/// A setting that could not be read, in words.
pub(super) fn unreadable(state: &DetectorState) -> Option<(String, When)> {
    let DetectorState { name, before, after, error, .. } = state;
    let why = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    match (before, after) {
        (None, _) => Some((format!("{name} could not be read before the dose{why}"), When::Before)),
        (Some(_), None) => Some((format!("{name} could not be read after the dose{why}"), When::Meanwhile)),
        (Some(_), Some(_)) => None,
    }
}

fn changed(state: &DetectorState, to: &str) -> DetectorOff {
    let DetectorState { name, before, after, .. } = state;
    let before = before.as_deref().unwrap_or("unreadable");
    let back = if after.as_deref() == Some(to) { "" } else { ", for a while" };
    let reason = format!("a detector was lowered during the dose: {name} went from {before} to {to}{back}");
    DetectorOff { reason, when: When::Meanwhile }
}
