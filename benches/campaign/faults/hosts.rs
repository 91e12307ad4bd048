//! Faults of the host: of QEMU, file systems, limits, streams.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::clocks;
use super::left::{left, temporary};
use super::sandbox;
use super::table::{Outcome, Table};
use crate::place::{Ended, KERNEL, Place, wait};

/// A fault of the host: what it is called and how it is tried.
type Fault = (&'static str, fn(&Place) -> Outcome);

/// All of them.
const FAULTS: &[Fault] = &[
    ("QEMU is killed", |place| signalled(place, &[Signal::KILL], &["lost"])),
    ("QEMU is asked to end", |place| signalled(place, &[Signal::TERM], &["lost"])),
    ("QEMU is killed by its sandbox in the dose", |place| signalled(place, &[Signal::SYS], &["lost"])),
    ("QEMU is killed by its sandbox as it boots", |place| sandbox::at_the_start(place, &["--no-snapshot"])),
    ("QEMU is killed by its sandbox as it restores", |place| sandbox::at_the_start(place, &[])),
    ("QEMU is stopped", |place| signalled(place, &[Signal::STOP], &["blind", "lost"])),
    ("QEMU is stopped and goes on", |place| signalled(place, &[Signal::STOP, Signal::CONT], &["blind"])),
    ("QEMU is missing", |place| no_qemu(place, "/no/such/qemu")),
    ("QEMU is another program", |place| no_qemu(place, "/bin/true")),
    ("QEMU goes while a run needs it", qemu_goes),
    ("QEMU gets no memory", no_memory),
    ("the file system of the cache is full", |place| full(place, On::Cache)),
    ("the file system of the reports is full", |place| full(place, On::Reports)),
    ("the file system of temporary files is full", |place| full(place, On::Temporary)),
    ("the cache is read-only", |place| read_only(place, On::Cache)),
    ("the reports are read-only", |place| read_only(place, On::Reports)),
    ("descriptors: 8", |place| descriptors(place, 8)),
    ("descriptors: 12", |place| descriptors(place, 12)),
    ("descriptors: 16", |place| descriptors(place, 16)),
    ("descriptors: 24", |place| descriptors(place, 24)),
    ("descriptors: 40", |place| descriptors(place, 40)),
    ("descriptors: 50", |place| descriptors(place, 50)),
    ("two runs on one cache that is new", two_runs),
    ("the cache is deleted during a run", cache_goes),
    ("the reader of the events goes", reader_goes),
    ("standard streams are closed", closed_streams),
    ("the wall clock jumps by an hour, to and fro", |place| clocks::jumps(place, &[])),
    ("the same with guests that boot", |place| clocks::jumps(place, &["--no-snapshot"])),
    ("SIGHUP", |place| ended_by(place, Signal::HUP)),
    ("SIGINT", |place| ended_by(place, Signal::INT)),
    ("SIGTERM", |place| ended_by(place, Signal::TERM)),
];

/// Those of the short form.
const SHORT: &[&str] =
    &["QEMU is killed", "the reader of the events goes", "standard streams are closed", "descriptors: 16"];

/// Tries each, so many times.
pub fn attempt(place: &Place, times: u32, short: bool, table: &mut Table) {
    let only = std::env::var("KREGRESS_CAMPAIGN_FAULTS").unwrap_or_default();
    let is_meant = |fault: &str| fault.contains(&only) && (!short || SHORT.contains(&fault));
    for _ in 0..times {
        for (fault, trial) in FAULTS.iter().filter(|(fault, _)| is_meant(fault)) {
            table.attempt(fault, || match trial(place) {
                Outcome::Right => left(place),
                other => other,
            });
        }
    }
}

/// What a test of the suite `ends` is, if it is judged.
const TRUTH: &[(&str, &str)] =
    &[("ends::clean", "good"), ("ends::reports-the-symptom", "bad"), ("ends::crashes", "other")];

/// A run of these tests of the suite `ends`.
pub fn run(place: &Place, tests: &[&str], options: &[&str]) -> Command {
    let mut command = place.run_command(&[&["-s", "ends", "--exact"], tests, options].concat());
    command.env("TMPDIR", temporary(place)).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What cells are that must be right or, where `lost` is allowed, not judged.
fn false_verdict(ended: &Ended) -> Option<String> {
    let cells = ended.events.iter().filter(|event| event["event"] == "cell");
    cells.into_iter().find_map(|cell| false_cell(cell, &["lost", "blind"]))
}

/// A complaint about a cell that has another verdict than the true one and those that say that it was not judged.
pub fn false_cell(cell: &Value, allowed: &[&str]) -> Option<String> {
    let (test, verdict) = (cell["test"].as_str()?, cell["verdict"].as_str()?);
    let (_, truth) = TRUTH.iter().find(|(name, _)| *name == test)?;
    let fits = verdict == *truth || allowed.contains(&verdict);
    (!fits).then(|| format!("{test} is {verdict}: {}", cell["reason"]))
}

/// Waits until a run's program has written something.
fn until_dose(place: &Place, test: &str) {
    let folder = format!("attempts/{}@{}/1/output.log", test.replace("::", "__"), version());
    place.until("the dose", || {
        std::fs::metadata(place.report_file(&folder)).is_ok_and(|file| file.len() > 0).then_some(())
    });
}

fn version() -> &'static str {
    KERNEL.split('/').next().unwrap_or(KERNEL)
}

fn send(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id");
    // it may be gone already
    let _ = kill_process(pid, signal);
}

fn signalled(place: &Place, signals: &[Signal], expected: &[&str]) -> Outcome {
    forget_runs(place);
    let limit = if signals.contains(&Signal::STOP) { "8s" } else { "200s" };
    let child =
        run(place, &["ends::hangs", "ends::clean"], &["--timeout", limit]).spawn().expect("kregress starts");
    until_dose(place, "ends::hangs");
    for signal in signals {
        place.processes().into_iter().for_each(|pid| send(pid, *signal));
    }
    let ended = place.listen(child);
    let hangs = ended.cell("ends::hangs");
    let verdict = hangs.split(':').next().unwrap_or_default();
    if !expected.contains(&verdict) {
        return Outcome::Wrong(format!("the cell whose QEMU it was is {hangs}"));
    }
    Outcome::of((ended.cell("ends::clean") != "good").then(|| ended.cell("ends::clean")))
}

fn no_qemu(place: &Place, program: &str) -> Outcome {
    forget_runs(place);
    let mut command = run(place, &["ends::clean"], &[]);
    command.env("KREGRESS_QEMU", program);
    let ended = place.finish(command);
    let cells = ended.events.iter().filter(|event| event["event"] == "cell").count();
    Outcome::of(
        (ended.code != Some(96) || cells > 0)
            .then(|| format!("{:?}, {cells} cells: {}", ended.code, ended.err)),
    )
}

fn qemu_goes(place: &Place) -> Outcome {
    let qemu = place.path().join("qemu");
    let real = kregress::vm::qemu::Qemu::find().expect("QEMU").path;
    let found = which::which(&real).expect("QEMU's program");
    let _ = std::fs::remove_file(&qemu);
    std::os::unix::fs::symlink(found, &qemu).expect("a link");
    let mut command =
        run(place, &["ends::clean", "ends::reports-the-symptom", "ends::crashes"], &["--no-snapshot"]);
    command.env("KREGRESS_QEMU", &qemu);
    let mut child = command.spawn().expect("kregress starts");
    let (mut cells, mut truth) = (0, None);
    let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    for event in
        lines.map_while(Result::ok).map(|line| serde_json::from_str::<Value>(&line).expect("an event"))
    {
        if event["event"] == "cell" {
            cells += 1;
            truth = truth.or_else(|| false_cell(&event, &["lost"]));
            let _ = std::fs::remove_file(&qemu);
        }
    }
    let code = wait(&mut child).code();
    Outcome::of(truth.or_else(|| (cells != 3 || code == Some(0)).then(|| format!("{cells} cells, {code:?}"))))
}

fn no_memory(place: &Place) -> Outcome {
    let real = kregress::vm::qemu::Qemu::find().expect("QEMU").path;
    let mut command = run(place, &["ends::clean"], &["--no-snapshot"]);
    // enough for the program, and not for the guest's memory
    command.env("KREGRESS_QEMU", format!("prlimit --as=300000000 {}", real.display()));
    if !Command::new("prlimit").arg("--version").stdout(Stdio::null()).status().is_ok_and(|s| s.success()) {
        return Outcome::NotHere("there is no prlimit".into());
    }
    let ended = place.finish(command);
    let lost = ended.code == Some(96) || ended.cell("ends::clean").starts_with("lost: ");
    Outcome::of((!lost).then(|| format!("{:?}: {}", ended.code, ended.err)))
}

/// What a fault of a file system is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    Cache,
    Reports,
    Temporary,
}

