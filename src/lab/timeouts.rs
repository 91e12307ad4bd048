//! How long the phases of an attempt may take.

use std::time::Duration;

/// How long things may take, beyond what the test itself says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the start of QEMU to the agent's first message.
    pub boot: Duration,
    /// From the start of QEMU to the answer of a restored guest. A guest that takes longer is given up and boots.
    pub restore: Duration,
    /// Setting up: modules, files, the trivial program.
    pub setup: Duration,
    /// Without any sign of the agent. Longer than the kernel's own detectors of a stuck processor (soft lockup: 22 s,
    /// RCU stall: 21 s by default), which say more than silence does.
    pub silence: Duration,
    /// From a crash on the console to the guest's end by itself (it panics and restarts, which ends QEMU).
    pub crash: Duration,
    /// From the request for blocked tasks to the guest's end, unless they are reported earlier.
    pub evidence: Duration,
    /// From the request for blocked tasks to the agent's answer; then the kernel itself is asked.
    pub answer: Duration,
    /// From the agent's last message to the end of QEMU.
    pub power_off: Duration,
}

impl Default for Timeouts {
    fn default() -> Timeouts {
        Timeouts {
            boot: Duration::from_secs(60),
            restore: Duration::from_secs(30),
            setup: Duration::from_secs(60),
            silence: Duration::from_secs(45),
            crash: Duration::from_secs(10),
            evidence: Duration::from_secs(8),
            answer: Duration::from_secs(3),
            power_off: Duration::from_secs(5),
        }
    }
}

/// How the test's own limits apply.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From here on the program is shown as slow.
    pub slow: Duration,
    /// Here the program is ended.
    pub terminate: Duration,
}
