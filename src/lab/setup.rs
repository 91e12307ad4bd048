//! What is sent to a guest before anything runs in it.

use std::sync::Arc;

use crate::guest::message::ToGuest;
use crate::vm::guest::Guest;

/// One thing to send.
#[derive(Clone, Debug)]
pub(super) enum SetupStep {
    /// A request.
    Message(ToGuest),
    /// A file.
    File {
        /// Where, in the guest.
        path: String,
        /// Permission bits.
        mode: u32,
        /// What is in it.
        contents: Arc<[u8]>,
    },
}

impl SetupStep {
    /// Sends it; it leaves while the guest is waited for.
    pub(super) fn send(&self, guest: &mut dyn Guest) {
        match self {
            SetupStep::Message(message) => guest.send(message),
            SetupStep::File { path, mode, contents } => guest.send_file(path, *mode, contents),
        }
    }

    /// Bytes of the file, where it is one.
    pub(super) fn size(&self) -> u64 {
        match self {
            SetupStep::Message(_) => 0,
            SetupStep::File { contents, .. } => contents.len() as u64,
        }
    }
}