/// A command in a mount namespace of its own in which this script ran before. `None`: that is not possible here.
fn in_namespace(place: &Place, script: &str, inner: &Command) -> Option<Command> {
    let options = if rustix::process::geteuid().is_root() { "-m" } else { "-rm" };
    let made = |script: &str| {
        let mut command = Command::new("unshare");
        command.args([options, "sh", "-c", &format!("set -e; {script}; exec \"$@\""), "sh"]);
        command.current_dir(place.path());
        command
    };
    let possible = made(script).arg("true").stdout(Stdio::null()).stderr(Stdio::null()).status();
    possible.is_ok_and(|status| status.success()).then(|| {
        let mut command = made(script);
        command.arg(inner.get_program()).args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    })
}

/// The run in a namespace where `folder` is a file system that this script makes, the kernels linked into it.
fn on_file_system(place: &Place, on: On, script: &str) -> Outcome {
    forget_runs(place);
    let folder = place.path().join("mounted");
    std::fs::create_dir_all(&folder).expect("a folder");
    let reports = folder.join("reports").display().to_string();
    let options: &[&str] = if on == On::Reports { &["-o", &reports] } else { &[] };
    let mut command = run(place, &["ends::clean", "ends::reports-the-symptom"], options);
    match on {
        On::Cache => command.env("KREGRESS_CACHE", &folder),
        On::Temporary => command.env("TMPDIR", &folder),
        On::Reports => &mut command,
    };
    let kernels = std::fs::canonicalize(place.cache().join("kernels")).expect("the kernels");
    let (at, kernels) = (shell_word(&folder), shell_word(&kernels));
    let script = format!(
        "mount -t tmpfs -o size=1m,mode=1777 none {at}; ln -s {kernels} {at}/kernels; {}",
        script.replace("AT", &at)
    );
    let Some(command) = in_namespace(place, &script, &command) else {
        return Outcome::NotHere("no file system can be mounted (unshare)".into());
    };
    let ended = place.finish(command);
    if let Some(wrong) = false_verdict(&ended) {
        return Outcome::Wrong(wrong);
    }
    // what it was, it has to be said
    let judged = ended
        .events
        .iter()
        .filter(|event| event["event"] == "cell")
        .filter(|cell| cell["verdict"] == "good" || cell["verdict"] == "bad")
        .count();
    let right = match ended.code {
        Some(96) => !ended.err.trim().is_empty(),
        Some(100) => judged >= 1,
        Some(102) => judged < 2,
        _ => false,
    };
    let panicked = ended.err.contains("panicked at");
    Outcome::of(
        (!right || panicked).then(|| format!("exit code {:?}, {judged} judged: {}", ended.code, ended.err)),
    )
}

