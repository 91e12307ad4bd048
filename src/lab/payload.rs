//! What is sent to a booted guest so that it can run a test: modules, sysctls, files, disks, the program.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::installed;
use super::kernel_files;
use super::ltp;
use super::prepare::{Prepared, userland};
use super::setup::SetupStep;
use crate::guest::layout::INBOX;
use crate::guest::message::{ProgramRequest, Settle, ToGuest};
use crate::kernel::{Kernel, ModuleFile, ModuleState};
use crate::machine::{Device, Machine, Medium};
use crate::suite::{Ends, OutputFormat, Program, ProgramSource, Test};
use crate::vm::guest::Guest;
use crate::vm::spec::{Accel, serial};

/// Sysctls of every guest, set before the test's own. A kernel that oopses ends the virtual machine, a hung task is
/// reported each time. Those of the hung-task detector exist only where the kernel has it.
const SYSCTLS: &[(&str, &str, bool)] = &[
    ("kernel.panic_on_oops", "1", true),
    ("kernel.hung_task_panic", "0", false),
    ("kernel.hung_task_warnings", "-1", false),
    // how often tasks are looked at; by default as seldom as the timeout is long
    ("kernel.hung_task_check_interval_secs", "1", false),
];

/// How long the kernel is watched after the program ended: what it does later (deferred frees, work items) belongs to
/// the dose. A program that was over in a moment leaves little behind.
pub const SETTLE: Settle = Settle { least_ms: 50, most_ms: 200 };

/// What most programs do: processes side by side, pipes, files, `/proc`, `/sys`. What is written was read before.
const REHEARSAL: &str = "\
switch=/sys/kernel/rcu_expedited
one() {
  for n in 1 2 3; do
    read -r value < $switch && echo $value > $switch
    cat /proc/self/stat | grep -c . > /dev/null
  done 2> /dev/null
}
one & one & wait
";

/// Name and contents of what a shell program may read in, see `suites/README.md`.
const SHELL_HELPERS: (&str, &str) = ("kregress.sh", include_str!("../../suites/programs/kregress.sh"));

/// Everything that is sent for one attempt.
#[derive(Clone, Debug)]
pub struct Payload {
    /// Marks this attempt's dose on the console.
    pub nonce: String,
    /// How the program's output is read.
    pub output: OutputFormat,
    /// How long the guest may take from the program's end to the last reading.
    settle: Duration,
    /// How long the guest waits before the program, at the most.
    waits: Duration,
    steps: Vec<SetupStep>,
}

/// A payload that cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// A module is not in this kernel.
    #[error("{0}")]
    Module(#[from] crate::kernel::ModuleError),
    /// A file of the suite cannot be read.
    #[error("{path}: {source}")]
    File {
        /// Which one.
        path: String,
        /// The system's answer.
        source: std::io::Error,
    },
}

impl Payload {
    /// Puts together what one attempt needs.
    ///
    /// # Errors
    /// A module cannot be found or read, a file of the suite cannot be read.
    pub fn build(
        kernel: &Kernel,
        test: &Test,
        machine: &Machine,
        prepared: &Prepared,
        seed: u64,
        accel: Accel,
    ) -> Result<Payload, PayloadError> {
        let mut payload = Payload {
            nonce: format!("{seed:016x}"),
            output: test.program.launch().output,
            settle: Duration::from_millis(SETTLE.most_ms)
                + test.probes.iter().map(|probe| probe.time()).sum::<Duration>(),
            waits: Duration::ZERO,
            steps: Vec::new(),
        };
        payload.add_modules(kernel, test, machine)?;
        if machine.has_userland() {
            // before anything is put anywhere but into the agent's own folder
            userland::entering().into_iter().for_each(|message| payload.ask(message));
        }
        kernel_files::nodes(kernel).into_iter().for_each(|message| payload.ask(message));
        payload.add_sysctls(test);
        payload.add_files(test, prepared)?;
        for (path, contents) in kernel_files::of(kernel, &test.kernel_files, &test.needs.modules) {
            payload.file(path, 0o644, contents);
        }
        let is_tests = |disk: &&Device| disk.at_start && disk.kind.medium() != Some(&Medium::Userland);
        for disk in machine.disks().filter(is_tests) {
            let own = test.machine.disks.iter().find(|own| own.name == disk.name);
            let (name, variable) = (disk.name.clone(), own.and_then(|own| own.also.clone()));
            payload.ask(ToGuest::Disk { serial: serial(&name), name, variable });
        }
        if let Some(uptime) = test.needs.uptime {
            payload.waits = uptime;
            payload.ask(ToGuest::AwaitUptime { ms: uptime.as_millis() as u64 });
        }
        payload.ask(ToGuest::Check);
        let command = payload.add_program(test, prepared)?;
        payload.ask(ToGuest::Run(ProgramRequest {
            command,
            environment: environment(kernel, test, machine, seed, accel),
            probes: test.probes.iter().map(|probe| probe.request(&test.symptom)).collect(),
            settings: test.symptom.settings(),
            asks_leave: test.symptom.may_be_undetectable(),
            endless_ms: endless_ms(test),
            nonce: payload.nonce.clone(),
            settle: Some(SETTLE),
        }));
        Ok(payload)
    }

