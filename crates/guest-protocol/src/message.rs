//! What host and agent say to each other, as plain data.
//!
//! The host sends requests, the agent carries them out in their order. A request that fails is answered with
//! [`FromGuest::Failed`], and every later one but [`ToGuest::PowerOff`], [`ToGuest::Blocked`], [`ToGuest::Answer`],
//! [`ToGuest::Ping`], [`ToGuest::Begin`], modules that were asked for and what goes to a running command is then ignored, so
//! that the host may send all of them without waiting.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blocked::BlockedTask;
use crate::detectors::DetectorState;
use crate::facts::{GuestFacts, Phase, SetupFailure};
use crate::probe::{ProbeReading, ProbeRequest};
use crate::program::{Exit, Runs};

/// The test's program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramRequest {
    /// Command and arguments.
    pub command: Vec<String>,
    /// Its environment, besides `PATH`.
    pub environment: BTreeMap<String, String>,
    /// Readings around it.
    pub probes: Vec<ProbeRequest>,
    /// Settings of the kernel's detectors that are read around it, besides those that every test needs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub settings: Vec<String>,
    /// Whether the agent says what it read before the dose ([`FromGuest::Ready`]), and waits for [`ToGuest::Begin`].
    #[serde(default, skip_serializing_if = "is_false")]
    pub asks_leave: bool,
    /// Where the program does not end by itself: the dose is over after so long, milliseconds, whatever it does. It is
    /// started again where it ends before that, and ended with everything of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endless_ms: Option<u64>,
    /// A word that marks the start and the end of the dose on the console, different for every attempt.
    pub nonce: String,
    /// How long the kernel is watched after the program ended; absent: not at all, as after a rehearsal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Settle>,
}

fn is_false(flag: &bool) -> bool {
    !*flag
}

/// How long the kernel is watched after the program ended: as long as the program ran, within these bounds, and never
/// less than what was deferred to the end of a grace period of RCU needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settle {
    /// However short the program was, milliseconds.
    pub least_ms: u64,
    /// However long it was, milliseconds.
    pub most_ms: u64,
}

impl Settle {
    /// The time after a program that ran for so long.
    pub fn after(self, ran: Duration) -> Duration {
        let (least, most) = (Duration::from_millis(self.least_ms), Duration::from_millis(self.most_ms));
        ran.min(most).max(least)
    }
}

/// A command that a person runs in the guest, outside any test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecuteRequest {
    /// Command and arguments.
    pub command: Vec<String>,
    /// Its environment, besides `PATH` and `HOME`.
    pub environment: BTreeMap<String, String>,
    /// The folder that it starts in.
    pub folder: String,
    /// The terminal that it gets; absent: it gets a pipe for each stream.
    pub terminal: Option<WindowSize>,
}

/// How large a terminal is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WindowSize {
    /// From top to bottom.
    pub rows: u16,
    /// From left to right.
    pub columns: u16,
}

/// A character device that the guest gets a node of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceNode {
    /// Its path in the guest.
    pub path: String,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// Permission bits.
    pub mode: u32,
}

/// What a program may ask of the host, on its report descriptor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum HostRequest {
    /// Plug the machine's device of this name.
    Plug {
        /// Its name in the machine's file.
        device: String,
    },
    /// Unplug the machine's device of this name.
    Unplug {
        /// Its name in the machine's file.
        device: String,
    },
}

impl HostRequest {
    /// Reads a line of the report descriptor; `None`: it is no request but a report.
    pub fn parse(line: &str) -> Option<HostRequest> {
        let mut words = line.split_whitespace();
        let (verb, device) = (words.next()?, words.next().unwrap_or_default().to_owned());
        match verb {
            "plug" => Some(HostRequest::Plug { device }),
            "unplug" => Some(HostRequest::Unplug { device }),
            _ => None,
        }
    }
}

/// A request for a module with all that it needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRequest {
    /// Names the request among those of this guest.
    pub number: u64,
    /// A module's name or alias, as the kernel or a person spells it: `net-pf-132`.
    pub name: String,
    /// Modules that are loaded, which need not be sent.
    pub loaded: Vec<String>,
    /// Whether the modules themselves are wanted, and not only which they are.
    pub contents: bool,
}

