//! Device nodes that are there before their module: whoever opens one has the kernel load it. On a running system they come
//! from `modules.devname` (`kmod static-nodes`), which depmod(8) makes of the aliases `devname:`.
//!
//! Those are none of the index' names, but the numbers are, as `char-major-10-237`; what each stands for is in the kernel's
//! Documentation/admin-guide/devices.txt and include/linux/miscdevice.h.

use super::tree::{ModuleState, ModuleTree};

/// A character device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticNode {
    /// Its path below `/dev`.
    pub path: &'static str,
    /// Its major number.
    pub major: u32,
    /// Its minor number.
    pub minor: u32,
    /// Its permission bits: those of udev's rules for what any user may open, else the kernel's.
    pub mode: u32,
}

const fn node(path: &'static str, (major, minor): (u32, u32)) -> StaticNode {
    StaticNode { path, major, minor, mode: 0o600 }
}

const fn shared(path: &'static str, number: (u32, u32)) -> StaticNode {
    StaticNode { mode: 0o666, ..node(path, number) }
}

/// `/dev/kvm` is missing on purpose: its module alone makes no hypervisor of a guest.
const NODES: &[StaticNode] = &[
    shared("net/tun", (10, 200)),
    node("cuse", (10, 203)),
    node("uinput", (10, 223)),
    shared("fuse", (10, 229)),
    node("btrfs-control", (10, 234)),
    node("autofs", (10, 235)),
    node("mapper/control", (10, 236)),
    node("loop-control", (10, 237)),
    node("vhost-net", (10, 238)),
    node("uhid", (10, 239)),
    node("userio", (10, 240)),
    node("vhost-vsock", (10, 241)),
    node("rfkill", (10, 242)),
    node("ppp", (108, 0)),
    node("snd/seq", (116, 1)),
    node("snd/timer", (116, 33)),
];

impl ModuleTree {
    /// The nodes of modules that this kernel has and that are not built in, whose nodes the kernel makes itself.
    pub fn static_nodes(&self) -> impl Iterator<Item = StaticNode> {
        let alias = |node: &StaticNode| format!("char-major-{}-{}", node.major, node.minor);
        NODES.iter().copied().filter(move |node| self.find(&alias(node)) == ModuleState::Loadable)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{IndexEntry, ModInfo, ModuleIndex, ModuleTree};

    #[test]
    fn nodes_are_those_of_modules_that_can_be_loaded() {
        let mut index = ModuleIndex { release: "6.1".into(), ..ModuleIndex::default() };
        index.builtin_aliases.insert("char_major_10_236".into());
        let info = ModInfo { aliases: vec!["char_major_10_237".into()], ..ModInfo::default() };
        let path = "kernel/drivers/block/loop.ko".to_owned();
        index.modules.insert("loop".into(), IndexEntry { path, offset: 0, length: 0, info });
        let tree = ModuleTree::in_folder(index, Path::new("nowhere"));
        let nodes: Vec<_> = tree.static_nodes().map(|node| (node.path, node.major, node.minor)).collect();
        assert_eq!(nodes, [("loop-control", 10, 237)]);
        assert_eq!(ModuleTree::unknown("6.1").static_nodes().count(), 0);
    }
}
