//! A place for runs: a cache of its own that shares the fetched kernels, and the processes that belong to it.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use etcetera::BaseStrategy;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::Value;
use tempfile::TempDir;

/// The kernel that every guest boots.
pub const KERNEL: &str = "6.12.117/cloud";

/// The machine of every guest. Of several processors, which QEMU before 8.1 emulates with a fault that makes kernels crash
/// now and then, each lost attempt would be tried again: these tests count attempts.
const MACHINE: &str = "summary: one processor\ncpus: 1\nmemory: 512M\n";

/// Nothing that is waited for takes this long, on the slowest host.
const PATIENCE: Duration = Duration::from_secs(240);

/// A folder for runs. While it lives no other test has guests.
pub struct Place {
    folder: TempDir,
    kernels: PathBuf,
    _turn: File,
}

/// What a finished run said.
pub struct Ended {
    /// Its exit code; absent: a signal ended it.
    pub code: Option<i32>,
    /// Its standard output, an event a line.
    pub events: Vec<Value>,
    /// Its standard error.
    pub err: String,
    /// The most memory it had when an event was reported, KiB.
    pub peak_kib: u64,
}

impl Ended {
    /// `verdict: title or reason` of a cell.
    pub fn cell(&self, test: &str) -> String {
        let cells = self.events.iter().filter(|e| e["event"] == "cell");
        let cell = cells.into_iter().find(|e| e["test"] == test);
        let cell = cell.unwrap_or_else(|| panic!("no cell {test} in {:?}\n{}", self.events, self.err));
        let why = cell["title"].as_str().or(cell["reason"].as_str());
        let verdict = cell["verdict"].as_str().expect("a verdict");
        why.map_or(verdict.to_owned(), |why| format!("{verdict}: {why}"))
    }

    /// The last event, which carries the counts.
    pub fn last(&self) -> &Value {
        let last = self.events.last().unwrap_or_else(|| panic!("no event: {}", self.err));
        assert_eq!(last["event"], "run-finished", "{}", self.err);
        last
    }

    /// The only event of this kind.
    pub fn event(&self, kind: &str) -> &Value {
        let mut found = self.events.iter().filter(|e| e["event"] == kind);
        let event = found.next().unwrap_or_else(|| panic!("no {kind} in {:?}\n{}", self.events, self.err));
        assert!(found.next().is_none(), "more than one {kind}");
        event
    }
}

impl Place {
    /// A place with everything that guests need; `None` where this host lacks something, which is said.
    pub fn new() -> Option<Place> {
        match Place::make() {
            Ok(place) => Some(place),
            Err(missing) => {
                loud_skip::skip(format_args!("no guest was started: {missing}"));
                None
            }
        }
    }

    fn make() -> Result<Place, String> {
        let turn = File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests.lock"));
        let turn = turn.map_err(|e| e.to_string())?;
        turn.lock().map_err(|e| e.to_string())?;
        kregress::vm::qemu::Qemu::find().map_err(|e| e.to_string())?;
        kregress::vm::initramfs::find_busybox().map(drop).map_err(|e| e.to_string())?;
        let cache = match std::env::var_os("KREGRESS_CACHE") {
            Some(cache) => PathBuf::from(cache),
            None => etcetera::choose_base_strategy().map_err(|e| e.to_string())?.cache_dir().join("kregress"),
        };
        fetch(KERNEL)?;
        let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
        let place = Place { kernels: cache.join("kernels"), folder, _turn: turn };
        std::fs::create_dir(place.cache()).map_err(|e| e.to_string())?;
        std::fs::create_dir(place.path().join("vm")).map_err(|e| e.to_string())?;
        std::fs::write(place.path().join("vm/default.yaml"), MACHINE).map_err(|e| e.to_string())?;
        // what takes minutes to make, and is the same for all
        for name in ["kernels", "userlands"] {
            place.share(name).map_err(|e| e.to_string())?;
        }
        Ok(place)
    }

