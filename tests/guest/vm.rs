//! `kregress vm`: commands, scripts and shells of people.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};

use super::place::{KERNEL, Place, wait};

const RELEASE: &str = "6.12.117+deb13-cloud-amd64";

/// What a finished command said.
struct Said {
    code: Option<i32>,
    out: String,
    err: String,
}

/// `kregress vm WORD KERNEL …`; the first argument is the word.
fn vm(place: &Place, arguments: &[&str]) -> Command {
    let (word, rest) = arguments.split_first().expect("a word");
    place.command(&[&["vm", word, KERNEL, "--accel", "tcg"], rest].concat())
}

fn said(place: &Place, mut command: Command, input: &str) -> Said {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("kregress starts");
    // one that ends at once says why on standard error
    let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let mut err = child.stderr.take().expect("a pipe");
    let errors = std::thread::spawn(move || {
        let mut text = String::new();
        err.read_to_string(&mut text).map(|_| text)
    });
    let mut out = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut out).expect("text");
    let code = wait(&mut child).code();
    nothing_is_left(place);
    Said { code, out, err: errors.join().expect("a thread").expect("text") }
}

fn nothing_is_left(place: &Place) {
    assert_eq!(place.processes(), Vec::<i32>::new(), "processes are left");
    let scratch = std::fs::read_dir(place.cache().join("scratch"));
    assert_eq!(scratch.map_or(0, Iterator::count), 0, "temporary folders are left");
}

#[test]
fn a_command_has_its_streams_its_code_and_the_folder() {
    let Some(place) = Place::new() else { return };
    let folder = place.path().join("shared");
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join("greeting"), "hello\n").expect("a file");
    let shared = folder.display().to_string();
    let script = "uname -r; pwd; cat greeting -; grep -c ^dummy /proc/modules; echo >> greeting; exit 7";
    let arguments = ["boot", "--share", &shared, "--modules", "dummy", "--cpus", "1", "--", script];
    let said = said(&place, vm(&place, &arguments), "from outside\n");
    assert_eq!(said.out, format!("{RELEASE}\n/host\nhello\nfrom outside\n1\n"), "{}", said.err);
    assert!(said.err.contains("greeting: Read-only file system"), "{}", said.err);
    assert_eq!(said.code, Some(7), "{}", said.err);
    assert_eq!(std::fs::read_to_string(folder.join("greeting")).expect("a file"), "hello\n");
}

#[test]
fn a_boot_alone_tells_the_release() {
    let Some(place) = Place::new() else { return };
    let said = said(&place, vm(&place, &["boot", "--console"]), "");
    let line = said.out.trim_end();
    assert!(
        line.starts_with(&format!("{RELEASE} booted in ")) && line.ends_with(" s (tcg)"),
        "{line}\n{}",
        said.err
    );
    assert!(said.err.contains("Linux version 6.12.117"), "{}", said.err);
    assert_eq!(said.code, Some(0));
}

#[test]
fn a_script_is_read_from_standard_input() {
    let Some(place) = Place::new() else { return };
    let said = said(&place, vm(&place, &["shell"]), "cd /proc\npwd\necho no >&2\nkill -9 $$\n");
    assert_eq!((said.out.as_str(), said.err.as_str()), ("/proc\n", "no\n"));
    assert_eq!(said.code, Some(128 + 9));
}

#[test]
fn a_shell_is_in_the_guest_of_a_test_whose_program_has_not_run() {
    let Some(place) = Place::new() else { return };
    let shell = place.command(&["vm", "shell", "--test", "ends::clean", "-k", KERNEL, "--accel", "tcg"]);
    let said = said(&place, shell, "ls run-test\nnproc\n./run-test\ncat /proc/sys/kernel/panic_on_oops\n");
    assert_eq!(said.out, "run-test\n1\none line of output\niterations 3\n1\n", "{}", said.err);
    assert!(said.err.contains("ends::clean has not run yet: ./run-test runs it"), "{}", said.err);
    assert_eq!(said.code, Some(0));
}

#[test]
fn a_shell_in_the_guest_of_a_test_has_the_variables_of_its_disks() {
    let Some(place) = Place::new() else { return };
    let test = "surroundings::a-whole-system";
    let shell = place.command(&["vm", "shell", "--test", test, "-k", KERNEL, "--accel", "tcg"]);
    let asked = "[ -b \"$LTP_DEV\" ] && [ \"$LTP_DEV\" = \"$KREGRESS_DISK_SCRATCH\" ] && echo a disk\n";
    let said = said(&place, shell, asked);
    assert_eq!(said.out, "a disk\n", "{}", said.err);
}

#[test]
fn the_script_of_a_failed_attempt_leads_into_its_guest() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["ends::reports-the-symptom"]);
    assert_eq!(ended.code, Some(100), "{}", ended.err);
    let attempt = ended.events.iter().find(|event| event["event"] == "attempt").expect("an attempt");
    let script = place.report_file(attempt["reproduce"].as_str().expect("a script"));
    // in the surroundings of a user whose `kregress` is this one
    let inner = place.command(&[]);
    let folders =
        std::path::Path::new(inner.get_program()).parent().into_iter().map(std::path::Path::to_owned);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).expect("folders");
    let mut command = Command::new(script);
    command.current_dir("/").env("PATH", path);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let said = said(&place, command, "uname -r\n./run-test\n");
    assert!(said.out.starts_with(&format!("{RELEASE}\n")), "{}\n{}", said.out, said.err);
    assert!(said.out.contains("symptom 3 pages leak"), "{}\n{}", said.out, said.err);
    assert!(said.err.contains("ends::reports-the-symptom has not run yet"), "{}", said.err);
}

