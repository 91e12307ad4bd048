//! The guest's PID 1: prepares the system, then carries out the host's requests.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use super::channel::{self, Receiver, Request, Sender};
use super::modules::Modules;
use super::{blocked, entropy, execute, mounts, supervise, surroundings, userland};
use guest_protocol::facts::{GuestFacts, Phase, SetupFailure};
use guest_protocol::message::{FromGuest, ToGuest};
use guest_protocol::{LAST_WORDS, layout};

/// How often the host hears of the agent when nothing else happens.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How long a disk may take to appear after its driver was loaded.
const DISK_PATIENCE: Duration = Duration::from_secs(10);

/// Under a clock that leaps: how long the kernel is given to end what it prints, before the blocked tasks are printed and
/// again after that. The host can judge neither by its own clock.
const LAST_LINES: Duration = Duration::from_millis(300);

/// How long the agent stays after its last word, for the host to hear it.
const LAST_WORD: Duration = Duration::from_secs(2);

/// Runs as the guest's init; ends by powering the guest off.
pub fn main() -> ! {
    // a kernel whose init panics panics as well, which would look like a bug of the kernel
    std::panic::set_hook(Box::new(|panic| give_up(&panic.to_string().replace('\n', " "))));
    match serve() {
        Ok(()) => power_off(),
        Err(error) => give_up(&error.to_string()),
    }
}

fn give_up(why: &str) -> ! {
    // the console is all that is left to speak on
    eprintln!("{LAST_WORDS}: {why}");
    // a power-off does not wait for what a terminal still has to send
    let _ = rustix::termios::tcdrain(std::io::stderr());
    power_off()
}

fn power_off() -> ! {
    rustix::fs::sync();
    let _ = rustix::system::reboot(rustix::system::RebootCommand::PowerOff);
    // without ACPI the machine stays: the host ends it
    loop {
        std::thread::park();
    }
}

fn serve() -> io::Result<()> {
    mounts::mount_all()?;
    surroundings::furnish();
    // from here on everything that the kernel says reaches the console
    let _ = fs::write("/proc/sys/kernel/printk", "8 4 1 7");
    // this file alone takes no word without a newline
    let _ = fs::write("/proc/sys/kernel/printk_devkmsg", "on\n");
    // the boot left these tests out (`base_cmdline` on the host); kernels without them have no such file
    let _ = fs::write("/sys/module/cryptomgr/parameters/notests", "N");
    // Debian's default refuses most keys from the console, by which the host asks where the agent does not answer
    let _ = fs::write("/proc/sys/kernel/sysrq", "1");
    channel::load_drivers();
    let (sender, receiver, name) = channel::open()?;
    let sender = Arc::new(sender);
    let modules = Modules::default();
    if modules.serve(&sender).is_ok() {
        surroundings::show_modprobe();
    }
    heartbeat(Arc::clone(&sender))?;
    Agent {
        sender,
        channel: name,
        failed: false,
        modules,
        disks: BTreeMap::new(),
        variables: BTreeMap::new(),
        answers: supervise::Answers::default(),
        leave: None,
        command: None,
        clock_leaps: false,
    }
    .run(receiver)
}

fn heartbeat(sender: Arc<Sender>) -> io::Result<()> {
    let start = Instant::now();
    std::thread::Builder::new().name("heartbeat".into()).spawn(move || {
        loop {
            std::thread::sleep(HEARTBEAT);
            let uptime_ms = start.elapsed().as_millis() as u64;
            if sender.tell(&FromGuest::Heartbeat { uptime_ms }).is_err() {
                return;
            }
        }
    })?;
    Ok(())
}

struct Agent {
    sender: Arc<Sender>,
    channel: &'static str,
    /// Whether a request failed: the later ones are then ignored.
    failed: bool,
    /// Requests for modules that wait for the host.
    modules: Modules,
    /// Device paths of the test's disks by their names in the suite.
    disks: BTreeMap<String, String>,
    /// Paths of disks by variables of the test's own choice.
    variables: BTreeMap<String, String>,
    /// The way back to the running program.
    answers: supervise::Answers,
    /// Where the program waits for its leave to begin.
    leave: Option<mpsc::Sender<()>>,
    /// The way to the command that a person runs.
    command: Option<execute::Handle>,
    /// Whether time leaps while all processors are idle.
    clock_leaps: bool,
}