/// What the host asks of the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "kebab-case")]
pub enum ToGuest {
    /// Say hello again.
    Ping,
    /// Become another guest than those that were restored from the same state: take in randomness, set the clock.
    Refresh {
        /// Random bytes.
        entropy: Vec<u8>,
        /// The time, nanoseconds since 1970.
        unix_ns: u64,
        /// How long to wait before going on, microseconds: timers of a restored kernel all begin at the same point.
        pause_us: u64,
    },
    /// Store the data frames that follow as a file.
    Put {
        /// Where, in the guest.
        path: String,
        /// Permission bits.
        mode: u32,
        /// How many bytes follow.
        size: u64,
    },
    /// Load a module that was put before.
    Module {
        /// Its name, for messages.
        name: String,
        /// Where it is in the guest.
        path: String,
        /// Its parameters, as in `insmod`.
        parameters: String,
        /// Whether the set-up goes on where it does not load.
        optional: bool,
    },
    /// Make device nodes that nothing in the guest would make before their module is loaded. Those that are there stay.
    Nodes {
        /// All of them.
        nodes: Vec<DeviceNode>,
    },
    /// Write a sysctl.
    Sysctl {
        /// In dotted form, for example `kernel.panic_on_oops`.
        name: String,
        /// What to write.
        value: String,
        /// Whether its absence is a failure.
        required: bool,
    },
    /// Wait for a block device with this serial number and remember its path under the name.
    Disk {
        /// The disk's name in the suite.
        name: String,
        /// The serial number that the host gave it.
        serial: String,
        /// A second environment variable of the program that holds its path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        variable: Option<String>,
    },
    /// Mount a disk that was waited for, read-only.
    Mount {
        /// The disk's name.
        disk: String,
        /// Where, in the guest; made if it is not there.
        path: String,
        /// The file system's type.
        file_system: String,
    },
    /// Make a disk that was waited for the root file system, read and written, with everything of the agent's in it. The
    /// disk is then no longer one of the test's.
    Enter {
        /// The disk's name.
        disk: String,
        /// The file system's type.
        file_system: String,
    },
    /// Run the trivial program.
    Check,
    /// Run the test's program.
    Run(ProgramRequest),
    /// The dose may begin, see [`FromGuest::Ready`].
    Begin,
    /// Run a command for a person. It is reported with [`FromGuest::Reached`] and `dose` that it was started.
    Execute(ExecuteRequest),
    /// Pass the data frames that follow to the command's standard input.
    Input {
        /// How many bytes follow.
        size: u64,
    },
    /// Close the command's standard input.
    InputEnds,
    /// The command's terminal has another size.
    Resize(WindowSize),
    /// What came of a request of the program, see [`FromGuest::Asks`].
    Answer {
        /// Why it was refused; absent: it was done.
        error: Option<String>,
    },
    /// A module that was asked for with [`FromGuest::ModuleWanted`]; they come in the order in which they are loaded.
    ModuleFile {
        /// The request's.
        number: u64,
        /// Its name, as the kernel spells it.
        name: String,
        /// Where modprobe would have it: below `/lib/modules/RELEASE`.
        path: String,
        /// Whether the rest is loaded where this one does not load.
        optional: bool,
        /// Whether it is what was asked for, and not only needed by that.
        asked: bool,
        /// Bytes of the module, in the data frames that follow; 0 where its contents were not asked for.
        size: u64,
    },
    /// The end of the answer to a [`FromGuest::ModuleWanted`].
    ModulesEnd {
        /// The request's.
        number: u64,
        /// Why the modules are not all there; absent: they are, or the kernel has it built in.
        error: Option<String>,
    },
    /// Wait until the guest has been up for this long.
    AwaitUptime {
        /// Milliseconds since its boot.
        ms: u64,
    },
    /// From now on: the guest's clock leaps to the next timer whenever all of its processors are idle. So one of them must be
    /// busy while the host owes an answer, or what waits for that would wait for ever by the guest's clock; and what the host
    /// would wait for by its own clock, the agent waits for.
    ClockLeaps,
    /// Tell which tasks are blocked, and have the kernel print them on the console.
    Blocked,
    /// Power the guest off.
    PowerOff,
}

