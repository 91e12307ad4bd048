//! QEMU's monitor (QMP), opened when it is first needed.

use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use qapi::Qmp;
use qapi::qmp::QmpCommand;

use super::VmError;

/// How long QEMU may take to answer. Its main loop may wait for a guest that holds the big lock, never this long.
const PATIENCE: Duration = Duration::from_secs(10);

type Connection = Qmp<qapi::Stream<BufReader<UnixStream>, UnixStream>>;

/// The monitor of one QEMU.
pub struct Monitor {
    stream: UnixStream,
    connection: Option<Connection>,
}

impl Monitor {
    /// A monitor on the other end of this socket.
    pub fn new(stream: UnixStream) -> Monitor {
        Monitor { stream, connection: None }
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
        connection.execute(command).map_err(|e| VmError::Monitor(e.to_string()))
    }

    /// Raises a non-maskable interrupt in the guest, on which a kernel prints where its processors are.
    ///
    /// # Errors
    /// As [`Monitor::execute`].
    pub fn nmi(&mut self) -> Result<(), VmError> {
        self.execute(&qapi::qmp::inject_nmi {}).map(drop)
    }
}

fn connect(stream: &UnixStream) -> Result<Connection, VmError> {
    let io = VmError::io("QEMU's monitor");
    let prepare = || -> std::io::Result<Connection> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let reader = BufReader::new(stream.try_clone()?);
        let mut connection = Qmp::new(qapi::Stream::new(reader, stream.try_clone()?));
        connection.handshake()?;
        Ok(connection)
    };
    prepare().map_err(io)
}
