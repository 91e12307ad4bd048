//! Suites and tests as the rest of the program sees them: checked, with defaults filled in and paths resolved.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

use super::messages::KnownMessages;
use super::program::Program;
use super::range::Versions;
use super::symptom::{Probe, Symptom};
use super::userland::Userland;
use crate::yaml::Location;

/// A suite: related tests from one file.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Suite {
    /// Name, `[a-z0-9-]`; the first half of the tests' ids.
    pub name: String,
    /// What the tests have in common, for people.
    pub summary: String,
    /// The file.
    pub path: PathBuf,
    /// The folder of the file; paths in the suite are relative to it.
    pub dir: PathBuf,
    /// The tests in the order of the file; never empty, names unique.
    pub tests: Vec<Arc<Test>>,
}

/// A test: one reproducer of one bug.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Test {
    /// Name of the suite.
    pub suite: String,
    /// Name within the suite, `[a-z0-9-]`.
    pub name: String,
    /// The bug in a sentence.
    pub summary: String,
    /// The report, the discussion, the fix.
    pub links: Vec<String>,
    /// Where the bug came from and where it went.
    pub history: History,
    /// What the kernel must offer, or the cell is skipped.
    pub needs: Needs,
    /// What the virtual machine must be like.
    pub machine: MachineNeeds,
    /// Files of the host that the program finds beside itself in the guest, under their own names; absolute or
    /// relative to the current directory like [`Suite::path`].
    pub files: Vec<PathBuf>,
    /// Kernel parameters set in the guest before the program starts: `kernel.panic_on_warn` to `1`.
    pub sysctl: BTreeMap<String, String>,
    /// Steps run on the host before the first attempt, in order, in one folder that is empty at first.
    pub prepare: Vec<PrepareStep>,
    /// What runs in the guest.
    pub program: Program,
    /// How much makes the symptom's absence believable.
    pub dose: Dose,
    /// How long an attempt may take.
    pub timeout: Timeouts,
    /// When the kernel calls a task hung.
    pub hang: Hang,
    /// When it runs among the others.
    pub turn: Scheduling,
    /// Why each attempt boots its guest instead of restoring one; absent: it need not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boots: Option<String>,
    /// Files of the kernel's package that the guest has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kernel_files: Vec<KernelFiles>,
    /// The root file system that the program runs in; absent: the guest's own, with busybox and nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userland: Option<Userland>,
    /// Readings that the symptom needs.
    pub probes: Vec<Probe>,
    /// What says that the bug is there.
    pub symptom: Symptom,
    /// The test of the same suite that this one is the control of: same steps without the trigger, never bad.
    pub control_of: Option<String>,
    /// What was seen earlier; decides how a result is shown, never the verdict.
    pub known: Vec<Known>,
    /// Messages of the kernel that do no harm or count although they are no crash: the suite's, and the run's.
    pub messages: Arc<KnownMessages>,
    /// Where the test is defined.
    pub span: Location,
}

impl Test {
    /// The id, `suite::name`.
    pub fn id(&self) -> String {
        format!("{}::{}", self.suite, self.name)
    }
}

/// The commits of a bug's life.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct History {
    /// Wrote the defect.
    pub introduced: Option<Commit>,
    /// Made it reachable, where that was another commit.
    pub exposed: Option<Commit>,
    /// Removed it.
    pub fixed: Option<Commit>,
    /// Further commits that were needed to remove it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_fixed: Vec<Commit>,
    /// The numbers that it has as a vulnerability: `CVE-2026-46331`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cves: Vec<String>,
    /// The source files that the defect is in: a patch that touches one of them may be about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

impl History {
    /// The commits that removed the bug; it is gone where all of them are.
    pub fn fixes(&self) -> impl Iterator<Item = &Commit> {
        self.fixed.iter().chain(&self.also_fixed)
    }
}

/// A commit of Linux.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    /// 7 to 40 hexadecimal digits.
    pub commit: String,
    /// First version that has it: `v6.17-rc3`.
    pub version: Option<String>,
    /// Its title, by which changelogs list it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
}

/// What the kernel must offer; what is missing makes the cell a skip that names it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Needs {
    /// Modules, built in or loadable; loaded with their dependencies before the program starts.
    pub modules: Vec<String>,
    /// Config options, see [`ConfigNeed`].
    pub config: Vec<String>,
    /// Versions on which the test makes sense.
    pub kernel: Option<Versions>,
    /// How long the guest must have been up before the program starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime: Option<Duration>,
}

