//! `kregress vm`: a command or a shell in a kernel.

mod escape;
mod gdb;
mod of_test;
mod session_io;
mod terminal;
mod userland;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use super::error::CliError;
use super::paths::PathArgs;
use crate::arch::GUEST;
use crate::cancel::Cancel;
use crate::cli::word::words;
use crate::guest::layout::{INBOX, SHARE};
use crate::guest::message::ExecuteRequest;
use crate::kernel::{Flavour, Kernel, KernelSpec, LargerImage, Library, ModuleState, RequestedKernel};
use crate::lab::interactive::{self, GuestCommand, NEVER, Outcome, SessionEnd};
use crate::lab::prepare::{Prepared, userland as lab_userland};
use crate::lab::share;
use crate::lab::timeouts::Timeouts;
use crate::lab::vm::VmLab;
use crate::machine::Machine;
use crate::observation::{Exit, SetupFailure};
use crate::oops;
use crate::plan::PlacedTest;
use crate::progress::Fetching;
use crate::report::ExitStatus;
use crate::scratch::{Scratch, ScratchDir};
use crate::suite::{Clock, MachineNeeds};
use crate::vm::accel::AccelRequest;
use crate::vm::backend::{Backend, StartFrom};
use crate::vm::spec::VmSpec;
use session_io::User;

/// Boots of a guest that QEMU itself makes crash on its way up.
const MOST_BOOTS: u32 = 3;

/// Kernels that an error lists.
const MOST_LISTED: usize = 8;

const EXIT_CODES: &str = "\
Exit codes: that of the command (128 and more: ended by a signal; 127: there is no such command),
2 this command line cannot be read, 96 the guest could not be set up or did not boot, 104 the kernel
crashed or the guest ended before the command did, 124 the command took longer than --timeout, 130
interrupted.";

/// Boot one kernel, for a command or a shell in it.
#[derive(Debug, clap::Args)]
pub struct VmArgs {
    #[command(subcommand)]
    command: VmCommand,
}

