//! `modprobe(8)` of the guests, which is the agent's program under another name: the kernel runs it for what it lacks
//! (`kernel.modprobe`), and so may anybody. The modules come from the host, with all that they depend on.

mod options;
mod removal;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use self::options::Options;
use super::modules::PATIENCE;
use guest_protocol::layout::MODULE_SOCKET;
use guest_protocol::message::{ModuleRequest, ToGuest};

/// Whether the agent was started under this name.
pub fn is_called() -> bool {
    std::env::args_os()
        .next()
        .is_some_and(|name| name.as_encoded_bytes().rsplit(|b| *b == b'/').next() == Some(b"modprobe"))
}

/// Loads or removes what the arguments name.
pub fn main() -> ExitCode {
    let arguments: Vec<String> =
        std::env::args_os().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let options = match Options::parse(&arguments) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("modprobe: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut code = ExitCode::SUCCESS;
    for name in &options.names {
        let done = if options.remove { removal::remove(name, &options) } else { load(name, &options) };
        if let Err(error) = done {
            if !options.quiet {
                eprintln!("modprobe: FATAL: {error}");
            }
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// The kernel's spelling of a module's name.
fn normalised(name: &str) -> String {
    name.replace('-', "_")
}

/// Asks for a module and loads all that comes.
fn load(name: &str, options: &Options) -> Result<(), String> {
    if is_there(name) && !options.shows_paths {
        return Ok(());
    }
    let failed = |error: io::Error| format!("{name}: the host cannot be asked: {error}");
    let mut connection = UnixStream::connect(MODULE_SOCKET).map_err(failed)?;
    connection.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let contents = !options.dry_run;
    let loaded = if options.shows_paths { Vec::new() } else { loaded() };
    let request = ModuleRequest { number: 0, name: name.to_owned(), loaded, contents };
    let mut line = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
    line.push(b'\n');
    connection.write_all(&line).map_err(failed)?;
    let mut answer = BufReader::new(connection);
    loop {
        let mut line = String::new();
        answer.read_line(&mut line).map_err(failed)?;
        match serde_json::from_str(&line) {
            Ok(ToGuest::ModuleFile { name: module, path, optional, asked, size, .. }) => {
                if options.shows_paths {
                    println!(
                        "insmod {path}{}",
                        if asked { options.parameters_shown() } else { String::new() }
                    );
                }
                if options.dry_run {
                    continue;
                }
                let mut image = vec![0; size as usize];
                answer.read_exact(&mut image).map_err(failed)?;
                if options.verbose {
                    println!("insmod {path}");
                }
                let parameters = if asked { options.parameters.as_str() } else { "" };
                match insert(&image, parameters) {
                    Err(error) if !optional => return Err(format!("could not insert '{module}': {error}")),
                    _ => {}
                }
            }
            Ok(ToGuest::ModulesEnd { error: Some(error), .. }) => return Err(error),
            Ok(ToGuest::ModulesEnd { error: None, .. }) => return Ok(()),
            _ => return Err(format!("{name}: the host's answer ended early")),
        }
    }
}

fn insert(image: &[u8], parameters: &str) -> io::Result<()> {
    let parameters = std::ffi::CString::new(parameters).map_err(io::Error::other)?;
    match rustix::system::init_module(image, &parameters) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Whether a module of this name is loaded, or built in and shown by the kernel. One that is being loaded is not.
fn is_there(name: &str) -> bool {
    let folder = format!("/sys/module/{}", normalised(name));
    match fs::read_to_string(format!("{folder}/initstate")) {
        Ok(state) => state.trim() == "live",
        Err(_) => fs::metadata(folder).is_ok(),
    }
}

/// The modules that are loaded.
fn loaded() -> Vec<String> {
    let list = fs::read_to_string("/proc/modules").unwrap_or_default();
    removal::entries(&list).filter(|entry| entry.live).map(|entry| entry.name.to_owned()).collect()
}
