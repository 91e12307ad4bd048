//! Programs of the host that run until they are done or nobody wants them any more.

use std::fs::File;
use std::io::{Read, Seek};
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::error::UserlandError;
use crate::watch::Watch;

/// How often a caller is asked whether to go on.
const PERIOD: Duration = Duration::from_millis(50);

/// How much of what a program says is kept, bytes: the package lists' names have about a megabyte.
const MAX_SAID: u64 = 1 << 26;

/// What a program left.
pub(crate) struct Finished {
    pub status: ExitStatus,
    pub out: String,
    pub err: String,
}

/// Runs a program without input; `each` is called several times a second meanwhile.
///
/// # Errors
/// It cannot be started, or the caller cancelled, in which case it and its children are killed.
pub(crate) fn run(
    command: &mut Command,
    tool: &'static str,
    package: &'static str,
    watch: &Watch,
    each: &dyn Fn(),
) -> Result<Finished, UserlandError> {
    let no_tool = |source| UserlandError::NoTool { tool, package, source };
    // files rather than pipes: nobody has to read them meanwhile
    let (mut out, mut err) = (tempfile::tempfile().map_err(no_tool)?, tempfile::tempfile().map_err(no_tool)?);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(out.try_clone().map_err(no_tool)?)
        .stderr(err.try_clone().map_err(no_tool)?)
        .env("LC_ALL", "C")
        .process_group(0)
        .spawn()
        .map_err(no_tool)?;
    let status = loop {
        if let Some(status) = child.try_wait().map_err(no_tool)? {
            break status;
        }
        if (watch.cancelled)() {
            if let Some(group) = rustix::process::Pid::from_raw(child.id().cast_signed()) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait();
            return Err(UserlandError::Cancelled);
        }
        each();
        std::thread::sleep(PERIOD);
    };
    Ok(Finished { status, out: text(&mut out).map_err(no_tool)?, err: text(&mut err).map_err(no_tool)? })
}

fn text(file: &mut File) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.take(MAX_SAID).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The lines of what a program said, as one, at most five of them.
pub(crate) fn one_line(said: &str) -> String {
    let lines: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    match lines.len() {
        0 => "it said nothing".into(),
        1..=5 => lines.join("; "),
        more => format!("{} (and {} more lines)", lines[..5].join("; "), more - 5),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_program_ends_when_nobody_wants_it() {
        let asked = Cell::new(0);
        let cancelled = || {
            asked.set(asked.get() + 1);
            asked.get() > 2
        };
        let watch = Watch { cancelled: &cancelled, ..Watch::default() };
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 1000 & sleep 1000"]);
        let result = run(&mut command, "sh", "dash", &watch, &|| {});
        assert!(matches!(result, Err(UserlandError::Cancelled)));
    }

    #[test]
    fn both_streams_are_kept_apart() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let finished = run(&mut command, "sh", "dash", &Watch::default(), &|| {}).expect("it runs");
        assert_eq!((finished.out.as_str(), finished.err.as_str()), ("out\n", "err\n"));
        assert_eq!(finished.status.code(), Some(3));
        let missing = run(&mut Command::new("no-such-tool"), "x", "y", &Watch::default(), &|| {});
        assert!(matches!(missing, Err(UserlandError::NoTool { .. })));
    }
}