/// What the agent tells the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "tell", rename_all = "kebab-case")]
pub enum FromGuest {
    /// The agent is ready for requests.
    Hello(GuestFacts),
    /// The answer to [`ToGuest::Refresh`].
    Refreshed {
        /// What the kernel refused; absent: it was done.
        error: Option<String>,
    },
    /// Another phase begins.
    Reached {
        /// Which one.
        phase: Phase,
    },
    /// A request failed.
    Failed(SetupFailure),
    /// A sysctl now reads this.
    SysctlIs {
        /// In dotted form.
        name: String,
        /// What it reads.
        value: String,
    },
    /// What was read before the dose, which begins with [`ToGuest::Begin`].
    Ready {
        /// How the kernel's detectors are set.
        states: Vec<DetectorState>,
        /// The first readings.
        readings: Vec<ProbeReading>,
    },
    /// The kernel, or somebody in the guest, wants a module: [`ToGuest::ModuleFile`] and [`ToGuest::ModulesEnd`] answer it.
    ModuleWanted(ModuleRequest),
    /// A line of the program's report descriptor.
    Report {
        /// Without its newline.
        line: String,
    },
    /// The program asks for something that only the host can do. It is answered with [`ToGuest::Answer`], in the order
    /// of the requests.
    Asks(HostRequest),
    /// The program ended. Its output came in data frames before; what was beyond the bound is only counted, but for
    /// the very end of it, which is here.
    Exited {
        /// How.
        exit: Exit,
        /// Bytes of output in all.
        output_bytes: u64,
        /// The end of the output where it was not sent in data frames.
        output_tail: String,
        /// From its start to its end by the guest's clock, milliseconds.
        ran_ms: u64,
        /// Its runs, where it does not end by itself; then the others are about the last one, or about all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runs: Option<Runs>,
    },
    /// The command took in so much of its input: the host may send as much again.
    Consumed {
        /// Bytes since the last such message.
        bytes: u64,
    },
    /// The detectors' readings.
    Probes {
        /// One for each request.
        readings: Vec<ProbeReading>,
    },
    /// How the kernel's detectors were set before and after the dose.
    Detectors {
        /// One for each file that this kernel has.
        states: Vec<DetectorState>,
    },
    /// The blocked tasks: when they were asked for, and after the program's end.
    BlockedTasks {
        /// Those in uninterruptible sleep; after the program's end those that did not move while the kernel was
        /// watched.
        tasks: Vec<BlockedTask>,
    },
    /// What the kernel's log holds of the dose, in the order of the log.
    KernelLog {
        /// Records, one a line, as `/dev/kmsg` gives them without the properties behind them ([`crate::kmsg::parse`]).
        records: String,
        /// Records before these that were overwritten before they could be read.
        lost: u64,
        /// Records that are not sent because there are too many; sent at the end.
        left_out: u64,
        /// Whether this is the last of them, with the mark of the dose's end.
        ended: bool,
    },
    /// The kernel's log could not be followed.
    NoKernelLog {
        /// The kernel's answer.
        error: String,
    },
    /// The agent lives.
    Heartbeat {
        /// Since its start, milliseconds.
        uptime_ms: u64,
    },
    /// Everything is done; the guest powers off now.
    Bye,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slab::SlabCaches;

    #[test]
    fn requests_are_told_from_reports() {
        let plug = |device: &str| Some(HostRequest::Plug { device: device.into() });
        assert_eq!(HostRequest::parse("plug card0"), plug("card0"));
        assert_eq!(HostRequest::parse(" plug"), plug(""));
        assert_eq!(HostRequest::parse("unplug a b"), Some(HostRequest::Unplug { device: "a".into() }));
        for report in ["note plug card0", "plugged", "", "symptom x"] {
            assert_eq!(HostRequest::parse(report), None, "{report}");
        }
    }

    #[test]
    fn the_kernel_is_watched_as_long_as_the_program_ran_within_bounds() {
        let settle = Settle { least_ms: 50, most_ms: 200 };
        let after = |ms| settle.after(Duration::from_millis(ms)).as_millis();
        assert_eq!([0, 49, 51, 120, 200, 9000].map(after), [50, 50, 51, 120, 200, 200]);
    }

    #[test]
    fn messages_read_back() {
        let messages = [
            ToGuest::Ping,
            ToGuest::Refresh { entropy: vec![1, 2], unix_ns: u64::MAX, pause_us: 3 },
            ToGuest::Answer { error: Some("no".into()) },
            ToGuest::Put { path: "/a".into(), mode: 0o755, size: 3 },
            ToGuest::Run(ProgramRequest {
                command: vec!["/x".into()],
                environment: BTreeMap::new(),
                probes: vec![
                    ProbeRequest::Slab { caches: SlabCaches::Size(192), leak_per_1000: 2000 },
                    ProbeRequest::Kmemleak,
                ],
                settings: vec!["kernel.watchdog".into()],
                asks_leave: true,
                endless_ms: Some(5000),
                nonce: "n".into(),
                settle: Some(Settle { least_ms: 1, most_ms: 2 }),
            }),
        ];
        for message in messages {
            let json = serde_json::to_string(&message).unwrap();
            assert_eq!(serde_json::from_str::<ToGuest>(&json).unwrap(), message);
        }
        let told = FromGuest::Exited {
            exit: Exit::Signal(9),
            output_bytes: 1,
            output_tail: String::new(),
            ran_ms: 5,
            runs: Some(Runs { started: 2, ..Runs::default() }),
        };
        let asks = FromGuest::Asks(HostRequest::Plug { device: "card0".into() });
        for told in [told, asks] {
            let json = serde_json::to_string(&told).unwrap();
            assert_eq!(serde_json::from_str::<FromGuest>(&json).unwrap(), told);
        }
    }
}