#[test]
fn a_kernel_that_crashes_under_a_command_says_so() {
    let Some(place) = Place::new() else { return };
    let crash = "echo c > /proc/sysrq-trigger; sleep 60";
    let said = said(&place, vm(&place, &["boot", "--", crash]), "");
    let log = place.cache().join("vm-console.log");
    assert_eq!(
        said.err,
        format!(
            "error: {RELEASE} crashed: kernel panic: sysrq triggered crash\nits console is in {0}; `kregress explain {0}` reads it\n",
            log.display()
        )
    );
    assert_eq!(said.code, Some(104));
    assert!(std::fs::read_to_string(log).expect("the console").contains("sysrq: Trigger a crash"));
}

#[test]
fn what_cannot_run_is_told_with_its_code() {
    let Some(place) = Place::new() else { return };
    let table: &[(&[&str], i32, &str)] = &[
        (
            &["boot", "--", "no-such-command"],
            127,
            "error: the command could not be started: no-such-command: No such file or directory (os error 2)\n",
        ),
        (&["boot", "--timeout", "2s", "--", "sleep", "100"], 124, "error: the command did not end in 2 s\n"),
        (
            &["boot", "--share", "no-such-folder", "--", "true"],
            96,
            "error: no-such-folder cannot be shared: No such file or directory (os error 2)\n",
        ),
        (&["boot", "--modules", "no_such_module"], 96, "has no module `no_such_module`"),
    ];
    for (arguments, code, err) in table {
        let said = said(&place, vm(&place, arguments), "");
        assert!(said.err.contains(err), "{}", said.err);
        assert_eq!((said.code, said.out.as_str()), (Some(*code), ""), "{arguments:?}");
    }
}

/// A terminal with a shell at its other end.
struct Terminal {
    near: File,
    far: OwnedFd,
    text: String,
    /// How much of the text was waited for, in bytes.
    seen: usize,
}

impl Terminal {
    fn new() -> Terminal {
        let near =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).expect("a terminal");
        grantpt(&near).expect("its other end");
        unlockpt(&near).expect("its other end");
        let name = ptsname(&near, Vec::new()).expect("its name");
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let far = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).expect("its other end");
        Terminal { near: File::from(near), far, text: String::new(), seen: 0 }
    }

    fn set_size(&self, rows: u16, columns: u16) {
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&self.far, size).expect("a size");
    }

    fn settings(&self) -> String {
        let Termios { input_modes, output_modes, control_modes, local_modes, .. } =
            tcgetattr(&self.far).expect("settings");
        format!("{input_modes:?} {output_modes:?} {control_modes:?} {local_modes:?}")
    }

    fn shell(&self, place: &Place) -> std::process::Child {
        let end = || self.far.try_clone().expect("the terminal");
        let mut command = vm(place, &["shell"]);
        command.env("TERM", "vt100").stdin(end()).stdout(end()).stderr(end());
        command.spawn().expect("kregress starts")
    }

    fn send(&mut self, keys: &str) {
        self.near.write_all(keys.as_bytes()).expect("keys are taken");
    }

    /// Waits until this text is shown behind what was waited for last, however the output is cut into pieces.
    fn until(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(240);
        loop {
            if let Some(at) = self.text[self.seen..].find(text) {
                self.seen += at + text.len();
                return;
            }
            assert!(Instant::now() < deadline, "{text:?} is not shown: {}", self.text);
            let mut fds = [PollFd::from_borrowed_fd(self.near.as_fd(), PollFlags::IN)];
            let second = Timespec { tv_sec: 1, tv_nsec: 0 };
            if poll(&mut fds, Some(&second)).expect("poll") > 0 {
                let mut chunk = [0u8; 4096];
                let read = self.near.read(&mut chunk).expect("the terminal");
                self.text.push_str(&String::from_utf8_lossy(&chunk[..read]));
            }
        }
    }
}

#[test]
fn a_shell_has_the_terminal_and_gives_it_back() {
    let Some(place) = Place::new() else { return };
    let mut terminal = Terminal::new();
    terminal.set_size(33, 101);
    let before = terminal.settings();
    let mut shell = terminal.shell(&place);
    terminal.until(" # ");
    assert_ne!(terminal.settings(), before, "every key is the guest's");
    terminal.send("uname -r; stty size\r");
    terminal.until(RELEASE);
    terminal.until("33 101");
    // the quotes tell what is shown from what was typed
    terminal.send("sh -c 'echo run\"\"ning; exec sleep 1000'\r");
    terminal.until("running");
    // Ctrl-C is the guest's
    terminal.send("\x03");
    terminal.until(" # ");
    terminal.set_size(40, 120);
    let pid = Pid::from_child(&shell);
    kill_process(pid, Signal::WINCH).expect("a signal");
    terminal.send("stty size\r");
    terminal.until("40 120");
    terminal.until(" # ");
    terminal.send("\x01x");
    assert_eq!(wait(&mut shell).code(), Some(0));
    assert_eq!(terminal.settings(), before);
    nothing_is_left(&place);

    // a terminal of its own: a prompt of the first shell must not be taken for one of the second
    let mut terminal = Terminal::new();
    let before = terminal.settings();
    let mut shell = terminal.shell(&place);
    terminal.until(" # ");
    kill_process(Pid::from_child(&shell), Signal::TERM).expect("a signal");
    assert_eq!(wait(&mut shell).code(), Some(130));
    assert_eq!(terminal.settings(), before);
    nothing_is_left(&place);
}
