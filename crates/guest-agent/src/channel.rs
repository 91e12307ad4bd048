//! The agent's end of the channel: a virtio-serial port, or the second serial port where the kernel lacks the driver.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rustix::fs::inotify;
use rustix::io::Errno;
use rustix::termios::{OptionalActions, speed, tcgetattr, tcsetattr};

use super::anchor::Anchor;
use guest_protocol::message::{FromGuest, ToGuest};
use guest_protocol::wire::{Decoder, Encoder, Frame, Kind, Tally};
use guest_protocol::{PORT_NAME, layout};

/// Where the kernel shows virtio's ports with their names. What a port is called in `/dev` depends on which virtio device
/// the kernel found first, and it probes the channels of s390x side by side.
const VIRTIO_PORTS: &str = "/sys/class/virtio-ports";
const SERIAL_PORT: &str = "/dev/ttyS1";

/// How long the virtio port may take to appear where its driver and its device are there. It takes milliseconds, and
/// seconds on a host that has too much to do.
const PORT_PATIENCE: Duration = Duration::from_secs(30);

/// How long driver and device may take to appear after the modules are loaded. A kernel without them waits this long.
const DRIVER_PATIENCE: Duration = Duration::from_secs(2);

/// Where the kernel shows virtio's drivers and devices.
const VIRTIO_BUS: &str = "/sys/bus/virtio";

/// What the bus says of a device with serial ports (virtio specification, "Device Types").
const CONSOLE_DEVICE: &str = "0x0003";

/// The writing half, shared by everything in the agent that has something to tell.
pub struct Sender {
    port: Mutex<(File, Encoder)>,
    anchor: Anchor,
}

impl Sender {
    /// A sender to anything.
    #[cfg(test)]
    pub(super) fn to(port: File) -> Sender {
        Sender { port: Mutex::new((port, Encoder::default())), anchor: Anchor::default() }
    }

    /// What keeps time from passing while the host owes an answer.
    pub fn anchor(&self) -> &Anchor {
        &self.anchor
    }

    /// Sends a message.
    pub fn tell(&self, message: &FromGuest) -> io::Result<()> {
        self.anchor.told(message);
        self.write(|encoder, bytes| encoder.message(message, bytes))
    }

    /// Sends bytes of the program's output.
    pub fn data(&self, data: &[u8]) -> io::Result<()> {
        self.write(|encoder, bytes| encoder.data(data, bytes))
    }

    /// Sends bytes of a command's standard error.
    pub fn errors(&self, data: &[u8]) -> io::Result<()> {
        self.write(|encoder, bytes| encoder.errors(data, bytes))
    }

