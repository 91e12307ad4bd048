use super::*;

fn step(shell: &str, timeout: Duration) -> PrepareStep {
    PrepareStep { shell: shell.into(), output: "out".into(), tools: Vec::new(), inputs: Vec::new(), timeout }
}

const LONG: Duration = Duration::from_secs(600);

fn run_here(step: &PrepareStep, folder: &Path, cancel: &Cancel) -> Result<(), PrepareError> {
    run(step, folder, &std::env::var_os("PATH").unwrap_or_default(), cancel)
}

/// A named pipe in the folder, held open by the processes that live.
struct Lives(std::fs::File);

impl Lives {
    fn new(folder: &Path) -> Lives {
        let path = folder.join("alive");
        let made = rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0);
        made.expect("a pipe");
        let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::NONBLOCK;
        Lives(std::fs::File::from(
            rustix::fs::open(path, flags, rustix::fs::Mode::empty()).expect("its reader"),
        ))
    }

    fn wait(&self) {
        let limit = Timespec { tv_sec: 120, tv_nsec: 0 };
        let mut waited = [PollFd::new(&self.0, PollFlags::IN)];
        assert_eq!(poll(&mut waited, Some(&limit)), Ok(1), "processes are left, or none began");
    }

    /// Waits for the end of all.
    fn end(mut self) {
        let mut chunk = [0; 16];
        loop {
            match self.0.read(&mut chunk) {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait(),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

const HANGS: &str = "exec > alive; echo x; sleep 1000 & sh -c 'trap \"\" TERM; sleep 1000 & wait'";

#[test]
fn nothing_is_left_of_a_step_that_takes_too_long() {
    let folder = tempfile::tempdir().expect("a folder");
    let lives = Lives::new(folder.path());
    let limit = Duration::from_millis(300);
    let error = run_here(&step(HANGS, limit), folder.path(), &Cancel::new()).expect_err("it hangs");
    lives.end();
    insta::assert_snapshot!(error, @"the prepare step of out did not end within 300ms and was ended (`timeout` allows it more):");
}

#[test]
fn nothing_is_left_of_a_step_that_ends_with_the_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let lives = Lives::new(folder.path());
    let cancel = Cancel::new();
    let error = std::thread::scope(|scope| {
        let ended = scope.spawn(|| run_here(&step(HANGS, LONG), folder.path(), &cancel));
        lives.wait();
        cancel.set();
        ended.join().expect("no panic").expect_err("it hangs")
    });
    lives.end();
    insta::assert_snapshot!(error, @"the prepare step of out was ended with the run");
    let error = run_here(&step("touch began", LONG), folder.path(), &cancel).expect_err("it is too late");
    assert!(matches!(error, PrepareError::Cancelled { .. }) && !folder.path().join("began").exists());
}

#[test]
fn what_a_step_leaves_running_ends_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let lives = Lives::new(folder.path());
    let script = "exec > alive; echo x; sleep 1000 & echo made > out";
    run_here(&step(script, LONG), folder.path(), &Cancel::new()).expect("it made its output");
    lives.end();
}

#[test]
fn a_flood_is_kept_within_a_bound() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = "echo first; yes | head -c 20000000; echo last; exit 3";
    let error = run_here(&step(script, LONG), folder.path(), &Cancel::new()).expect_err("exit 3");
    let PrepareError::Step { status, text, .. } = error else { panic!("{error:?}") };
    assert_eq!(status, "exit status: 3");
    assert!(text.starts_with("first\ny\n") && text.ends_with("\ny\nlast") && text.len() < 200, "{text}");
    let mut said = Said::default();
    for n in 0..10_000 {
        said.push(format!("{n}\n").repeat(100).as_bytes());
        assert!(said.head.len() + said.tail.len() <= 4 * KEPT + 1000);
    }
}

#[test]
fn the_script_has_the_arguments_and_streams_of_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let script = r#"[ $# = 0 ] && ! (: <&9) 2> /dev/null && [ -z "$(cat)" ] && touch out"#;
    run_here(&step(script, LONG), folder.path(), &Cancel::new()).expect("all of that is so");
    let error = run_here(&step("echo $unset", LONG), folder.path(), &Cancel::new()).expect_err("sh -u");
    assert!(error.to_string().contains("unset"), "{error}");
}
