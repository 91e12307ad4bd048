//! QEMU's monitor (QMP), opened when it is first needed.

use std::io::{BufRead, BufReader};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use qapi::Qmp;
use qapi::qmp::{self, Event, MigrationStatus, QmpCommand};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use super::device::{Drive, Part};
use crate::vm::VmError;
use crate::vm::guest::DeviceEvent;

/// How long QEMU may take to answer. Its main loop may wait for a guest that holds the big lock, never this long.
const TIMEOUT: Duration = Duration::from_secs(10);

type Connection = Qmp<qapi::Stream<BufReader<UnixStream>, UnixStream>>;

/// The monitor of one QEMU.
pub struct Monitor {
    stream: UnixStream,
    connection: Option<Connection>,
    /// Whether it failed: nothing more is expected of it.
    broken: bool,
}

/// An event of QEMU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QmpEvent {
    /// Something about a device.
    Device(DeviceEvent),
    /// The guest runs, after its state was read.
    Resumed,
    /// The guest's state was written, or not.
    Saved(bool),
    /// The guest restarted or powered off.
    ShutDown,
}

impl Monitor {
    /// A monitor on the other end of this socket.
    pub fn new(stream: UnixStream) -> Monitor {
        Monitor { stream, connection: None, broken: false }
    }

    /// Sends a command and waits for its answer.
    ///
    /// # Errors
    /// [`VmError::Monitor`] if QEMU refuses it or does not answer in time.
    pub fn execute<C: QmpCommand>(&mut self, command: &C) -> Result<C::Ok, VmError> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(connect(&self.stream)?),
        };
        connection.execute(command).map_err(|error| {
            self.broken |= matches!(error, qapi::ExecuteError::Io(_));
            VmError::Monitor(match error {
                qapi::ExecuteError::Qapi(refusal) => refusal.desc,
                qapi::ExecuteError::Io(error) => error.to_string(),
            })
        })
    }

    /// Raises a non-maskable interrupt in the guest, on which a kernel prints where its processors are.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn nmi(&mut self) -> Result<(), VmError> {
        self.execute(&qmp::inject_nmi {}).map(drop)
    }

    /// Sends a break on the serial line behind this character device.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn send_break(&mut self, chardev: &str) -> Result<(), VmError> {
        self.execute(&qmp::chardev_send_break { id: chardev.to_owned() }).map(drop)
    }

    /// Plugs a device. It is in the machine when this returns; the guest may not have noticed it yet.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn add_device(&mut self, part: &Part) -> Result<(), VmError> {
        let command =
            qmp::device_add { bus: None, id: None, driver: part.driver.clone(), arguments: part.arguments() };
        self.execute(&command).map(drop)
    }

    /// Asks the guest to let go of a device; [`DeviceEvent`] tells what came of it.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn delete_device(&mut self, id: &str) -> Result<(), VmError> {
        self.execute(&qmp::device_del { id: id.to_owned() }).map(drop)
    }

    /// Opens the image of a disk that is plugged next. QEMU closes it when the disk is gone. Only the monitor for
    /// people has this command with the throw-away copies of `-drive`; its answer is empty or `OK` when it is content.
    ///
    /// # Errors
    /// As [`Monitor::execute`]; a path that is not UTF-8 cannot be passed to QEMU.
    pub fn add_drive(&mut self, drive: &Drive) -> Result<(), VmError> {
        let option = drive.option();
        let text = std::str::from_utf8(option.as_bytes())
            .map_err(|_| VmError::Monitor(format!("{} is not UTF-8", drive.image.display())))?;
        let quoted = text.replace('\\', "\\\\").replace('"', "\\\"");
        self.for_people(format!("drive_add 0 \"{quoted}\""))
    }

    /// Closes an image whose disk could not be plugged.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn delete_drive(&mut self, drive: &Drive) -> Result<(), VmError> {
        self.for_people(format!("drive_del {}", drive.id))
    }

    /// Gives a command of the monitor for people; answers with its text.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn ask_for_people(&mut self, command_line: String) -> Result<String, VmError> {
        self.execute(&qmp::human_monitor_command { cpu_index: None, command_line })
    }

    fn for_people(&mut self, command_line: String) -> Result<(), VmError> {
        let answer = self.ask_for_people(command_line)?;
        match answer.trim() {
            "" | "OK" => Ok(()),
            refusal => Err(VmError::Monitor(refusal.to_owned())),
        }
    }

    /// Hands QEMU a descriptor under a name.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn give(&mut self, name: &str, descriptor: &OwnedFd) -> Result<(), VmError> {
        // the greeting comes first, and the descriptor travels with a blank before the command
        self.execute(&qmp::query_version {})?;
        let descriptors = [descriptor.as_fd()];
        let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = SendAncillaryBuffer::new(&mut space);
        ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&self.stream, &[std::io::IoSlice::new(b" ")], &mut ancillary, SendFlags::empty())
            .map_err(|e| VmError::Monitor(format!("the descriptor of {name}: {e}")))?;
        self.execute(&qmp::getfd { fdname: name.to_owned() }).map(drop)
    }

    /// The descriptor that becomes readable when QEMU has something to tell; absent while nobody listens.
    pub fn listening(&self) -> Option<BorrowedFd<'_>> {
        (self.connection.is_some() && !self.broken).then(|| self.stream.as_fd())
    }

    /// The events that arrived meanwhile. `readable` says that there is something on the descriptor.
    pub fn take_events(&mut self, readable: bool) -> Vec<QmpEvent> {
        let Some(connection) = self.connection.as_mut().filter(|_| !self.broken) else { return Vec::new() };
        let mut waiting = readable;
        // what came together with an answer lies in the reader, and not on the descriptor any more
        while waiting || !connection.inner().get_ref_read().buffer().is_empty() {
            waiting = false;
            if connection.nop().is_err() {
                self.broken = true;
                break;
            }
        }
        let events = connection.events().filter_map(|event| match event {
            Event::DEVICE_DELETED { data, .. } => data.device.map(DeviceEvent::Deleted).map(QmpEvent::Device),
            Event::DEVICE_UNPLUG_GUEST_ERROR { data, .. } => {
                data.device.map(DeviceEvent::Refused).map(QmpEvent::Device)
            }
            Event::RESUME { .. } => Some(QmpEvent::Resumed),
            Event::SHUTDOWN { data, .. } if data.guest => Some(QmpEvent::ShutDown),
            Event::MIGRATION { data, .. } => match data.status {
                MigrationStatus::completed => Some(QmpEvent::Saved(true)),
                MigrationStatus::failed | MigrationStatus::cancelled => Some(QmpEvent::Saved(false)),
                _ => None,
            },
            _ => None,
        });
        events.collect()
    }
}

fn connect(stream: &UnixStream) -> Result<Connection, VmError> {
    let io = VmError::io("QEMU's monitor");
    let prepare = || -> std::io::Result<Connection> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let mut reader = BufReader::new(stream.try_clone()?);
        if reader.fill_buf()?.is_empty() {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof));
        }
        let mut connection = Qmp::new(qapi::Stream::new(reader, stream.try_clone()?));
        connection.handshake()?;
        Ok(connection)
    };
    prepare().map_err(io)
}
