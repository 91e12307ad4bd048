//! Modules for whoever asks in the guest: the kernel, by modprobe, or a person or a test, by the same. They are not in the
//! guest, and the host knows which there are and what they depend on.
//!
//! Each request has a thread of its own: a module that is being loaded may have the kernel ask for another one.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::channel::Sender;
use guest_protocol::layout::MODULE_SOCKET;
use guest_protocol::message::{FromGuest, ModuleRequest, ToGuest};

/// How long the host may take for an answer. It has other work, and a serial line takes a minute for a large module.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A part of an answer: the host's message, and the bytes behind it.
type Part = (ToGuest, Vec<u8>);

/// The requests that wait for the host.
#[derive(Clone, Default)]
pub struct Modules(Arc<Mutex<Waiting>>, Arc<AtomicBool>);

/// While it lives, requests are refused at once.
pub struct Busy<'m>(&'m AtomicBool);

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Waiting {
    last: u64,
    by_number: BTreeMap<u64, mpsc::Sender<Part>>,
}

impl Modules {
    /// Listens for requests from now on.
    ///
    /// # Errors
    /// This kernel has no Unix sockets, or no thread can be made.
    pub fn serve(&self, sender: &Arc<Sender>) -> io::Result<()> {
        let listener = UnixListener::bind(MODULE_SOCKET)?;
        let (modules, sender) = (self.clone(), Arc::clone(sender));
        std::thread::Builder::new().name("modules".into()).spawn(move || {
            for connection in listener.incoming().flatten() {
                let (modules, sender) = (modules.clone(), Arc::clone(&sender));
                // whoever asked finds the connection closed where this fails
                let answer = move || drop(modules.answer(connection, &sender));
                let _ = std::thread::Builder::new().name("module".into()).spawn(answer);
            }
        })?;
        Ok(())
    }

    /// Refuses requests as long as the result lives. Whoever reads the host's messages must not wait for the kernel without it:
    /// a module that is loaded, or a file system that is mounted, may have the kernel ask for another module and wait for that.
    pub fn busy(&self) -> Busy<'_> {
        self.1.store(true, Ordering::SeqCst);
        Busy(&self.1)
    }

    /// Passes a part of the host's answer on; one that nobody waits for any more is dropped.
    pub fn give(&self, number: u64, message: ToGuest, contents: Vec<u8>) {
        let mut waiting = self.0.lock().unwrap_or_else(|e| e.into_inner());
        let is_last = matches!(message, ToGuest::ModulesEnd { .. });
        if let Some(asker) = waiting.by_number.get(&number) {
            let _ = asker.send((message, contents));
        }
        if is_last {
            waiting.by_number.remove(&number);
        }
    }

    /// Passes one request to the host, and its answer back.
    fn answer(&self, mut connection: UnixStream, sender: &Sender) -> io::Result<()> {
        let mut line = String::new();
        BufReader::new(&connection).read_line(&mut line)?;
        let mut request: ModuleRequest = serde_json::from_str(&line).map_err(io::Error::other)?;
        if self.1.load(Ordering::SeqCst) {
            let error = Some(format!("Module {} is not at hand while the guest is set up", request.name));
            let refused =
                serde_json::to_vec(&ToGuest::ModulesEnd { number: 0, error }).map_err(io::Error::other)?;
            return connection.write_all(&[&refused[..], b"\n"].concat());
        }
        let (asker, parts) = mpsc::channel();
        {
            let mut waiting = self.0.lock().unwrap_or_else(|e| e.into_inner());
            waiting.last += 1;
            request.number = waiting.last;
            waiting.by_number.insert(request.number, asker);
        }
        sender.tell(&FromGuest::ModuleWanted(request))?;
        loop {
            let (message, contents) = parts.recv_timeout(PATIENCE).map_err(io::Error::other)?;
            let mut line = serde_json::to_vec(&message).map_err(io::Error::other)?;
            line.push(b'\n');
            connection.write_all(&line)?;
            connection.write_all(&contents)?;
            if matches!(message, ToGuest::ModulesEnd { .. }) {
                return Ok(());
            }
        }
    }
}
