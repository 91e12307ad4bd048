//! The user's side of a session: standard streams, and the terminal where a shell has it.

use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::escape::{Escape, HELP};
use super::terminal::RawTerminal;
use crate::guest::message::WindowSize;
use crate::lab::interactive::{Input, SessionIo};
use crate::observation::GuestFacts;

/// The user of one `kregress vm`.
#[derive(Debug)]
pub struct User {
    /// Whether the shell gets the terminal.
    pub at_terminal: bool,
    /// Whether the kernel's console is shown.
    pub show_console: bool,
    terminal: Option<RawTerminal>,
    escape: Escape,
    input_open: bool,
    /// Whether a line of waiting stands on the terminal.
    line_open: bool,
}

impl User {
    /// A user of whom nothing is known yet.
    pub fn new(at_terminal: bool, show_console: bool) -> User {
        User {
            at_terminal,
            show_console,
            terminal: None,
            escape: Escape::default(),
            input_open: true,
            line_open: false,
        }
    }

    /// Shows that the guest boots, where somebody looks.
    pub fn wait(&mut self, text: &str) {
        if io::stderr().is_terminal() && !self.show_console {
            eprint!("{text} …");
            self.line_open = true;
        }
    }

    /// Clears what was shown, and gives the terminal back.
    pub fn leave(&mut self) {
        self.clear();
        if self.terminal.take().is_some() {
            // the shell's last line may be open
            eprintln!();
        }
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.line_open) {
            eprint!("\r\x1b[K");
        }
    }

    fn newline(&self) -> &'static str {
        if self.terminal.is_some() { "\r\n" } else { "\n" }
    }
}

impl SessionIo for User {
    fn arrived(&mut self, guest: &GuestFacts, after: Duration) {
        self.clear();
        if self.at_terminal {
            eprintln!("{} is up after {:.1} s; Ctrl-A x ends it", guest.release, after.as_secs_f64());
        }
    }

    fn started(&mut self) -> io::Result<()> {
        if self.at_terminal {
            self.terminal = Some(RawTerminal::take()?);
        }
        Ok(())
    }

    fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    fn errors(&mut self, bytes: &[u8]) -> io::Result<()> {
        io::stderr().lock().write_all(bytes)
    }

    fn console(&mut self, bytes: &[u8]) {
        if self.show_console {
            // one that cannot be shown is still kept
            let _ = io::stderr().lock().write_all(bytes);
        }
    }

    fn notice(&mut self, text: &str) {
        let newline = self.newline();
        eprint!("{newline}kregress: {text}{newline}");
    }

    fn input_source(&self) -> Option<BorrowedFd<'_>> {
        // standard input of the process is open as long as it lives
        static STDIN: std::sync::OnceLock<io::Stdin> = std::sync::OnceLock::new();
        self.input_open.then(|| STDIN.get_or_init(io::stdin).as_fd())
    }

    fn resize_source(&self) -> Option<BorrowedFd<'_>> {
        self.terminal.as_ref().map(RawTerminal::resize_source)
    }

    fn input(&mut self) -> Input {
        let mut chunk = [0u8; 64 * 1024];
        // past the buffer of the standard library, in which `poll` sees nothing
        let read = match rustix::io::read(io::stdin(), &mut chunk) {
            Ok(read) => read,
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => return Input::Bytes(Vec::new()),
            Err(_) => 0,
        };
        if read == 0 {
            self.input_open = false;
            // a terminal that is gone ends the session
            return if self.terminal.is_some() { Input::Leave } else { Input::End };
        }
        if self.terminal.is_none() {
            return Input::Bytes(chunk[..read].to_vec());
        }
        let typed = self.escape.take(&chunk[..read]);
        if typed.help {
            eprint!("\r\n{HELP}");
        }
        if typed.leave { Input::Leave } else { Input::Bytes(typed.bytes) }
    }

    fn resized(&mut self) -> Option<WindowSize> {
        self.terminal.as_mut().map(RawTerminal::resized)
    }
}
