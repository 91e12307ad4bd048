//! `kregress kernels build` as a command: what it prints, and that nothing of it outlives it. It compiles a stand-in for a
//! kernel, which takes no time.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// Makes its image when it is let: as long as `hold` exists a step waits, after it has said that it does.
const MAKEFILE: &str = "VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 1
EXTRAVERSION =

allnoconfig alldefconfig:
\t@cp $(KCONFIG_ALLCONFIG) $(O)/.config

vmlinux: $(O)/init.o
\t@mkdir -p $(O)/include/config
\t@echo 6.12.1$(LOCALVERSION) > $(O)/include/config/kernel.release
\t@$(CC) -nostdlib -static -Wl,-e,init -o $(O)/vmlinux $(O)/init.o
\t@echo kernel/fs/built-in.ko > $(O)/modules.builtin
\t@touch $(O)/System.map

$(O)/init.o: init.c
\t@touch ../waits; while [ -e ../hold ]; do sleep 0.02; echo '  CC      init.o'; done
\t@$(CC) -c -o $@ $<
";

struct World {
    root: tempfile::TempDir,
}

impl World {
    fn new() -> Option<World> {
        let there = |tool: &&str| Command::new(tool).arg("--version").output().is_ok();
        let tools = ["make", "gcc", "ld", "objcopy"];
        if let Some(missing) = tools.iter().find(|tool| !there(tool)) {
            loud_skip::skip(format_args!("there is no {missing} on this host"));
            return None;
        }
        let world = World { root: tempfile::tempdir().expect("a temporary folder") };
        for (file, text) in [
            ("linux/Makefile", MAKEFILE),
            ("linux/Kbuild", ""),
            ("linux/Kconfig", ""),
            ("linux/init.c", "int init(void) { return 1; }\n"),
            ("kernels/configs/tiny.config", "# base: allnoconfig\nCONFIG_PVH=y\n"),
            ("kernels/mine.yaml", "kernels:\n  - {name: mine, source: {folder: ../linux}, config: tiny}\n"),
        ] {
            let path = world.path(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it is writable");
            fs::write(path, text).expect("it is writable");
        }
        Some(world)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kregress"));
        command
            .args(arguments)
            .arg("--cache")
            .arg(self.path("cache"))
            .arg("--catalogues")
            .arg(self.path("kernels"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command to its end: exit code, output, messages.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        ended(self.command(arguments).spawn().expect("kregress starts"))
    }

    /// Starts a build that waits for `hold` to go away.
    fn build_that_waits(&self) -> Child {
        fs::write(self.path("hold"), "").expect("it is writable");
        let child = self.command(&["kernels", "build", "mine"]).spawn().expect("kregress starts");
        while !self.path("waits").exists() {
            std::thread::yield_now();
        }
        child
    }

    /// Waits until nobody holds the lock of the build's place, which every process of the build does.
    fn wait_for_the_last_process(&self) {
        let locks = fs::read_dir(self.path("cache/locks")).expect("there are locks");
        let build =
            |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("build-"));
        let path = locks.flatten().map(|entry| entry.path()).find(|path| build(path)).expect("a lock");
        fs::File::open(path).and_then(|file| file.lock()).expect("it can be locked");
    }
}

fn ended(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_named_kernel_is_built_and_listed() {
    let Some(world) = World::new() else { return };
    let (code, printed, said) = world.run(&["kernels", "build", "mine"]);
    assert_eq!(code, Some(0), "{said}");
    insta::assert_snapshot!(printed, @"mine             6.12.1-tiny                      0 modules");
    let said = said.replace(&world.root.path().display().to_string(), "ROOT");
    let said =
        regex::Regex::new(r"in \d+m\d+s \([0-9.]+ MB").expect("a pattern").replace_all(&said, "in … (…");
    insta::assert_snapshot!(said, @r"
    Preparing mine: the source ROOT/kernels/../linux
    Preparing mine: the configuration tiny
    Compiling mine
        Built mine in … (… stored)
    ");

    let (_, listed, _) = world.run(&["kernels", "list"]);
    assert!(listed.lines().any(|line| line.starts_with("mine ") && line.ends_with(" built")), "{listed}");
    let (code, _, said) = world.run(&["kernels", "build", "6.12.57"]);
    assert_eq!(code, Some(1));
    insta::assert_snapshot!(said, @"error: 6.12.57 is not compiled; `kregress kernels fetch 6.12.57` gets it");
}

#[test]
fn a_terminal_shows_no_key_among_bars_and_has_its_settings_back() {
    let Some(world) = World::new() else { return };
    if Command::new("setsid").arg("--version").output().is_err() {
        return loud_skip::skip("there is no setsid on this host");
    }
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let near = openpt(flags).expect("a terminal");
    grantpt(&near).and_then(|()| unlockpt(&near)).expect("its other end");
    let name = ptsname(&near, Vec::new()).expect("its name");
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let far = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).expect("its other end");
    let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&far, size).expect("a size");
    let shows = || tcgetattr(&far).expect("settings").local_modes.contains(LocalModes::ECHOCTL);
    assert!(shows());

    fs::write(world.path("hold"), "").expect("it is writable");
    let kregress = world.command(&["kernels", "build", "mine"]);
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(kregress.get_program()).args(kregress.get_args());
    let end = || far.try_clone().expect("the terminal");
    let mut child =
        // bars are for terminals outside of CI
        command.env("TERM", "xterm").env_remove("CI").stdin(end()).stdout(end()).stderr(end()).spawn().expect("it starts");
    drop(command);
    // a terminal that nobody reads stops its writers
    let mut reader = fs::File::from(near.try_clone().expect("the terminal"));
    let shown = std::thread::spawn(move || {
        let (mut text, mut chunk) = (Vec::new(), [0; 4096]);
        while let Ok(n @ 1..) = reader.read(&mut chunk) {
            text.extend_from_slice(&chunk[..n]);
            if text.ends_with(b"THE END\r\n") {
                break;
            }
        }
        String::from_utf8_lossy(&text).into_owned()
    });
    while !world.path("waits").exists() {
        std::thread::yield_now();
    }
    assert!(!shows());
    fs::File::from(near).write_all(b"\x03").expect("a key");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(shows());
    fs::File::from(far).write_all(b"THE END\n").expect("the terminal");
    let shown = shown.join().expect("the reader");
    assert!(shown.contains("interrupted: ending the compilers") && !shown.contains("^C"), "{shown:?}");
    world.wait_for_the_last_process();
}

#[test]
fn an_interrupt_ends_the_compilers_and_the_next_build_goes_on() {
    let Some(world) = World::new() else { return };
    let child = world.build_that_waits();
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let (code, _, said) = ended(child);
    assert_eq!(code, Some(130), "{said}");
    assert!(said.contains("interrupted while building mine; the next build goes on from there"), "{said}");
    world.wait_for_the_last_process();
    fs::remove_file(world.path("hold")).expect("it is there");
    assert_eq!(world.run(&["kernels", "build", "mine"]).0, Some(0));
}

#[test]
fn no_compiler_outlives_a_killed_kregress() {
    let Some(world) = World::new() else { return };
    let mut child = world.build_that_waits();
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    // `hold` is still there: what ends the build is that nobody reads what it says
    world.wait_for_the_last_process();
    fs::remove_file(world.path("hold")).expect("it is there");
    assert_eq!(world.run(&["kernels", "build", "mine"]).0, Some(0));
}