fn shell_word(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn full(place: &Place, on: On) -> Outcome {
    on_file_system(
        place,
        on,
        "dd if=/dev/zero of=AT/all bs=4k 2> /dev/null || true; ! dd if=/dev/zero of=AT/more bs=4k count=1 2> /dev/null",
    )
}

fn read_only(place: &Place, on: On) -> Outcome {
    on_file_system(place, on, "mount -o remount,ro AT")
}

fn descriptors(place: &Place, most: u32) -> Outcome {
    forget_runs(place);
    let inner = run(place, &["ends::clean", "ends::reports-the-symptom"], &[]);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -n {most}; exec \"$@\""), "sh"])
        .arg(inner.get_program())
        .args(inner.get_args());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(place.path()).stdin(Stdio::null());
    let ended = place.finish(command);
    let told = matches!(ended.code, Some(96 | 100 | 102)) && !ended.err.contains("panicked at");
    let wrong = false_verdict(&ended);
    Outcome::of(wrong.or_else(|| (!told).then(|| format!("exit code {:?}: {}", ended.code, ended.err))))
}

fn two_runs(place: &Place) -> Outcome {
    forget_runs(place);
    forget_cache(place);
    let start = |name: &str| {
        let tests = ["ends::clean", "ends::reports-the-symptom"];
        run(place, &tests, &["-o", name]).spawn().expect("kregress starts")
    };
    let (first, second) = (start("reports-1"), start("reports-2"));
    for child in [first, second] {
        let ended = place.listen(child);
        if ended.cell("ends::clean") != "good"
            || !ended.cell("ends::reports-the-symptom").starts_with("bad: ")
        {
            return Outcome::Wrong(format!("{:?} {}", ended.code, ended.err));
        }
    }
    Outcome::Right
}