    /// Frames leave in the order of their numbers.
    fn write(&self, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> io::Result<()> {
        let (port, encoder) = &mut *self.port.lock().unwrap_or_else(|e| e.into_inner());
        let mut bytes = Vec::new();
        encode(encoder, &mut bytes);
        port.write_all(&bytes)
    }
}

/// The reading half.
pub struct Receiver {
    port: File,
    decoder: Decoder,
    tally: Tally,
}

/// A request with the bytes that came with it.
pub struct Request {
    /// The request itself.
    pub ask: ToGuest,
    /// The contents of a [`ToGuest::Put`] or [`ToGuest::Input`].
    pub data: Vec<u8>,
    /// Frames of the host's that did not come through up to here.
    pub missing: u64,
}

impl Receiver {
    /// Waits for the next request. `None`: the host is gone.
    pub fn next(&mut self) -> io::Result<Option<Request>> {
        loop {
            let Some(frame) = self.frame()? else { return Ok(None) };
            if frame.kind != Kind::Message {
                continue;
            }
            let Ok(ask) = serde_json::from_slice::<ToGuest>(&frame.payload) else { continue };
            let mut data = Vec::new();
            if let ToGuest::Put { size, .. } | ToGuest::Input { size } | ToGuest::ModuleFile { size, .. } =
                &ask
            {
                while (data.len() as u64) < *size {
                    match self.frame()? {
                        Some(Frame { kind: Kind::Data, payload, .. }) => data.extend_from_slice(&payload),
                        Some(_) => break,
                        None => return Ok(None),
                    }
                }
            }
            if ask == ToGuest::Ping {
                // it is what a host begins with that restored this guest
                self.tally.begin_anew();
            }
            return Ok(Some(Request { ask, data, missing: self.tally.missing() }));
        }
    }

    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let mut chunk = [0u8; 64 * 1024];
        loop {
            if let Some(frame) = self.decoder.next_frame() {
                self.tally.take(frame.number);
                return Ok(Some(frame));
            }
            match self.port.read(&mut chunk) {
                Ok(0) => return Ok(None),
                Ok(n) => self.decoder.push(&chunk[..n]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Opens the channel; the third part of the answer is its name, as in [`guest_protocol::facts::GuestFacts`].
pub fn open() -> io::Result<(Sender, Receiver, &'static str)> {
    let (port, name) = match open_virtio() {
        Ok(port) => (port, "virtio"),
        Err(virtio) => match open_serial() {
            Ok(port) => (port, "serial"),
            Err(serial) => {
                return Err(io::Error::other(format!(
                    "no channel: virtio: {virtio}; {SERIAL_PORT}: {serial}"
                )));
            }
        },
    };
    let port_of_sender = Mutex::new((port.try_clone()?, Encoder::default()));
    let sender = Sender { port: port_of_sender, anchor: Anchor::default() };
    Ok((sender, Receiver { port, decoder: Decoder::new(), tally: Tally::default() }, name))
}

fn open_virtio() -> io::Result<File> {
    let begun = Instant::now();
    let deadline = begun + PORT_PATIENCE;
    let port = wait_for_port(begun)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no port {PORT_NAME}")))?;
    loop {
        match OpenOptions::new().read(true).write(true).open(&port) {
            // the driver's add_port() makes the node before it lists the port that open() looks for, and tells
            // nobody when it has: the node alone is no promise yet
            Err(error)
                if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result,
        }
    }
}

fn open_serial() -> io::Result<File> {
    let port = OpenOptions::new().read(true).write(true).open(SERIAL_PORT)?;
    let mut settings = tcgetattr(&port)?;
    settings.make_raw();
    settings.set_speed(speed::B115200)?;
    tcsetattr(&port, OptionalActions::Now, &settings)?;
    Ok(port)
}

/// Whether the port has what it comes from.
fn port_is_coming() -> bool {
    let bus = Path::new(VIRTIO_BUS);
    let is_console = |device: std::fs::DirEntry| {
        std::fs::read_to_string(device.path().join("device")).is_ok_and(|kind| kind.trim() == CONSOLE_DEVICE)
    };
    bus.join("drivers/virtio_console").exists()
        && std::fs::read_dir(bus.join("devices")).is_ok_and(|devices| devices.flatten().any(is_console))
}

/// The node of the agent's port, below `dev`, as what the kernel shows in `ports` has it; absent: it is not there yet.
fn find_port(ports: &Path, dev: &Path) -> Option<PathBuf> {
    let is_ours = |port: &std::fs::DirEntry| {
        std::fs::read_to_string(port.path().join("name")).is_ok_and(|name| name.trim_end() == PORT_NAME)
    };
    let port = std::fs::read_dir(ports).ok()?.flatten().find(is_ours)?;
    Some(dev.join(port.file_name())).filter(|node| node.exists())
}

/// Waits until the port's node exists. Without virtio in the kernel at all there is nothing to wait for.
fn wait_for_port(begun: Instant) -> io::Result<Option<PathBuf>> {
    let watch = match inotify::init(inotify::CreateFlags::CLOEXEC) {
        Ok(watch) => {
            inotify::add_watch(&watch, "/dev", inotify::WatchFlags::CREATE)?;
            Some(watch)
        }
        // without CONFIG_INOTIFY_USER the kernel tells nobody
        Err(Errno::NOSYS) => None,
        Err(error) => return Err(error.into()),
    };
    loop {
        if let Some(port) = find_port(Path::new(VIRTIO_PORTS), Path::new("/dev")) {
            return Ok(Some(port));
        }
        let patience = if port_is_coming() { PORT_PATIENCE } else { DRIVER_PATIENCE };
        let left = patience.saturating_sub(begun.elapsed());
        if left.is_zero() || !Path::new(VIRTIO_BUS).exists() {
            return Ok(None);
        }
        let Some(watch) = &watch else {
            std::thread::sleep(Duration::from_millis(1));
            continue;
        };
        // driver and device come without a word in /dev, and so does a port's name, milliseconds behind its node: the
        // host tells it once the port is there (the driver's handle_control_message())
        let nodes = std::fs::read_dir(VIRTIO_PORTS).is_ok_and(|mut ports| ports.next().is_some());
        let timeout = left.min(Duration::from_millis(if nodes { 1 } else { 100 }));
        let timeout = rustix::event::Timespec::try_from(timeout).map_err(io::Error::other)?;
        let mut fds = [rustix::event::PollFd::new(watch, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&timeout))?;
        let mut events = [std::mem::MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(watch.as_fd(), &mut events);
        if !fds[0].revents().is_empty() {
            reader.next()?;
        }
    }
}

/// Loads the drivers of the virtio port, where they are modules of this kernel.
pub fn load_drivers() {
    let Ok(list) = std::fs::read_to_string(layout::CHANNEL_MODULES) else { return };
    for name in list.lines().filter(|l| !l.is_empty()) {
        let path = format!("{}/{name}", layout::CHANNEL_MODULES_DIR);
        // a driver that does not load leaves the serial port as the channel
        let _ = super::agent::load_module(Path::new(&path), "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_found_by_its_name_whatever_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let (ports, dev) = (folder.path().join("virtio-ports"), folder.path().join("dev"));
        std::fs::create_dir(&dev).unwrap();
        assert_eq!(find_port(&ports, &dev), None);
        for (port, name) in [("vport0p1", "org.example.other\n"), ("vport1p1", "kregress.agent\n")] {
            std::fs::create_dir_all(ports.join(port)).unwrap();
            std::fs::write(ports.join(port).join("name"), name).unwrap();
        }
        // the name may be there before the node
        assert_eq!(find_port(&ports, &dev), None);
        for port in ["vport0p1", "vport1p1"] {
            std::fs::write(dev.join(port), "").unwrap();
        }
        assert_eq!(find_port(&ports, &dev), Some(dev.join("vport1p1")));
    }
}