impl Needs {
    /// The config options, taken apart.
    pub fn config_needs(&self) -> impl Iterator<Item = ConfigNeed<'_>> {
        self.config.iter().map(|text| ConfigNeed::parse(text))
    }
}

/// A config option that must be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigNeed<'a> {
    /// The option without `CONFIG_`.
    pub option: &'a str,
    /// The value it must have; without one, `y` or `m` will do. `n` means off or absent.
    pub value: Option<&'a str>,
}

impl<'a> ConfigNeed<'a> {
    fn parse(text: &'a str) -> Self {
        match text.split_once('=') {
            Some((option, value)) => Self { option, value: Some(value) },
            None => Self { option: text, value: None },
        }
    }

    /// Whether a kernel whose config has `found` for this option satisfies the need.
    pub fn is_met_by(&self, found: Option<&str>) -> bool {
        match self.value {
            None => matches!(found, Some("y" | "m")),
            Some("n") => matches!(found, None | Some("n")),
            Some(value) => found == Some(value),
        }
    }
}

/// What the virtual machine must be like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MachineNeeds {
    /// The machine under `vm/` to start from.
    pub base: String,
    /// Virtual cpus; those of the base where none are given.
    pub cpus: Option<u32>,
    /// Memory in MiB; that of the base where none is given.
    pub memory_mib: Option<u32>,
    /// Arguments added to the kernel's command line.
    pub cmdline: Vec<String>,
    /// Disks, each a throw-away copy.
    pub disks: Vec<DiskNeed>,
    /// How the guest's time passes.
    #[serde(skip_serializing_if = "Clock::is_real")]
    pub clock: Clock,
    /// What may execute it; as the base says where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accel: Option<AccelNeed>,
}

/// What may execute a machine's instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccelNeed {
    /// Whatever the run uses.
    #[default]
    Any,
    /// The host's processor, or the machine is unavailable.
    Kvm,
    /// QEMU's translator, even where KVM works.
    Tcg,
}

/// The words of `accel`.
pub const ACCELS: [(&str, AccelNeed); 3] =
    [("any", AccelNeed::Any), ("kvm", AccelNeed::Kvm), ("tcg", AccelNeed::Tcg)];

/// How a guest's time passes while its processors are idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clock {
    /// As the host's does.
    #[default]
    Real,
    /// It jumps to the next timer, so that nobody waits for what only waits. User-mode Linux calls it time travel.
    TimeTravel,
}

impl Clock {
    /// Whether it is the host's.
    pub fn is_real(&self) -> bool {
        *self == Clock::Real
    }
}

/// A disk of the guest; the program finds its device in `KREGRESS_DISK_<NAME>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiskNeed {
    /// Name, `[a-z0-9-]`.
    pub name: String,
    /// The [`PrepareStep::output`] that it is a copy of; absent: it is blank.
    pub image: Option<String>,
    /// MiB of zeroes, where it is no copy of anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blank_mib: Option<u32>,
    /// A second environment variable that holds the device's path, as another project's tests want it: `LTP_DEV`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
}

impl DiskNeed {
    /// The environment variable that holds the device's path: `KREGRESS_DISK_DATA` for a disk named `data`.
    pub fn variable(&self) -> String {
        format!("KREGRESS_DISK_{}", self.name.to_uppercase().replace('-', "_"))
    }
}

/// Files that a distribution installs with a kernel, and that programs read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KernelFiles {
    /// Its configuration, below `/boot`.
    Config,
    /// The lists of its modules, in `/lib/modules/RELEASE`.
    Modules,
}

/// A step that makes a file on the host, without root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrepareStep {
    /// Script for `/bin/sh`.
    pub shell: String,
    /// The file that the step leaves in its folder. One that no disk uses goes into the guest beside the program.
    pub output: String,
    /// Commands that the host must have.
    pub tools: Vec<String>,
    /// Files of the suite that the step finds in its folder, under their own names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<PathBuf>,
    /// How long it may take.
    pub timeout: Duration,
}

/// How much of the program makes the absence of a symptom believable.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dose {
    /// How long the program runs (`KREGRESS_SECONDS`).
    pub seconds: Option<u32>,
    /// How many rounds it does (`KREGRESS_ROUNDS`).
    pub rounds: Option<u64>,
    /// Attempts for a `good`.
    pub attempts: u32,
    /// Measured chance that one attempt on a bad kernel shows the symptom, above 0, at most 1.
    pub chance: Option<f64>,
}

