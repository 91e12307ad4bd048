//! What a reproducer needs, as far as its text tells.

use std::collections::BTreeSet;

/// Modules behind device files that only exist when the module is loaded: a program that does not find one goes on without
/// it, and what it then does proves nothing.
const DEVICES: &[(&str, &[&str])] = &[
    ("/dev/binderfs", &["binder_linux"]),
    ("/dev/dri/card", &["vkms"]),
    ("/dev/fuse", &["fuse"]),
    ("/dev/infiniband/rdma_cm", &["rdma_ucm"]),
    ("/dev/loop", &["loop"]),
    ("/dev/nbd", &["nbd"]),
    ("/dev/net/tun", &["tun"]),
    ("/dev/nullb0", &["null_blk"]),
    ("/dev/ppp", &["ppp_generic"]),
    ("/dev/raw-gadget", &["dummy_hcd", "raw_gadget"]),
    ("/dev/rfkill", &["rfkill"]),
    ("/dev/sequencer", &["snd_seq_oss"]),
    ("/dev/snd/seq", &["snd_seq"]),
    ("/dev/snd/timer", &["snd_timer"]),
    ("/dev/uhid", &["uhid"]),
    ("/dev/uinput", &["uinput"]),
    ("/dev/usbmon", &["usbmon"]),
    ("/dev/vhci", &["hci_vhci"]),
    ("/dev/vhost-net", &["vhost_net"]),
    ("/dev/vhost-vsock", &["vhost_vsock"]),
];

/// Device files of any guest, as far as they begin so.
const ALWAYS: &[&str] = &[
    "/dev/console",
    "/dev/fd",
    "/dev/full",
    "/dev/kmsg",
    "/dev/null",
    "/dev/ptmx",
    "/dev/pts",
    "/dev/random",
    "/dev/shm",
    "/dev/std",
    "/dev/tty",
    "/dev/urandom",
    "/dev/zero",
];

/// What a reproducer needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub modules: Vec<String>,
    /// What cannot be said, and stands in the file as a comment.
    pub notes: Vec<String>,
}

/// Why a file cannot be a test; `arch` is what its head says of its architecture, in Go's words.
pub(super) fn refusal(text: &str, arch: Option<&str>) -> Option<String> {
    if !text.contains("main(") {
        return Some("no program: it has no main()".to_owned());
    }
    if text.contains("#include <sys/endian.h>") || text.contains("#include <zircon/") {
        return Some("it is for another kernel than Linux".to_owned());
    }
    match arch {
        Some("386" | "arm") => return Some("it is for programs of 32 bits".to_owned()),
        Some(arch) if arch != "amd64" => return Some(format!("it is for {arch}")),
        _ => {}
    }
    if text.contains("__NR_mmap2") {
        return Some("it is for programs of 32 bits".to_owned());
    }
    if text.contains("\"/dev/kvm\"") {
        return Some("it is a hypervisor itself, and guests have no KVM".to_owned());
    }
    None
}

/// What a file needs.
pub(super) fn of(text: &str) -> Needs {
    let mut modules = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for device in devices(text) {
        match DEVICES.iter().find(|(start, _)| device.starts_with(start)) {
            Some((_, needed)) => modules.extend(needed.iter().map(|&module| module.to_owned())),
            None if ALWAYS.iter().any(|start| device.starts_with(start)) => {}
            None => {
                unknown.insert(device);
            }
        }
    }
    let unknown: Vec<&str> = unknown.into_iter().collect();
    let note = format!("it opens {}, which guests may lack", unknown.join(", "));
    Needs {
        modules: modules.into_iter().collect(),
        notes: (!unknown.is_empty()).then_some(note).into_iter().collect(),
    }
}

/// Paths of devices in texts of the program; a number in them is `#` until it is put there.
fn devices(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("/dev/").filter_map(|(place, _)| {
        let rest = &text[place..];
        let inside = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '-' | '#' | '.');
        let end = rest.find(|c: char| !inside(c)).unwrap_or(rest.len());
        let path = rest[..end].trim_end_matches(['/', '.']);
        (path.len() > "/dev/".len()).then_some(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_guest_runs_is_refused() {
        for (text, arch, reason) in [
            ("int main(void)", None, None),
            ("int main(void)", Some("amd64"), None),
            ("int main(void)", Some("386"), Some("it is for programs of 32 bits")),
            ("int main(void) { syscall(__NR_mmap2); }", None, Some("it is for programs of 32 bits")),
            ("int main(void)", Some("arm64"), Some("it is for arm64")),
            ("void helper(void)", None, Some("no program: it has no main()")),
            ("#include <sys/endian.h>\nint main()", None, Some("it is for another kernel than Linux")),
            (
                "int main() { open(\"/dev/kvm\"); }",
                None,
                Some("it is a hypervisor itself, and guests have no KVM"),
            ),
        ] {
            assert_eq!(refusal(text, arch).as_deref(), reason, "{text}");
        }
    }

    #[test]
    fn devices_that_come_with_a_module_are_needs() {
        let text = r#"open("/dev/net/tun"); memcpy(x, "/dev/loop#\000", 10); "/dev/null"; "/dev/ashmem"; "/dev/raw-gadget""#;
        let needs = of(text);
        assert_eq!(needs.modules, ["dummy_hcd", "loop", "raw_gadget", "tun"]);
        assert_eq!(needs.notes, ["it opens /dev/ashmem, which guests may lack"]);
        assert_eq!(of("\"/dev/\" + x"), Needs::default());
    }
}
