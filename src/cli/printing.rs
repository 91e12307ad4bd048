//! Printing that survives its reader: `kregress kernels list | head` ends as it would have without `head`, where the
//! standard library's macros of the same names panic. These shadow them in the whole of `cli`.

use parking_lot::Mutex;
use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write};

/// The first failure to print that is not a closed pipe.
static FAILURE: Mutex<Option<io::Error>> = Mutex::new(None);

macro_rules! print {
    ($($words:tt)*) => { $crate::cli::printing::words(&mut std::io::stdout().lock(), format_args!($($words)*)) };
}
macro_rules! println {
    ($($words:tt)*) => { $crate::cli::printing::line(&mut std::io::stdout().lock(), format_args!($($words)*)) };
}
macro_rules! eprintln {
    () => { $crate::cli::printing::remark(format_args!("\n")) };
    ($($words:tt)*) => { $crate::cli::printing::remark(format_args!("{}\n", format_args!($($words)*))) };
}
macro_rules! eprint {
    ($($words:tt)*) => { $crate::cli::printing::remark(format_args!($($words)*)) };
}

/// Prints a line.
pub fn line(out: &mut dyn Write, text: Arguments<'_>) {
    words(out, format_args!("{text}\n"));
}

/// Prints words.
pub fn words(out: &mut dyn Write, text: Arguments<'_>) {
    if let Err(error) = out.write_fmt(text) {
        failed(error);
    }
}

/// Prints words on standard error. Nothing depends on them: the answer of a command is on standard output, in its files
/// and in its exit code, so that it is no failure if nobody can read what is said beside it.
pub fn remark(text: Arguments<'_>) {
    let _ = io::stderr().lock().write_fmt(text);
}

/// Remembers that standard output could not be written elsewhere.
pub fn failed(error: io::Error) {
    if error.kind() != ErrorKind::BrokenPipe {
        FAILURE.lock().get_or_insert(error);
    }
}

/// Why something could not be printed, a full disk for example; a reader that has gone away is no failure.
pub fn failure() -> Option<io::Error> {
    // what is still in the buffer
    if let Err(error) = io::stdout().flush()
        && error.kind() != ErrorKind::BrokenPipe
    {
        return Some(error);
    }
    FAILURE.lock().take()
}