/// How long an attempt may take, from the start of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Timeouts {
    /// From here on it is shown as slow.
    pub slow: Duration,
    /// Here it is ended; not before `slow`.
    pub terminate: Duration,
}

/// When a test's turn comes; its result does not depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Scheduling {
    /// Of tests that wait the one with the highest number begins, -100 to 100.
    pub priority: i32,
    /// Tests of which only some may run at once.
    pub group: Option<Arc<Group>>,
    /// How often an attempt that says nothing is repeated, where a configuration says so of this test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Further groups, which a configuration makes.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Arc<Group>>,
}

/// Tests of a suite that share something which does not bear all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Name of the suite and name within it: `suite::name`.
    pub name: String,
    /// Virtual machines at once.
    pub max: u32,
}

/// When the kernel calls a task hung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Hang {
    /// `kernel.hung_task_timeout_secs` in the guest; a report follows after one to two times as long.
    pub seconds: u32,
}

/// What earlier runs saw on some versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// The versions.
    pub versions: Versions,
    /// What was seen there.
    pub verdict: KnownVerdict,
    /// Why, for people: `reason` in the file, or `note` in older ones.
    pub note: Option<String>,
    /// Where more is said about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// The day on which it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// Until when it holds.
    #[serde(skip_serializing_if = "Expiry::is_unsaid")]
    pub expires: Expiry,
    /// Where it is written.
    #[serde(skip)]
    pub span: Location,
}

/// Until when an entry of a `known` list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Expiry {
    /// To the end of this day.
    On(Date),
    /// For ever, as its author says.
    #[serde(serialize_with = "never")]
    Never,
    /// For ever, as nobody said anything: an entry of an older suite.
    Unsaid,
}

fn never<S: Serializer>(serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str("never")
}

impl Expiry {
    /// Days that an entry holds whose suite says when it was written and not until when it holds: about two releases of
    /// the kernel, each of which takes nine to ten weeks, and some weeks for their way into distributions.
    pub const DAYS: i32 = 180;

    /// Whether nobody said anything.
    pub fn is_unsaid(&self) -> bool {
        *self == Expiry::Unsaid
    }
}

impl Known {
    /// Whether it holds no more.
    pub fn is_expired(&self, today: Date) -> bool {
        matches!(self.expires, Expiry::On(last) if last < today)
    }

    /// Whether it speaks of a failure, and so hides one.
    pub fn hides_failures(&self) -> bool {
        matches!(self.verdict, KnownVerdict::Bad | KnownVerdict::Other)
    }

    /// The notice for an entry of this test that has expired.
    pub fn expiry_notice(&self, test: &str) -> String {
        let Known { versions, verdict, span, .. } = self;
        let day = match self.expires {
            Expiry::On(day) => day.to_string(),
            Expiry::Never | Expiry::Unsaid => String::new(),
        };
        format!(
            "{span}: that {test} is {} on {} is known no more since {day}: it counts as a failure again; remove the entry, or renew it where it is still true",
            verdict.word(),
            versions.as_str(),
        )
    }
}

/// A verdict that a test's author may foretell; `lost` is nobody's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum KnownVerdict {
    /// The bug is there.
    Bad,
    /// The bug is not there.
    Good,
    /// The kernel breaks in another way.
    Other,
    /// A need is not met.
    Skip,
    /// The test cannot judge there.
    Blind,
}

impl KnownVerdict {
    /// Its word in a suite.
    pub fn word(self) -> &'static str {
        match self {
            KnownVerdict::Bad => "bad",
            KnownVerdict::Good => "good",
            KnownVerdict::Other => "other",
            KnownVerdict::Skip => "skip",
            KnownVerdict::Blind => "blind",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn config_needs_are_met_by_values() {
        for (need, found, met) in [
            ("KASAN", Some("y"), true),
            ("KASAN", Some("m"), true),
            ("KASAN", Some("n"), false),
            ("KASAN", None, false),
            ("SLUB_DEBUG=y", Some("m"), false),
            ("NR_CPUS=64", Some("64"), true),
            ("SLUB_TINY=n", None, true),
            ("SLUB_TINY=n", Some("y"), false),
        ] {
            assert_eq!(ConfigNeed::parse(need).is_met_by(found), met, "{need} by {found:?}");
        }
    }

    #[test]
    fn a_disk_names_its_variable() {
        let image = Some("disk.img".into());
        let disk = DiskNeed { name: "bad-ext4".into(), image, blank_mib: None, also: None };
        assert_eq!(disk.variable(), "KREGRESS_DISK_BAD_EXT4");
    }
}