impl Agent {
    fn run(mut self, mut receiver: Receiver) -> io::Result<()> {
        self.sender.tell(&FromGuest::Hello(facts(self.channel)))?;
        while let Some(request) = receiver.next()? {
            if request.missing > 0 && !self.failed {
                // one of them may have been what this one builds upon
                self.failed = true;
                let failure = SetupFailure::Channel { frames: request.missing };
                self.sender.tell(&FromGuest::Failed(failure))?;
            }
            self.sender.anchor().heard(&request.ask);
            match request.ask {
                ToGuest::ClockLeaps => {
                    self.sender.anchor().hold_when_owed()?;
                    self.clock_leaps = true;
                }
                ToGuest::Ping => self.sender.tell(&FromGuest::Hello(facts(self.channel)))?,
                ToGuest::Refresh { entropy, unix_ns, pause_us } => {
                    let done = refresh(&entropy, Duration::from_nanos(unix_ns));
                    std::thread::sleep(Duration::from_micros(pause_us));
                    let error = done.err().map(|error| error.to_string());
                    self.sender.tell(&FromGuest::Refreshed { error })?;
                }
                ToGuest::PowerOff => {
                    self.sender.tell(&FromGuest::Bye)?;
                    // the host ends the machine when it hears that; a power-off at once may take the word along
                    std::thread::sleep(LAST_WORD);
                    power_off()
                }
                ToGuest::Blocked => {
                    let last_lines = if self.clock_leaps { LAST_LINES } else { Duration::ZERO };
                    std::thread::sleep(last_lines);
                    blocked::print_on_console();
                    std::thread::sleep(last_lines);
                    self.sender.tell(&FromGuest::BlockedTasks { tasks: blocked::tasks() })?;
                }
                ref part @ (ToGuest::ModuleFile { number, .. } | ToGuest::ModulesEnd { number, .. }) => {
                    self.modules.give(number, part.clone(), request.data);
                }
                ToGuest::Answer { error } => self.answers.give(error.as_deref()),
                ToGuest::Begin => {
                    if let Some(leave) = self.leave.take() {
                        let _ = leave.send(());
                    }
                }
                ToGuest::Execute(mut command) if !self.failed => {
                    command.environment.extend(self.disk_variables());
                    let modules = self.modules.clone();
                    // for a file of no known format the kernel asks for a module, and this waits for that
                    let busy = modules.busy();
                    let started = execute::start(&command, &self.sender);
                    drop(busy);
                    match started {
                        Ok(handle) => self.command = Some(handle),
                        Err(error) => {
                            let failure = SetupFailure::Program { error: error.to_string() };
                            self.sender.tell(&FromGuest::Failed(failure))?;
                        }
                    }
                }
                ToGuest::Input { .. } => self.with_command(|command| command.input(request.data)),
                ToGuest::InputEnds => self.with_command(execute::Handle::input_ends),
                ToGuest::Resize(size) => self.with_command(|command| command.resize(size)),
                ToGuest::Run(program) if !self.failed => {
                    // a program that hangs must not keep the agent from answering
                    let mut program = program;
                    program.environment.extend(self.disk_variables());
                    let (sender, answers) = (Arc::clone(&self.sender), self.answers.clone());
                    let (leave, granted) = mpsc::channel();
                    self.leave = Some(leave);
                    std::thread::Builder::new().name("program".into()).spawn(move || {
                        if let Err(error) = supervise::run(&program, &sender, &answers, &granted) {
                            let failure = SetupFailure::Program { error: error.to_string() };
                            let _ = sender.tell(&FromGuest::Failed(failure));
                        }
                    })?;
                }
                _ if self.failed => {}
                _ => {
                    let modules = self.modules.clone();
                    let _busy = modules.busy();
                    if let Err(failure) = self.set_up(request) {
                        self.failed = true;
                        self.sender.tell(&FromGuest::Failed(failure))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// The variables with the paths of disks: each has one by its name, some have another.
    fn disk_variables(&self) -> impl Iterator<Item = (String, String)> {
        let by_name = self.disks.iter().map(|(name, path)| (disk_variable(name), path.clone()));
        self.variables.iter().map(|(variable, path)| (variable.clone(), path.clone())).chain(by_name)
    }

    fn with_command(&mut self, pass: impl FnOnce(&mut execute::Handle)) {
        if let Some(command) = &mut self.command {
            pass(command);
        }
    }

    fn set_up(&mut self, request: Request) -> Result<(), SetupFailure> {
        match request.ask {
            ToGuest::Put { path, mode, size } => {
                let error = match put(&path, mode, &request.data) {
                    Ok(()) if request.data.len() as u64 == size => return Ok(()),
                    Ok(()) => format!("{} of {size} bytes came through", request.data.len()),
                    Err(error) => error.to_string(),
                };
                Err(SetupFailure::File { path, error })
            }
            ToGuest::Module { name, path, parameters, optional } => {
                let loaded = load_module(Path::new(&path), &parameters);
                // its memory is needed for the test
                let _ = fs::remove_file(&path);
                loaded
                    .or_else(|error| if optional { Ok(()) } else { Err(error) })
                    .map_err(|error| SetupFailure::Module { name, error: error.to_string() })
            }
            ToGuest::Nodes { nodes } => {
                nodes.iter().for_each(surroundings::make_node);
                Ok(())
            }
            ToGuest::Sysctl { name, value, required } => {
                let path = format!("/proc/sys/{}", name.replace('.', "/"));
                match fs::write(&path, &value) {
                    Err(error) if required => Err(SetupFailure::Sysctl { name, error: error.to_string() }),
                    Err(_) => Ok(()),
                    Ok(()) => {
                        let value = fs::read_to_string(&path).unwrap_or_default().trim().to_owned();
                        let _ = self.sender.tell(&FromGuest::SysctlIs { name, value });
                        Ok(())
                    }
                }
            }
            ToGuest::Disk { name, serial, variable } => match find_disk(&serial) {
                Some(path) => {
                    self.variables.extend(variable.map(|variable| (variable, path.clone())));
                    self.disks.insert(name, path);
                    Ok(())
                }
                None => Err(SetupFailure::Disk { name }),
            },
            ToGuest::Mount { disk, path, file_system } => {
                let device = self.disks.get(&disk).ok_or(SetupFailure::Disk { name: disk })?;
                mounts::mount_disk(device, &path, &file_system)
                    .map_err(|error| SetupFailure::File { path, error: error.to_string() })
            }
            ToGuest::Enter { disk, file_system } => {
                let device = self.disks.remove(&disk).ok_or(SetupFailure::Disk { name: disk })?;
                userland::enter(&device, &file_system)
                    .map_err(|error| SetupFailure::Userland { error: error.to_string() })?;
                surroundings::show_modprobe();
                Ok(())
            }
            ToGuest::AwaitUptime { ms } => {
                let up = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                let up = Duration::new(up.tv_sec.unsigned_abs(), up.tv_nsec as u32);
                std::thread::sleep(Duration::from_millis(ms).saturating_sub(up));
                Ok(())
            }
            ToGuest::Check => {
                let _ = self.sender.tell(&FromGuest::Reached { phase: Phase::Check });
                let status = Command::new(layout::BUSYBOX).arg("true").status();
                match status {
                    Ok(status) if status.success() => Ok(()),
                    Ok(status) => Err(SetupFailure::Check { error: status.to_string() }),
                    Err(error) => Err(SetupFailure::Check { error: error.to_string() }),
                }
            }
            ToGuest::Ping
            | ToGuest::Refresh { .. }
            | ToGuest::Run(_)
            | ToGuest::Begin
            | ToGuest::Answer { .. }
            | ToGuest::ModuleFile { .. }
            | ToGuest::ModulesEnd { .. }
            | ToGuest::Execute(_)
            | ToGuest::Input { .. }
            | ToGuest::InputEnds
            | ToGuest::Resize(_)
            | ToGuest::ClockLeaps
            | ToGuest::Blocked
            | ToGuest::PowerOff => Ok(()),
        }
    }
}

/// A restored guest has the time and the random state of its snapshot: both are set anew.
fn refresh(randomness: &[u8], unix: Duration) -> io::Result<()> {
    entropy::renew(randomness)?;
    let time = rustix::time::Timespec::try_from(unix).map_err(io::Error::other)?;
    Ok(rustix::time::clock_settime(rustix::time::ClockId::Realtime, time)?)
}

/// `KREGRESS_DISK_NAME`, as `suites/README.md` documents it.
fn disk_variable(name: &str) -> String {
    format!("KREGRESS_DISK_{}", name.to_ascii_uppercase().replace('-', "_"))
}

fn put(path: &str, mode: u32, data: &[u8]) -> io::Result<()> {
    if let Some(parent) = Path::new(path).parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::options().write(true).create(true).truncate(true).mode(mode).open(path)?;
    file.write_all(data)?;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

/// Loads a module from an uncompressed file; one that is already there is no error.
pub(crate) fn load_module(path: &Path, parameters: &str) -> io::Result<()> {
    let file = File::open(path)?;
    let parameters = std::ffi::CString::new(parameters).map_err(io::Error::other)?;
    match rustix::system::finit_module(&file, &parameters, 0) {
        Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The block device with this serial number. Its driver probes while its module loads, so it is there at once or
/// within moments.
fn find_disk(serial: &str) -> Option<String> {
    let deadline = Instant::now() + DISK_PATIENCE;
    loop {
        for entry in fs::read_dir("/sys/block").ok()?.flatten() {
            let stored = ["serial", "device/serial"]
                .iter()
                .find_map(|f| fs::read_to_string(entry.path().join(f)).ok());
            let node = format!("/dev/{}", entry.file_name().to_string_lossy());
            if stored.is_some_and(|s| s.trim() == serial) && Path::new(&node).exists() {
                return Some(node);
            }
        }
        if Instant::now() >= deadline {
            return None;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn facts(channel: &str) -> GuestFacts {
    let uname = rustix::system::uname();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    GuestFacts {
        release: uname.release().to_string_lossy().into_owned(),
        build: uname.version().to_string_lossy().into_owned(),
        cmdline: read("/proc/cmdline"),
        tainted: read("/proc/sys/kernel/tainted").parse().unwrap_or_default(),
        channel: channel.to_owned(),
        hung_task_timeout: read("/proc/sys/kernel/hung_task_timeout_secs").parse().ok(),
        uptime_ms: Duration::try_from(rustix::time::clock_gettime(rustix::time::ClockId::Monotonic))
            .ok()
            .map(|uptime| uptime.as_millis() as u64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_are_found_by_variables() {
        assert_eq!(disk_variable("bad-ext4"), "KREGRESS_DISK_BAD_EXT4");
    }
}