    /// Takes a folder of the cache that all share.
    pub fn share(&self, name: &str) -> std::io::Result<()> {
        let shared = self.kernels.with_file_name(name);
        std::fs::create_dir_all(&shared)?;
        symlink(shared, self.cache().join(name))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn cache(&self) -> PathBuf {
        self.path().join("cache")
    }

    /// The packaged image of [`KERNEL`].
    pub fn vmlinuz(&self) -> PathBuf {
        let entries = std::fs::read_dir(&self.kernels).expect("the fetched kernels").flatten();
        let version = KERNEL.split('/').next().expect("a version");
        let folder = entries
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .find(|name| name.starts_with(version) && name.contains("-cloud-amd64"))
            .expect("the fetched kernel");
        self.kernels.join(folder).join("vmlinuz")
    }

    /// A kregress that works here.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(kregress());
        let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/guest");
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KREGRESS_") || name == "CC") {
            if !["KREGRESS_QEMU", "KREGRESS_BUSYBOX"].contains(&name.as_str()) {
                command.env_remove(name);
            }
        }
        command.current_dir(self.path()).env("KREGRESS_CACHE", self.cache()).env("KREGRESS_SUITES", suites);
        command.env("NO_COLOR", "1").stdin(Stdio::null()).args(arguments);
        command
    }

    /// `kregress run`, one guest after the other; nothing is tried twice and KVM is not tried, unless the arguments say
    /// so.
    pub fn run_command(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(&["run", "-j", "1", "--message-format", "json"]);
        if !arguments.contains(&"-k") {
            command.args(["-k", KERNEL]);
        }
        for (option, value) in [("--retries", "0"), ("--accel", "tcg"), ("--boot-timeout", "60s")] {
            if !arguments.contains(&option) {
                command.args([option, value]);
            }
        }
        command.args(arguments);
        command
    }

    /// Runs to the end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        self.finish(self.run_command(arguments))
    }

    /// Runs a command whose output is events.
    pub fn finish(&self, mut command: Command) -> Ended {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kregress starts");
        let ended = self.listen(child);
        // one that was killed takes a moment to go on a busy host, one that was forgotten stays
        let mut left = Vec::new();
        let gone = within(PATIENCE, || {
            left = self.processes().into_iter().map(described).collect();
            left.is_empty().then_some(())
        });
        assert!(gone.is_some(), "processes are left: {left:#?}");
        ended
    }

    /// Takes in what a running kregress says, to its end.
    pub fn listen(&self, mut child: Child) -> Ended {
        let mut stderr = child.stderr.take().expect("a pipe");
        let errors = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text);
            text
        });
        let (mut events, mut peak_kib) = (Vec::new(), 0);
        for line in BufReader::new(child.stdout.take().expect("a pipe")).lines() {
            let line = line.expect("text");
            peak_kib = peak_kib.max(memory_peak(child.id()));
            events.push(serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")));
        }
        let status = wait(&mut child);
        let err = errors.join().expect("standard error");
        Ended { code: status.code(), events, err, peak_kib }
    }

    /// Processes that belong to this place, kregress itself aside: those that name it or work in it.
    pub fn processes(&self) -> Vec<i32> {
        let own = self.path().as_os_str().as_encoded_bytes();
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.filter_map(|e| e.file_name().to_str()?.parse::<i32>().ok());
        pids.filter(|pid| {
            let command_line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let is_kregress = command_line.starts_with(kregress().as_os_str().as_encoded_bytes());
            let names = memchr::memmem::find(&command_line, own).is_some();
            let folder = std::fs::read_link(format!("/proc/{pid}/cwd"));
            let works_here = folder.is_ok_and(|folder| folder.starts_with(self.path()));
            !is_kregress && (names || works_here)
        })
        .collect()
    }

    /// Waits until something is so.
    pub fn until<T>(&self, what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
        within(PATIENCE, &mut probe).unwrap_or_else(|| panic!("{what} did not happen"))
    }

    /// The files that runs left, relative to their folders.
    pub fn report_file(&self, name: &str) -> PathBuf {
        self.path().join("reports/latest").join(name)
    }
}

/// What `probe` found, looking again and again for so long.
fn within<T>(time: Duration, mut probe: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + time;
    loop {
        let found = probe();
        if found.is_some() || Instant::now() >= deadline {
            return found;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A process in words: its state, its parent, its command line.
fn described(pid: i32) -> String {
    let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let status = String::from_utf8_lossy(&read("status")).into_owned();
    let told =
        status.lines().filter(|line| ["Name", "State", "PPid"].iter().any(|key| line.starts_with(key)));
    let told: Vec<&str> = told.collect();
    format!("{pid}: {} {}", told.join(" "), String::from_utf8_lossy(&read("cmdline")).replace('\0', " "))
}

/// Puts a kernel into the cache that all places share, where it is not there already.
pub fn fetch(kernel: &str) -> Result<(), String> {
    let mut fetch = Command::new(kregress());
    let fetched = fetch.args(["kernels", "fetch", kernel]).stdout(Stdio::null()).output();
    let fetched = fetched.map_err(|e| e.to_string())?;
    match fetched.status.success() {
        true => Ok(()),
        false => Err(format!("{kernel} is not here: {}", String::from_utf8_lossy(&fetched.stderr))),
    }
}

/// The program under test.
pub fn kregress() -> PathBuf {
    assert_cmd::cargo::cargo_bin!("kregress").to_owned()
}

/// Waits for a process's end, and not for ever.
pub fn wait(child: &mut Child) -> ExitStatus {
    assert!(ends_within(child.id() as i32, PATIENCE), "kregress does not end");
    child.wait().expect("its status")
}

/// Whether a process ends within this time.
pub fn ends_within(pid: i32, time: Duration) -> bool {
    let Some(pid) = Pid::from_raw(pid) else { return true };
    // no descriptor: it is gone already
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return true };
    let timeout = Timespec::try_from(time).expect("a time");
    let mut fds = [PollFd::new(&process, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).expect("poll") == 1
}

fn memory_peak(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.split_whitespace().next().and_then(|kib| kib.parse().ok()).unwrap_or_default()
}
