//! Deadlocks are named from what real kernels printed and from what the agent read in them.

use kernel_oops::hang::BlockedTask;
use kernel_oops::hang::{blocked_tasks, deadlock};
use proptest::prelude::*;

const SELF: &[u8] = include_bytes!("fixtures/hang/sriov-self-6.17.13.log");
const ORDER: &[u8] = include_bytes!("fixtures/hang/sriov-order-7.2.13.log");
const RFKILL: &[u8] = include_bytes!("fixtures/hang/rfkill-6.12.117.log");

fn named(console: &[u8], seen: &[BlockedTask]) -> String {
    deadlock(console, seen).map_or_else(|| "none".to_owned(), |deadlock| deadlock.to_string())
}

fn task(pid: u32, comm: &str, stack: &str) -> BlockedTask {
    BlockedTask { pid, comm: comm.into(), stack: stack.split_whitespace().map(str::to_owned).collect() }
}

/// What the agent read of a 6.17.13 in which the virtual functions were disabled while the port was removed.
fn order_by_agent() -> Vec<BlockedTask> {
    vec![
        task(
            136,
            "sriov-numvfs-re",
            "device_release_driver_internal pci_stop_bus_device pci_stop_bus_device \
             pci_stop_and_remove_bus_device_locked remove_store kernfs_fop_write_iter vfs_write",
        ),
        task(
            137,
            "sriov-numvfs-re",
            "sriov_disable igb_disable_sriov sriov_numvfs_store kernfs_fop_write_iter vfs_write ksys_write",
        ),
    ]
}

#[test]
fn the_kernels_own_words() {
    insta::assert_snapshot!(named(SELF, &[]), @"deadlock: program:146 waits in sriov_disable for pci_rescan_remove_lock, held by itself");
    insta::assert_snapshot!(named(ORDER, &[]), @"deadlock: program:121 waits in device_release_driver_internal for the device lock, held by program:122; program:122 waits in sriov_numvfs_store for pci_rescan_remove_lock, held by program:121");
}

#[test]
fn the_stacks_alone() {
    insta::assert_snapshot!(named(RFKILL, &[]), @"deadlock by the stacks: kworker/1:0:28 waits in cfg80211_rfkill_poll for the wiphy lock, held by rsi-rfkill-dead:143; rsi-rfkill-dead:143 waits in rsi_mac80211_stop for the work rfkill_poll, held by kworker/1:0:28");
    insta::assert_snapshot!(named(b"", &order_by_agent()), @"deadlock by the stacks: sriov-numvfs-re:136 waits in device_release_driver_internal for the device lock, held by sriov-numvfs-re:137; sriov-numvfs-re:137 waits in sriov_disable for pci_rescan_remove_lock, held by sriov-numvfs-re:136");
    let console = String::from_utf8_lossy(ORDER).replace("is blocked on", "waits for");
    insta::assert_snapshot!(named(console.as_bytes(), &[]), @"deadlock by the stacks: program:121 waits in device_release_driver_internal for the device lock, held by program:122; program:122 waits in sriov_numvfs_store for pci_rescan_remove_lock, held by program:121");
    let console = String::from_utf8_lossy(SELF).replace("is blocked on", "waits for");
    insta::assert_snapshot!(named(console.as_bytes(), &[]), @"deadlock by the stacks: program:146 waits in sriov_disable for pci_rescan_remove_lock, held by itself");
}

#[test]
fn no_cycle_no_deadlock() {
    // one task waits for another that goes on
    assert_eq!(named(b"", &order_by_agent()[1..]), "none");
    // a device's own lock below that of another device
    let nested = task(
        1,
        "rmmod",
        "device_release_driver_internal pci_stop_bus_device igb_remove device_release_driver_internal",
    );
    assert_eq!(named(b"", &[nested]), "none");
    // a waiter in an unknown place, and one without a stack
    assert_eq!(named(b"", &[task(1, "a", "msleep f g"), task(2, "b", "")]), "none");
    assert_eq!(named(b"", &[]), "none");
}

#[test]
fn both_sources_are_joined() {
    // the console shows the waiter alone, the agent saw the holder
    let console = "[ 1.0] task:kworker/1:0 state:D stack:0 pid:28 tgid:28 ppid:2 flags:0x0\n[ 1.1]  cfg80211_rfkill_poll+0x1d/0xe0 [cfg80211]\n[ 1.2]  rfkill_poll+0x2a/0x50 [rfkill]\n";
    let seen = [
        task(28, "kworker/1:0+events_power_efficient", "cfg80211_rfkill_poll rfkill_poll"),
        task(
            143,
            "ip",
            "__flush_work cancel_delayed_work_sync rsi_mac80211_stop drv_stop ieee80211_do_stop ieee80211_stop",
        ),
    ];
    insta::assert_snapshot!(named(console.as_bytes(), &seen), @"deadlock by the stacks: kworker/1:0:28 waits in cfg80211_rfkill_poll for the wiphy lock, held by ip:143; ip:143 waits in rsi_mac80211_stop for the work rfkill_poll, held by kworker/1:0:28");
}

#[test]
fn stacks_of_the_console_are_whole() {
    let tasks = blocked_tasks(RFKILL);
    let names: Vec<&str> = tasks.iter().map(|t| t.comm.as_str()).collect();
    assert_eq!(names, ["kworker/0:1", "kworker/1:0", "rsi-rfkill-dead"]);
    assert_eq!(tasks[2].stack.first().map(String::as_str), Some("__schedule"));
    assert!(tasks[2].stack.iter().any(|f| f == "devinet_ioctl"));
}

proptest! {
    #[test]
    fn any_graph_of_tasks_ends(edges in prop::collection::vec((1u32..9, 1u32..9), 0..30)) {
        let tasks: Vec<BlockedTask> = (1..9).map(|pid| task(pid, "t", "f")).collect();
        let console: String = edges
            .iter()
            .map(|(a, b)| format!("[ 1.0] INFO: task t:{a} is blocked on a mutex likely owned by task t:{b}.\n"))
            .collect();
        if let Some(found) = deadlock(console.as_bytes(), &tasks) {
            prop_assert!(found.by_kernel);
            prop_assert!(found.links.len() <= 8);
        }
    }
}