fn cache_goes(place: &Place) -> Outcome {
    forget_runs(place);
    let child = run(place, &["ends::clean", "ends::hangs", "ends::reports-the-symptom"], &[])
        .spawn()
        .expect("kregress starts");
    until_dose(place, "ends::clean");
    clear_cache(place);
    let ended = place.listen(child);
    forget_cache(place);
    let cells = ended.events.iter().filter(|event| event["event"] == "cell").count();
    Outcome::of(
        false_verdict(&ended).or_else(|| (cells != 3).then(|| format!("{cells} cells: {}", ended.err))),
    )
}

/// Removes what a place's cache holds of its own.
pub fn forget_cache(place: &Place) {
    clear_cache(place);
    for name in ["kernels", "userlands"] {
        place.share(name).expect("a shared folder");
    }
}

/// Removes all that is in a place's cache.
fn clear_cache(place: &Place) {
    for entry in std::fs::read_dir(place.cache()).expect("the cache").flatten() {
        let path = entry.path();
        // the folders that all share are links
        let is_folder = path.is_dir() && !path.is_symlink();
        let _ = if is_folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    }
}

/// Removes the runs of a place.
pub fn forget_runs(place: &Place) {
    let _ = std::fs::remove_dir_all(place.path().join("reports"));
}

fn reader_goes(place: &Place) -> Outcome {
    forget_runs(place);
    let mut child =
        run(place, &["ends::clean", "ends::reports-the-symptom"], &[]).spawn().expect("kregress starts");
    let mut line = String::new();
    BufReader::with_capacity(1, child.stdout.take().expect("a pipe")).read_line(&mut line).expect("an event");
    let code = wait(&mut child).code();
    if code == Some(0) || code.is_none() {
        return Outcome::Wrong(format!("exit code {code:?}"));
    }
    kept(place, 2)
}

/// Whether the last run's journal has so many cells, each with its true verdict.
fn kept(place: &Place, expected: usize) -> Outcome {
    let output = place.command(&["report", "--format", "json"]).output().expect("kregress starts");
    let Ok(report) = serde_json::from_slice::<Value>(&output.stdout) else {
        return Outcome::Lost(String::from_utf8_lossy(&output.stderr).into_owned());
    };
    let cells = report["results"].as_array().cloned().unwrap_or_default();
    let judged: Vec<&Value> = cells.iter().filter(|cell| cell["verdict"].is_string()).collect();
    if judged.len() != expected {
        return Outcome::Lost(format!("{} of {expected} cells are in the journal", judged.len()));
    }
    Outcome::of(judged.into_iter().find_map(|cell| false_cell(cell, &[])))
}

fn closed_streams(place: &Place) -> Outcome {
    forget_runs(place);
    let inner = run(place, &["ends::clean", "ends::reports-the-symptom"], &["--message-format", "human"]);
    let inner_arguments: Vec<_> = inner.get_args().filter(|word| *word != "json").collect();
    // the place's own `--message-format json` comes first
    let at = inner_arguments.iter().position(|word| *word == "--message-format").expect("a format");
    let arguments = inner_arguments.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, word)| word);
    let mut command = Command::new("sh");
    command.args(["-c", "exec \"$@\" <&- >&- 2>&-", "sh"]).arg(inner.get_program()).args(arguments);
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let mut child: Child = command.current_dir(place.path()).spawn().expect("a shell");
    let code = wait(&mut child).code();
    if code != Some(100) {
        return Outcome::Wrong(format!("exit code {code:?}"));
    }
    kept(place, 2)
}

fn ended_by(place: &Place, signal: Signal) -> Outcome {
    forget_runs(place);
    let options = ["--timeout", "200s"];
    let child = run(place, &["ends::hangs", "ends::clean"], &options).spawn().expect("kregress starts");
    until_dose(place, "ends::hangs");
    send(child.id() as i32, signal);
    let ended = place.listen(child);
    let cells = ended
        .events
        .iter()
        .filter(|event| event["event"] == "cell" && event["test"] == "ends::hangs")
        .count();
    Outcome::of(
        (ended.code != Some(130) || cells > 0)
            .then(|| format!("exit code {:?}, {cells} cells: {}", ended.code, ended.err)),
    )
}
