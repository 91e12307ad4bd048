//! What programs that were not written for these guests expect of any system: the links of `/dev`, a loopback interface
//! that is up. None of it is needed by the agent, so nothing here is an error.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

use guest_protocol::layout;
use guest_protocol::message::DeviceNode;
use rustix::fs::{CWD, FileType, Mode, chmod, makedev, mknodat};
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, sendto, socket_with};

/// Links that devtmpfs lacks and udev makes.
const LINKS: &[(&str, &str)] = &[
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
];

/// Makes all of it, as far as this kernel allows.
pub fn furnish() {
    for (target, link) in LINKS {
        let _ = symlink(target, link);
    }
    let _ = network();
}

/// Puts modprobe where the kernel and people look for it: the agent's own program, in the place of what is there, which
/// would look for files that no guest has.
pub fn show_modprobe() {
    let kernels = fs::read_to_string("/proc/sys/kernel/modprobe").unwrap_or_default();
    for path in ["/sbin/modprobe", "/usr/sbin/modprobe", kernels.trim()] {
        let path = Path::new(path);
        let Some(folder) = path.parent() else { continue };
        let _ = fs::create_dir_all(folder);
        let _ = fs::remove_file(path);
        let _ = symlink(layout::AGENT, path);
    }
}

/// Makes a device node, unless something has its path; the file system's own mask for new files does not count.
pub fn make_node(node: &DeviceNode) {
    let path = Path::new(&node.path);
    if let Some(folder) = path.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let mode = Mode::from_raw_mode(node.mode);
    if mknodat(CWD, path, FileType::CharacterDevice, mode, makedev(node.major, node.minor)).is_ok() {
        let _ = chmod(path, mode);
    }
}

const NLM_F_REQUEST: u16 = 1;

/// The index of `lo` in every network namespace.
const LO: u32 = 1;

/// Has the kernel bring up `lo`, which then has its addresses, and send to multicast groups by it: without any route a program
/// that joins one is told that there is no such device.
fn network() -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC;
    // the first of its protocols is NETLINK_ROUTE
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    for message in [&link_up()[..], &multicast_route()] {
        sendto(&socket, message, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    }
    Ok(())
}

/// `RTM_NEWLINK` for `lo`: the header of netlink(7), then the `struct ifinfomsg` of rtnetlink(7).
fn link_up() -> [u8; 32] {
    const RTM_NEWLINK: u16 = 16;
    const IFF_UP: u32 = 1;
    let mut message = [0; 32];
    message[0..4].copy_from_slice(&32u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWLINK.to_ne_bytes());
    message[6..8].copy_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    // the family (any), its padding and the type of the device stay zero
    message[20..24].copy_from_slice(&LO.to_ne_bytes());
    message[24..28].copy_from_slice(&IFF_UP.to_ne_bytes());
    // only this flag changes
    message[28..32].copy_from_slice(&IFF_UP.to_ne_bytes());
    message
}

/// `RTM_NEWROUTE` of 224.0.0.0/4 by `lo`: the header, the `struct rtmsg` of rtnetlink(7), two attributes.
fn multicast_route() -> [u8; 44] {
    const RTM_NEWROUTE: u16 = 24;
    const NLM_F_CREATE: u16 = 0x400;
    const AF_INET: u8 = 2;
    const RT_TABLE_MAIN: u8 = 254;
    const RTPROT_BOOT: u8 = 3;
    const RT_SCOPE_LINK: u8 = 253;
    const RTN_UNICAST: u8 = 1;
    const RTA_DST: u16 = 1;
    const RTA_OIF: u16 = 4;
    let mut message = [0; 44];
    message[0..4].copy_from_slice(&44u32.to_ne_bytes());
    message[4..6].copy_from_slice(&RTM_NEWROUTE.to_ne_bytes());
    message[6..8].copy_from_slice(&(NLM_F_REQUEST | NLM_F_CREATE).to_ne_bytes());
    // behind the two lengths of prefixes and the type of service
    message[16..24].copy_from_slice(&[
        AF_INET,
        4,
        0,
        0,
        RT_TABLE_MAIN,
        RTPROT_BOOT,
        RT_SCOPE_LINK,
        RTN_UNICAST,
    ]);
    for (at, kind, value) in [(28, RTA_DST, [224, 0, 0, 0]), (36, RTA_OIF, LO.to_ne_bytes())] {
        message[at..at + 2].copy_from_slice(&8u16.to_ne_bytes());
        message[at + 2..at + 4].copy_from_slice(&kind.to_ne_bytes());
        message[at + 4..at + 8].copy_from_slice(&value);
    }
    message
}