    /// A program that changes nothing. After a restore TCG has translated nothing yet; in a guest that ran this the next
    /// program takes the time that it takes in one that has just booted.
    pub fn rehearsal() -> Payload {
        let program = "/kregress/rehearsal".to_owned();
        let mut payload = Payload {
            nonce: "rehearsal".to_owned(),
            output: OutputFormat::Reports,
            settle: Duration::ZERO,
            waits: Duration::ZERO,
            steps: Vec::new(),
        };
        payload.add_general_sysctls();
        payload.file(program.clone(), 0o755, Arc::from(REHEARSAL.as_bytes()));
        payload.ask(ToGuest::Check);
        payload.ask(ToGuest::Run(ProgramRequest {
            command: vec!["/bin/sh".to_owned(), program],
            environment: BTreeMap::new(),
            probes: Vec::new(),
            settings: Vec::new(),
            asks_leave: false,
            endless_ms: None,
            nonce: payload.nonce.clone(),
            settle: None,
        }));
        payload
    }

    /// What is sent before the program, and what would be run then.
    pub(super) fn before_program(mut self) -> (Vec<SetupStep>, Option<ProgramRequest>) {
        let last = self.steps.pop();
        match last {
            Some(SetupStep::Message(ToGuest::Run(program))) => (self.steps, Some(program)),
            other => {
                self.steps.extend(other);
                (self.steps, None)
            }
        }
    }

    /// Sends everything; it leaves while the guest is waited for.
    pub fn send(&self, guest: &mut dyn Guest) {
        self.steps.iter().for_each(|step| step.send(guest));
    }

    /// Bytes of the files that are sent.
    pub fn size(&self) -> u64 {
        self.steps.iter().map(SetupStep::size).sum()
    }

    /// How long the guest may wait before it starts the program.
    pub fn waits(&self) -> Duration {
        self.waits
    }

    /// How long the kernel is watched after the program ended, and its detectors are read.
    pub fn settle(&self) -> Duration {
        self.settle
    }

    fn ask(&mut self, message: ToGuest) {
        self.steps.push(SetupStep::Message(message));
    }

    fn file(&mut self, path: String, mode: u32, contents: Arc<[u8]>) {
        self.steps.push(SetupStep::File { path, mode, contents });
    }

    fn add_modules(&mut self, kernel: &Kernel, test: &Test, machine: &Machine) -> Result<(), PayloadError> {
        let mut names: Vec<&str> = test.needs.modules.iter().map(String::as_str).collect();
        for module in machine.modules() {
            if kernel.modules.find(module) == ModuleState::Loadable && !names.contains(&module) {
                names.push(module);
            }
        }
        for module in kernel.modules.load_order(&names)? {
            let contents = kernel.modules.read(&module)?;
            let path = format!("{INBOX}/modules/{}.ko", module.name);
            self.file(path.clone(), 0o644, contents.into());
            let ModuleFile { name, optional, .. } = module;
            self.ask(ToGuest::Module { name, path, parameters: String::new(), optional });
        }
        Ok(())
    }

    fn add_general_sysctls(&mut self) {
        for &(name, value, required) in SYSCTLS {
            self.ask(ToGuest::Sysctl { name: name.into(), value: value.into(), required });
        }
    }