#[derive(Debug, clap::Subcommand)]
enum VmCommand {
    /// Run one command in a kernel, or only see whether it boots
    ///
    /// Standard input, output and error of the command are those of this program, and so is its exit code. One word
    /// with blanks in it goes to the guest's shell. An oops ends the guest. Without a command the kernel's release and
    /// the seconds that it took to boot are printed.
    #[command(after_help = format!("\
Examples:
  kregress vm boot 6.17.13                                 does it boot?
  kregress vm boot 6.17.13 -- uname -a                     one command
  kregress vm boot latest:6.12 --modules loop -- 'lsmod | wc -l'
  kregress vm boot ./{image} --share . -- ./reproducer     a program of this folder, linked statically

{EXIT_CODES}", image = GUEST.image.name))]
    Boot {
        #[command(flatten)]
        guest: GuestArgs,
        /// The command and its arguments
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// A root shell in a kernel
    ///
    /// Ctrl-A x ends the guest, Ctrl-A h shows the other keys. Where standard input is not a terminal it is a script for
    /// the shell.
    #[command(after_help = format!("\
Examples:
  kregress vm shell 6.17.13
  kregress vm shell 6.17.13 --modules null_blk --share .   the current folder is /host
  kregress vm shell 6.17.13 < script.sh
  kregress vm shell 6.17.13 --userland bash,strace         Debian's bash and strace
  kregress vm shell --test elevator-switch-race -k 6.17.13 the guest of a test

{EXIT_CODES}"))]
    Shell {
        #[command(flatten)]
        guest: GuestArgs,
    },
}

/// Which guest.
#[derive(Debug, clap::Args)]
struct GuestArgs {
    /// Exactly one kernel: version (6.17.13), latest:LINE, oldest:LINE, a catalogue's name, or a file; fetched if needed
    #[arg(required_unless_present = "named")]
    kernel: Option<KernelSpec>,
    /// The same, as `kregress run` has it
    #[arg(short = 'k', long = "kernel", value_name = "KERNEL", conflicts_with = "kernel")]
    named: Option<KernelSpec>,
    /// The very guest of this test: its machine, modules, settings, files and environment
    ///
    /// Its program lies beside the shell and has not run yet; ./run-test runs it. A crash ends the guest as it does in a run.
    #[arg(long, value_name = "TEST", conflicts_with_all = ["machine", "cpus", "memory", "modules", "userland", "share"])]
    test: Option<String>,
    /// The suite of that test: its name, a file, or a folder of suites
    #[arg(short, long, value_name = "SUITE", requires = "test")]
    suite: Vec<PathBuf>,
    /// The machine: NAME is vm/NAME.yaml
    #[arg(long, value_name = "NAME", default_value = crate::machine::DEFAULT)]
    machine: String,
    /// Virtual processors [default: the machine's]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    cpus: Option<u32>,
    /// Memory, such as 512M or 2G [default: the machine's]
    #[arg(long, value_name = "SIZE", value_parser = parse_memory)]
    memory: Option<u32>,
    /// Modules to load first, with all that they depend on
    #[arg(long, value_name = "MODULE", value_delimiter = ',')]
    modules: Vec<String>,
    /// The modules of a kernel file: a lib/modules/RELEASE folder, a package or an archive
    #[arg(long, value_name = "PATH")]
    modules_dir: Option<PathBuf>,
    /// Run in a root file system of these Debian packages, or of an image, tarball or folder
    ///
    /// It is made once, without root, by this host's apt, with Debian's essential packages; a value with a slash in it is a
    /// file or folder: an OCI image, what `docker save` wrote, a tarball. What the guest writes is thrown away.
    #[arg(long, value_name = "PACKAGES", value_delimiter = ',')]
    userland: Vec<String>,
    /// Show a copy of this folder, as it is now, in the guest as /host, and start there
    ///
    /// The copy is a read-only disk, made by mke2fs: that works on every kernel with virtio-blk and ext4, which all of
    /// Debian's from 5.10 to 7.3 have, those for clouds too (9p they lack). Nothing that the guest does reaches the
    /// folder.
    #[arg(long, value_name = "DIR")]
    share: Option<PathBuf>,
    /// Add to the kernel's command line
    #[arg(long, value_name = "ARG")]
    cmdline: Vec<String>,
    /// Show the kernel's console on standard error, all of it
    #[arg(long)]
    console: bool,
    /// Wait for gdb before the guest's first instruction, and print the command that attaches it
    ///
    /// KASLR is off then, and nothing in the guest has a limit of time.
    #[arg(long)]
    gdb: bool,
    /// Fetch the debug package of the kernel, for gdb: a few hundred megabytes
    #[arg(long, requires = "gdb")]
    fetch_debug: bool,
    /// What executes the guest; auto tries KVM once and remembers the answer
    #[arg(long, value_parser = words::<AccelRequest>(), ignore_case = true, default_value = "auto", env = "KREGRESS_ACCEL")]
    accel: AccelRequest,
    /// How long the guest may take from its start to its first word
    #[arg(long, value_name = "TIME", value_parser = super::guests::parse_time, default_value = "120s")]
    boot_timeout: Duration,
    /// End the command, or the shell, after this time, such as 90s or 5m
    #[arg(long, value_name = "TIME", value_parser = super::guests::parse_time)]
    timeout: Option<Duration>,
}

fn parse_memory(text: &str) -> Result<u32, String> {
    crate::suite::parse_memory(text).map_err(|e| e.to_string())
}

/// What runs in the guest.
enum GuestTask {
    Nothing,
    Command(Vec<String>),
    Shell,
}

/// Does it.
pub fn run(args: &VmArgs, paths: &PathArgs) -> Result<ExitCode, CliError> {
    let (args, wanting) = match &args.command {
        VmCommand::Boot { guest, command } if command.is_empty() => (guest, GuestTask::Nothing),
        VmCommand::Boot { guest, command } => (guest, GuestTask::Command(command.clone())),
        VmCommand::Shell { guest } => (guest, GuestTask::Shell),
    };
    let cancel = Cancel::new();
    terminal::watch_signals(&cancel)?;
    let cache = paths.cache()?;
    let library = Library::open(&cache, &paths.catalogues()?).map_err(CliError::setup)?;
    let test = args.test.as_deref().map(|name| of_test::find(name, &args.suite, paths)).transpose()?;
    let kernel = kernel(args, &library, test.as_ref())?;
    let share = args.share.as_deref().map(|folder| shared(folder, &cache)).transpose()?;
    let userland = userland::make(&args.userland, kernel.arch, &cache, &cancel)?;
    let machine = match &test {
        Some(placed) => (*placed.machine).clone(),
        None => machine(args, paths, share.as_ref())?,
    };
    let nokaslr = args.gdb.then(|| "nokaslr".to_owned());
    let machine = machine.with_cmdline(args.cmdline.iter().cloned().chain(nokaslr));
    let tell = |text: &str| eprintln!("{text}");
    let lab = VmLab::for_arch(kernel.arch, &cache, &tell).map_err(CliError::setup)?;
    let choice = lab.choose_accel(args.accel, &kernel);
    if let Some(lacking) = lab.missing(&machine) {
        return Err(CliError::setup(lacking));
    }
    let prepared = match &test {
        Some(placed) => of_test::prepare(&lab, placed, &cancel)?,
        None => Prepared { userland, ..Prepared::default() },
    };
    let mut guest = lab.machine(&kernel, &machine, &prepared).map_err(CliError::setup)?;
    // a person's time passes as the host's does
    guest.clock = Clock::Real;
    let stub = args.gdb.then(|| gdb::stub(&cache)).transpose()?;
    guest.gdb = stub.as_ref().map(|stub| stub.socket.clone());
    let names: Vec<&str> = args.modules.iter().map(String::as_str).collect();
    let mut guest_command = match &test {
        Some(placed) => of_test::command(&kernel, placed, &prepared, guest.accel)?,
        None => GuestCommand::new(&kernel, &names, &machine, share.is_some()).map_err(CliError::setup)?,
    };
    let folder = match (&test, &share) {
        (Some(_), _) => INBOX,
        (None, Some(_)) => SHARE,
        (None, None) => "/root",
    };
    let at_terminal = matches!(wanting, GuestTask::Shell) && terminal::is_there();
    let is_shell = matches!(wanting, GuestTask::Shell);
    if let Some(command) = request(wanting, &kernel, &machine, at_terminal, folder) {
        guest_command = guest_command.command(command, args.timeout);
    }
    if let Some(placed) = &test {
        eprintln!("{}", of_test::notice(placed));
    }
    let mut user = User::new(at_terminal, args.console);
    let timeouts = match &stub {
        Some(stub) => {
            eprintln!("{}", gdb::notice(&kernel, &library, &stub.socket, args.fetch_debug)?);
            // somebody looks at it meanwhile
            Timeouts { boot: NEVER, setup: NEVER, silence: NEVER, crash: NEVER, ..Timeouts::default() }
        }
        None => Timeouts { boot: args.boot_timeout, ..Timeouts::default() },
    };
    let mut boots = 1;
    let end = loop {
        user.wait(&format!("{} boots with {}", kernel.release, choice.accel));
        let booting = lab.backend().start(&guest, StartFrom::Boot);
        let end = booting.map(|mut booting| {
            interactive::run(&mut *booting, &guest_command, &kernel.modules, timeouts, &mut user, &cancel)
        });
        user.leave();
        let end = end.map_err(CliError::setup)?;
        let fault = end.guest.is_none() && is_emulators_fault(&end.console, &guest, &**lab.backend());
        if !fault || boots == MOST_BOOTS {
            break end;
        }
        boots += 1;
        eprintln!("{}: {}; booting again", label("warning"), emulators_fault(&**lab.backend()));
    };
    if end.outcome == Outcome::Booted {
        println!("{}", booted(&end, &choice.accel.to_string()));
    }
    let status = finish(&end, &kernel, &cache, is_shell);
    if matches!(end.outcome, Outcome::GuestLost { .. })
        && is_emulators_fault(&end.console, &guest, &**lab.backend())
    {
        eprintln!("{}: {}", label("warning"), emulators_fault(&**lab.backend()));
    }
    Ok(status)
}

/// Whether the kernel crashed because QEMU ran code that was no longer there.
fn is_emulators_fault(console: &[u8], guest: &VmSpec, backend: &dyn Backend) -> bool {
    backend.may_run_stale_code(guest)
        && oops::diagnose(console)
            .iter()
            .any(|report| oops::breakpoint_was_taken_back(&console[report.start..report.end]))
}

fn emulators_fault(backend: &dyn Backend) -> String {
    format!(
        "QEMU {} made the kernel crash, by running a breakpoint that was no longer there; 8.1 and later do not, nor does any \
         with --cpus 1",
        backend.version()
    )
}

/// The one kernel that is meant, in the flavour that has the modules that are asked for.
fn kernel(args: &GuestArgs, library: &Library, test: Option<&PlacedTest>) -> Result<Kernel, CliError> {
    let progress = Fetching::on_stderr();
    let spec = args.kernel.as_ref().or(args.named.as_ref());
    let spec = spec.ok_or_else(|| CliError::setup("no kernel is named"))?;
    let spec = spec.clone().with_modules(args.modules_dir.clone());
    let resolution = library.resolve(&[spec], &progress).map_err(CliError::setup)?;
    let wanted = match &resolution.wanted[..] {
        [wanted] => wanted,
        all => {
            let names: Vec<&str> = all.iter().map(RequestedKernel::name).collect();
            return Err(CliError::setup(not_one(&names)));
        }
    };
    let kernel = library.fetch(wanted, &progress).map_err(CliError::setup)?;
    if let Some(placed) = test {
        return of_test::image(kernel, wanted, placed, library);
    }
    let missing_module = |kernel: &Kernel| {
        let missing = |name: &&String| kernel.modules.find(name) == ModuleState::Missing;
        args.modules.iter().find(missing).cloned()
    };
    if let Some(module) = missing_module(&kernel).filter(|_| kernel.flavour == Some(Flavour::Cloud))
        && let LargerImage::Known(plain) = library.larger_image(wanted)
    {
        eprintln!("{} has no module {module}: {} is taken", kernel.release, plain.release());
        return library.fetch(&plain, &progress).map_err(CliError::setup);
    }
    Ok(kernel)
}

fn not_one(names: &[&str]) -> String {
    let mut listed = names.iter().take(MOST_LISTED).copied().collect::<Vec<_>>().join(", ");
    if names.len() > MOST_LISTED {
        listed.push_str(&format!(" and {} more", names.len() - MOST_LISTED));
    }
    format!("one kernel is booted, and these are {}: {listed}; name one of them", names.len())
}

fn shared(folder: &Path, cache: &Path) -> Result<ScratchDir, CliError> {
    let failed = |e: std::io::Error| CliError::setup(format!("{}: {e}", cache.display()));
    let place = Scratch::new(cache).folder().map_err(failed)?;
    share::make_image(folder, &share_image(&place)).map_err(CliError::setup)?;
    Ok(place)
}

fn share_image(place: &ScratchDir) -> PathBuf {
    place.path().join("share.img")
}

fn machine(args: &GuestArgs, paths: &PathArgs, share: Option<&ScratchDir>) -> Result<Machine, CliError> {
    let machines = paths.machines()?;
    // the last one counts, which may be among those of --cmdline
    let cmdline = args.console.then(|| "loglevel=8".to_owned()).into_iter().collect();
    let needs = MachineNeeds {
        clock: Clock::Real,
        base: args.machine.clone(),
        cpus: args.cpus,
        memory_mib: args.memory,
        cmdline,
        disks: Vec::new(),
        accel: None,
    };
    let mut machine = machines.for_test(&needs).map_err(CliError::setup)?;
    if !args.userland.is_empty() {
        machine = machine.with_userland().map_err(CliError::setup)?;
    }
    if let Some(place) = share {
        if machine.device(share::DISK).is_some() {
            let name = &machine.name;
            let text =
                format!("the machine {name} has a device `{}`, which --share needs for itself", share::DISK);
            return Err(CliError::setup(text));
        }
        machine.devices.push(share::device(share_image(place)));
    }
    Ok(machine)
}

fn request(
    wanting: GuestTask,
    kernel: &Kernel,
    machine: &Machine,
    at_terminal: bool,
    folder: &str,
) -> Option<ExecuteRequest> {
    let mut environment = BTreeMap::new();
    if machine.has_userland() {
        environment.extend(lab_userland::environment());
    }
    let command = match wanting {
        GuestTask::Nothing => return None,
        GuestTask::Command(words) => match &words[..] {
            [line] if line.contains(char::is_whitespace) => {
                ["/bin/sh", "-c", line].map(str::to_owned).to_vec()
            }
            _ => words,
        },
        GuestTask::Shell => {
            environment.insert("PS1".to_owned(), format!("{} \\w # ", kernel.name));
            match machine.has_userland() {
                // whoever names a better shell wants it
                true => ["/bin/sh", "-c", userland::BEST_SHELL].map(str::to_owned).to_vec(),
                false => vec!["/bin/sh".to_owned()],
            }
        }
    };
    if at_terminal {
        let term = std::env::var("TERM").unwrap_or_else(|_| "vt100".to_owned());
        environment.insert("TERM".to_owned(), term);
    }
    Some(ExecuteRequest {
        command,
        environment,
        folder: folder.to_owned(),
        terminal: at_terminal.then(terminal::size),
    })
}

fn booted(end: &SessionEnd, accel: &str) -> String {
    let release = end.guest.as_ref().map_or("", |guest| &guest.release);
    format!("{release} booted in {:.1} s ({accel})", end.boot.unwrap_or_default().as_secs_f64())
}

/// Says what has to be said after the guest's end, and answers the exit code.
fn finish(end: &SessionEnd, kernel: &Kernel, cache: &Path, is_shell: bool) -> ExitCode {
    let titles: Vec<String> = oops::diagnose(&end.console).into_iter().map(|report| report.title).collect();
    let Ending { status, complaint } = ending(end, &kernel.release, &titles, is_shell);
    let warned = complaint.is_none() && !titles.is_empty();
    if warned {
        eprintln!("{}: the kernel reported: {}", label("warning"), titles.join("; "));
    }
    if let Some(complaint) = &complaint {
        eprintln!("{}: {complaint}", label("error"));
    }
    if warned || complaint.is_some_and(|_| matters(&end.outcome)) {
        match keep_console(&end.console, cache) {
            Ok(path) => eprintln!("its console is in {0}; `kregress explain {0}` reads it", path.display()),
            Err(error) => eprintln!("its console could not be kept: {error}"),
        }
    }
    ExitCode::from(status)
}

fn label(word: &'static str) -> console::StyledObject<&'static str> {
    let style = console::style(word).for_stderr().bold();
    if word == "error" { style.red() } else { style.yellow() }
}

/// The exit status of an end.
#[derive(Debug, PartialEq, Eq)]
struct Ending {
    status: u8,
    /// What went wrong.
    complaint: Option<String>,
}

/// Whether the console tells something about such an end.
fn matters(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Failed(SetupFailure::Program { .. }) | Outcome::Cancelled)
}

fn ending(end: &SessionEnd, release: &str, titles: &[String], is_shell: bool) -> Ending {
    let fine = |status: u8| Ending { status, complaint: None };
    let bad = |status: ExitStatus, text: String| Ending { status: status.code(), complaint: Some(text) };
    match &end.outcome {
        Outcome::Booted | Outcome::Left | Outcome::OutputClosed => fine(0),
        Outcome::Exited(Exit::Code(code)) => fine(u8::try_from(*code).unwrap_or(u8::MAX)),
        Outcome::Exited(Exit::Signal(signal)) => fine(u8::try_from(128 + signal).unwrap_or(u8::MAX)),
        Outcome::Failed(SetupFailure::Program { error }) => {
            Ending { status: 127, complaint: Some(format!("the command could not be started: {error}")) }
        }
        Outcome::Failed(failure) => bad(ExitStatus::SetupFailed, format!("{release}: {failure}")),
        Outcome::NotBooted(seconds) => {
            bad(ExitStatus::SetupFailed, format!("{release} did not boot in {seconds:.0} s{}", seen(titles)))
        }
        Outcome::GuestLost { up: false, detail } => {
            let why = detail.as_ref().map_or_else(|| seen(titles), |detail| format!(": {detail}"));
            bad(ExitStatus::SetupFailed, format!("{release} did not boot{why}"))
        }
        Outcome::GuestLost { .. } if !titles.is_empty() => {
            bad(ExitStatus::GuestLost, format!("{release} crashed: {}", titles.join("; ")))
        }
        // somebody typed `poweroff`
        Outcome::GuestLost { detail: None, .. } if is_shell => fine(0),
        Outcome::GuestLost { detail, .. } => {
            let why =
                detail.as_deref().unwrap_or("it powered off or restarted, and its console shows no crash");
            bad(ExitStatus::GuestLost, format!("{release} ended before the command: {why}"))
        }
        Outcome::TimedOut(seconds) => {
            bad(ExitStatus::TimedOut, format!("the command did not end in {seconds:.0} s{}", seen(titles)))
        }
        Outcome::Cancelled => fine(ExitStatus::Interrupted.code()),
    }
}

/// The crashes of a console, for the end of a sentence.
fn seen(titles: &[String]) -> String {
    if titles.is_empty() { String::new() } else { format!(": {}", titles.join("; ")) }
}

/// Keeps the console of the last guest that went wrong, and of no other, so that they do not pile up.
fn keep_console(console: &[u8], cache: &Path) -> std::io::Result<PathBuf> {
    let path = cache.join("vm-console.log");
    crate::atomic_file::write(&path, console)?;
    Ok(path)
}

#[cfg(test)]
mod tests;
