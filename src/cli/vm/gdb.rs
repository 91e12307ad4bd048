//! `--gdb`: the guest waits for gdb before its first instruction.

use std::path::{Path, PathBuf};

use super::CliError;
use crate::kernel::DebugInfo;
use crate::kernel::{DebugState, Kernel, Library};
use crate::progress::Fetching;
use crate::scratch::{Scratch, ScratchDir};

/// The longest path of a socket, bytes (`sun_path` of unix(7) without its end).
const LONGEST_SOCKET: usize = 107;

/// Where QEMU's stub listens; gone with the command.
pub(super) struct Stub {
    _folder: ScratchDir,
    pub socket: PathBuf,
}

pub(super) fn stub(cache: &Path) -> Result<Stub, CliError> {
    let failed = |e: std::io::Error| CliError::setup(format!("{}: {e}", cache.display()));
    let folder = Scratch::new(cache).folder().map_err(failed)?;
    let socket = folder.path().join("gdb");
    if socket.as_os_str().len() > LONGEST_SOCKET {
        return Err(CliError::setup(format!(
            "{}: a socket's path has at most {LONGEST_SOCKET} bytes; name a cache with a shorter one by --cache DIR",
            socket.display()
        )));
    }
    Ok(Stub { _folder: folder, socket })
}

/// What to type elsewhere.
pub(super) fn notice(
    kernel: &Kernel,
    library: &Library,
    socket: &Path,
    fetch_debug: bool,
) -> Result<String, CliError> {
    let state = match fetch_debug {
        true => library
            .fetch_debug(kernel, &Fetching::on_stderr())
            .map(DebugState::Here)
            .map_err(CliError::setup)?,
        false => library.debug_of(kernel),
    };
    let symbols = match state {
        DebugState::Here(folder) => DebugInfo::in_folder(&folder)
            .ok()
            .and_then(|info| info.vmlinux().map(Path::to_owned))
            .ok_or_else(|| format!("{} has no vmlinux", folder.display())),
        DebugState::Package { name, .. } => Err(format!("{name} is not here, --fetch-debug fetches it")),
        DebugState::Nowhere(reason) => Err(reason),
    };
    Ok(said(symbols, socket))
}

fn said(symbols: Result<PathBuf, String>, socket: &Path) -> String {
    let attach = format!("-ex 'target remote {}'", socket.display());
    let run = "-ex 'hbreak start_kernel' -ex continue";
    let mut text = "the guest waits for gdb; elsewhere type:\n".to_owned();
    match symbols {
        Ok(file) if file.extension().is_some_and(|end| end == "gz" || end == "xz" || end == "zst") => {
            let unpack = match file.extension().and_then(|end| end.to_str()) {
                Some("gz") => "zcat",
                Some("xz") => "xzcat",
                _ => "zstdcat",
            };
            text += &format!("  {unpack} {} > vmlinux\n  gdb vmlinux {attach} {run}", file.display());
        }
        Ok(file) => text += &format!("  gdb {} {attach} {run}", file.display()),
        Err(why) => text += &format!("  gdb {attach}\n(without symbols: {why})"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_has_the_symbols_where_they_are() {
        let socket = Path::new("/c/gdb");
        insta::assert_snapshot!(said(Ok("/b/vmlinux".into()), socket), @r"
        the guest waits for gdb; elsewhere type:
          gdb /b/vmlinux -ex 'target remote /c/gdb' -ex 'hbreak start_kernel' -ex continue
        ");
        insta::assert_snapshot!(said(Ok("/d/vmlinux.gz".into()), socket), @r"
        the guest waits for gdb; elsewhere type:
          zcat /d/vmlinux.gz > vmlinux
          gdb vmlinux -ex 'target remote /c/gdb' -ex 'hbreak start_kernel' -ex continue
        ");
        insta::assert_snapshot!(said(Err("it is not here".into()), socket), @r"
        the guest waits for gdb; elsewhere type:
          gdb -ex 'target remote /c/gdb'
        (without symbols: it is not here)
        ");
    }
}
