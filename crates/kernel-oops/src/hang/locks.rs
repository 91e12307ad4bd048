//! What functions of the kernel wait for and what they hold, as far as the project's tests meet them. A stack does not
//! name locks; these functions stand for them.

/// Something that tasks hold and wait for.
#[derive(Debug)]
pub struct Lock {
    /// What it is called.
    pub name: &'static str,
    /// Whether there is only one of it: a task that waits for it and holds it waits for itself. Where every device has
    /// its own, a task may well hold one and wait for another.
    pub single: bool,
    /// A task that is blocked in one of these functions waits for it.
    pub wanted_in: &'static [&'static str],
    /// A task below one of these functions holds it.
    pub held_in: &'static [&'static str],
}

/// In order: the first that fits the function in which a task is blocked is the one it waits for.
pub const LOCKS: &[Lock] = &[
    // drivers/pci: pci_lock_rescan_remove() is inlined into none of its callers, but ends in a tail call
    Lock {
        name: "pci_rescan_remove_lock",
        single: true,
        wanted_in: &[
            "pci_lock_rescan_remove",
            "pci_stop_and_remove_bus_device_locked",
            "sriov_disable",
            "sriov_enable",
            "sriov_numvfs_store",
            "rescan_store",
            "dev_rescan_store",
            "bus_rescan_store",
            "pciehp_configure_device",
            "pciehp_unconfigure_device",
            "acpiphp_hotplug_notify",
        ],
        held_in: &[
            "pci_stop_and_remove_bus_device_locked",
            "pci_rescan_bus",
            "pciehp_configure_device",
            "pciehp_unconfigure_device",
            "acpiphp_hotplug_notify",
        ],
    },
    // drivers/base/dd.c
    Lock {
        name: "the device lock",
        single: false,
        wanted_in: &[
            "device_release_driver_internal",
            "__device_driver_lock",
            "__device_attach",
            "__driver_attach",
            "device_driver_attach",
            "device_del",
        ],
        held_in: &[
            "sriov_numvfs_store",
            "device_release_driver_internal",
            "__device_attach",
            "__driver_attach",
            "device_driver_attach",
        ],
    },
    // net/rfkill: the poll is a work item, cancelled and waited for by whoever stops the device
    Lock {
        name: "the work rfkill_poll",
        single: false,
        wanted_in: &[
            "rsi_mac80211_stop",
            "wiphy_rfkill_stop_polling",
            "rfkill_pause_polling",
            "rfkill_unregister",
        ],
        held_in: &["rfkill_poll"],
    },
    // net/wireless, net/mac80211: wiphy_lock()
    Lock {
        name: "the wiphy lock",
        single: false,
        wanted_in: &["cfg80211_rfkill_poll", "cfg80211_wiphy_work", "ieee80211_stop", "ieee80211_open"],
        held_in: &["ieee80211_stop", "ieee80211_open", "cfg80211_rfkill_poll", "cfg80211_wiphy_work"],
    },
    // net/core/rtnetlink.c
    Lock {
        name: "rtnl_mutex",
        single: true,
        wanted_in: &[
            "rtnl_lock",
            "rtnl_dumpit",
            "rtnetlink_rcv_msg",
            "crda_timeout_work",
            "linkwatch_event",
            "reg_todo",
        ],
        held_in: &["devinet_ioctl", "rtnl_setlink", "rtnl_newlink", "dev_change_flags", "unregister_netdev"],
    },
    // block/elevator.c, block/blk-mq.c
    Lock {
        name: "the queue freeze",
        single: false,
        wanted_in: &["blk_mq_freeze_queue_wait", "blk_queue_enter", "__bio_queue_enter"],
        held_in: &["elevator_switch", "elevator_change", "elv_iosched_store"],
    },
];

/// Functions by which tasks wait for anything: what stands above them says for what.
const PRIMITIVES: &[&str] = &[
    "__schedule",
    "schedule",
    "schedule_",
    "io_schedule",
    "preempt_schedule",
    "__mutex_lock",
    "mutex_lock",
    "ww_mutex_lock",
    "rwsem_down_",
    "down_",
    "__down",
    "down",
    "percpu_rwsem_wait",
    "__percpu_down_read",
    "__wait_for_common",
    "wait_for_completion",
    "__flush_work",
    "flush_work",
    "flush_delayed_work",
    "__flush_workqueue",
    "flush_workqueue",
    "__cancel_work",
    "cancel_work_sync",
    "cancel_delayed_work_sync",
    "msleep",
];

/// Whether this function only waits.
pub fn is_primitive(function: &str) -> bool {
    let plain = plain(function);
    PRIMITIVES.iter().any(|primitive| {
        let open = primitive.ends_with('_');
        plain.strip_prefix(primitive).is_some_and(|rest| open || rest.is_empty() || is_variant(rest))
    })
}

/// What follows the name in `__mutex_lock_slowpath`, `mutex_lock_nested`, `__cancel_work_timer`.
fn is_variant(rest: &str) -> bool {
    [
        "_slowpath",
        "_nested",
        "_killable",
        "_interruptible",
        "_timeout",
        "_timer",
        "_sync",
        "_common",
        "_state",
    ]
    .iter()
    .any(|variant| rest.starts_with(variant))
}

/// A function without what compilers add to its name: `__mutex_lock.constprop.0`.
pub fn plain(function: &str) -> &str {
    function.split('.').next().unwrap_or(function)
}

/// What a task waits for that is blocked in this function.
pub fn wanted_in(function: &str) -> Option<&'static Lock> {
    LOCKS.iter().find(|lock| lock.wanted_in.contains(&plain(function)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primitives_are_told_from_what_uses_them() {
        for name in [
            "__mutex_lock.constprop.0",
            "schedule_preempt_disabled",
            "rwsem_down_write_slowpath",
            "__cancel_work_timer",
            "mutex_lock_nested",
            "__flush_work",
        ] {
            assert!(is_primitive(name), "{name}");
        }
        for name in
            ["sriov_disable", "scheduler_tick", "rsi_mac80211_stop", "downscale", "flush_work_of_mine"]
        {
            assert!(!is_primitive(name), "{name}");
        }
    }

    #[test]
    fn every_lock_is_wanted_and_held_somewhere() {
        for lock in LOCKS {
            assert!(!lock.wanted_in.is_empty() && !lock.held_in.is_empty(), "{}", lock.name);
        }
        let mut names: Vec<&str> = LOCKS.iter().map(|lock| lock.name).collect();
        names.dedup();
        assert_eq!(names.len(), LOCKS.len());
    }
}