    fn add_sysctls(&mut self, test: &Test) {
        self.add_general_sysctls();
        self.ask(ToGuest::Sysctl {
            name: "kernel.hung_task_timeout_secs".into(),
            value: test.hang.seconds.to_string(),
            required: false,
        });
        for (name, value) in &test.sysctl {
            self.ask(ToGuest::Sysctl { name: name.clone(), value: value.clone(), required: true });
        }
    }

    fn add_files(&mut self, test: &Test, prepared: &Prepared) -> Result<(), PayloadError> {
        for file in &test.files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.file(format!("{INBOX}/{name}"), 0o755, read(file)?);
        }
        for (name, path) in &prepared.outputs {
            if !test.machine.disks.iter().any(|disk| disk.image.as_ref() == Some(name)) {
                self.file(format!("{INBOX}/{name}"), 0o755, read(path)?);
            }
        }
        Ok(())
    }

    fn add_program(&mut self, test: &Test, prepared: &Prepared) -> Result<Vec<String>, PayloadError> {
        let launch = test.program.launch();
        // programs of a collection know themselves by their own names
        let own_name = match (launch.output, launch.source) {
            (OutputFormat::Ltp | OutputFormat::Kselftest, ProgramSource::File(path)) => path.file_name(),
            (_, ProgramSource::Collection(wanted)) => wanted.program.file_name(),
            _ => None,
        };
        let name = own_name.map_or_else(|| test.name.clone().into(), |name| name.to_string_lossy());
        let place = format!("{INBOX}/{name}");
        let (contents, mut command): (Arc<[u8]>, _) = match launch.source {
            ProgramSource::Script(script) => {
                // a file of the test with the same name takes its place
                if !test.files.iter().any(|file| file.ends_with(SHELL_HELPERS.0)) {
                    self.file(
                        format!("{INBOX}/{}", SHELL_HELPERS.0),
                        0o644,
                        SHELL_HELPERS.1.as_bytes().into(),
                    );
                }
                // a script says itself what runs it where there is a choice
                let own = test.userland.is_some() && script.starts_with("#!");
                let shell = (!own).then(|| "/bin/sh".to_owned());
                (script.as_bytes().into(), shell.into_iter().chain([place.clone()]).collect())
            }
            ProgramSource::Compiled { .. } | ProgramSource::Collection(_) => {
                let program = prepared.program.as_deref().map(read).transpose()?;
                (program.unwrap_or_default(), vec![place.clone()])
            }
            ProgramSource::File(path) => (read(path)?, vec![place.clone()]),
        };
        self.file(place, 0o755, contents);
        command.extend(launch.args.iter().cloned());
        Ok(command)
    }
}

/// How long the program runs whatever it does, where it does not end by itself.
fn endless_ms(test: &Test) -> Option<u64> {
    let seconds = test.dose.seconds.filter(|_| test.program.launch().ends == Ends::Never)?;
    Some(u64::from(seconds) * 1000)
}

fn read(path: &Path) -> Result<Arc<[u8]>, PayloadError> {
    let contents = std::fs::read(path)
        .map_err(|source| PayloadError::File { path: path.display().to_string(), source })?;
    Ok(contents.into())
}

fn environment(
    kernel: &Kernel,
    test: &Test,
    machine: &Machine,
    seed: u64,
    accel: Accel,
) -> BTreeMap<String, String> {
    let mut environment = BTreeMap::from([
        ("KREGRESS_TEST".to_owned(), test.id()),
        ("KREGRESS_SEED".to_owned(), (seed & 0x7fff_ffff).to_string()),
        ("KREGRESS_CPUS".to_owned(), machine.cpus.to_string()),
    ]);
    environment.extend(kernel_files::environment(kernel, &test.kernel_files));
    if test.userland.is_some() {
        environment.extend(userland::environment());
    }
    if let Some(seconds) = test.dose.seconds {
        environment.insert("KREGRESS_SECONDS".into(), seconds.to_string());
    }
    if let Some(rounds) = test.dose.rounds {
        environment.insert("KREGRESS_ROUNDS".into(), rounds.to_string());
    }
    match &test.program {
        Program::Ltp { runtime, .. } => {
            environment.extend(ltp::environment(*runtime, test.dose.seconds, accel));
        }
        _ => environment.extend(installed::environment(&test.program)),
    }
    environment
}
