//! What the kernel says is kept whole, whatever keeps its reader from reading.

use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use super::place::Place;

/// Bytes that a process has written to pipes, sockets and files (`proc(5)`).
fn written(pid: i32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("wchar: "))?.parse().ok()
}

#[test]
fn a_burst_is_kept_whole_while_the_runner_is_stopped() {
    let Some(place) = Place::new() else { return };
    let mut command = place.run_command(&["-s", "console", "--no-snapshot"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("kregress starts");
    let runner = Pid::from_raw(child.id() as i32).expect("a process id");
    place.until("the program", || {
        let runs = std::fs::read_dir(place.path().join("reports")).ok()?.flatten();
        let mut outputs =
            runs.map(|run| run.path().join("attempts/console__many-lines@6.12.117/1/output.log"));
        outputs.find(|output| std::fs::metadata(output).is_ok_and(|m| m.len() > 0))
    });
    let [guest] = place.processes()[..] else { panic!("{:?}", place.processes()) };
    kill_process(runner, Signal::STOP).expect("the signal is sent");
    let before = written(guest).expect("the guest");
    // most of the burst, while nobody reads
    place
        .until("the burst", || Some(()).filter(|()| written(guest).is_some_and(|now| now > before + 30_000)));
    kill_process(runner, Signal::CONT).expect("the signal is sent");
    let ended = place.listen(child);
    assert_eq!(ended.cell("console::many-lines"), "good");
    let console = place.report_file("attempts/console__many-lines@6.12.117/1/console.log");
    let console = std::fs::read_to_string(console).expect("the console");
    let whole = |n: &usize| {
        console
            .contains(&format!("line {n} of many that the console has to carry to a reader who is not there"))
    };
    let missing: Vec<usize> = (0..400).filter(|n| !whole(n)).collect();
    assert_eq!(missing, Vec::<usize>::new());
}
