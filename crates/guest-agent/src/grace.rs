//! Waiting for what a kernel defers to the end of a grace period of RCU.

use rustix::thread::MembarrierCommand;

/// Waits until what the program had freed by RCU is freed: one grace period ends for what was deferred, another for
/// what that deferred in turn (`membarrier(2)`: its global command waits for one). Where the kernel has no such
/// command the time alone has to do.
pub(super) fn grace_periods() {
    for _ in 0..2 {
        let _ = rustix::thread::membarrier(MembarrierCommand::Global);
    }
}
