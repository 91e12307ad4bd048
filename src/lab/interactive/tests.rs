//! Interactive sessions with scripted guests: every outcome, and how input travels.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::os::fd::AsFd;

use super::*;
use crate::vm::scripted::{Script, ScriptedGuest};

/// A person who types what is queued here.
struct Person {
    typed: VecDeque<Input>,
    seen: String,
    takes_output: bool,
    source: File,
}

impl Person {
    fn new(typed: impl IntoIterator<Item = Input>) -> Person {
        let source = File::open("/dev/null").expect("a descriptor");
        Person { typed: typed.into_iter().collect(), seen: String::new(), takes_output: true, source }
    }
}

impl SessionIo for Person {
    fn arrived(&mut self, guest: &GuestFacts, after: Duration) {
        self.seen += &format!("[{} after {:.1} s]", guest.release, after.as_secs_f64());
    }
    fn started(&mut self) -> io::Result<()> {
        self.seen += "[started]";
        Ok(())
    }
    fn output(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seen += &String::from_utf8_lossy(bytes);
        if self.takes_output { Ok(()) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }
    fn errors(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.seen += &format!("[stderr: {}]", String::from_utf8_lossy(bytes));
        Ok(())
    }
    fn console(&mut self, _: &[u8]) {}
    fn notice(&mut self, text: &str) {
        self.seen += &format!("[{text}]");
    }
    fn input_source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.source.as_fd())
    }
    fn resize_source(&self) -> Option<BorrowedFd<'_>> {
        Some(self.source.as_fd())
    }
    fn input(&mut self) -> Input {
        self.typed.pop_front().unwrap_or(Input::End)
    }
    fn resized(&mut self) -> Option<WindowSize> {
        Some(WindowSize { rows: 24, columns: 80 })
    }
}

fn command(at_terminal: bool) -> GuestCommand {
    let request = ExecuteRequest {
        command: vec!["cat".into()],
        environment: BTreeMap::new(),
        folder: "/root".into(),
        terminal: at_terminal.then_some(WindowSize { rows: 25, columns: 80 }),
    };
    GuestCommand::default().command(request, Some(Duration::from_secs(600)))
}

fn hold(script: Script, command: &GuestCommand, person: &mut Person) -> (Outcome, String) {
    let mut guest = ScriptedGuest::new(script);
    let end =
        run(&mut guest, command, &ModuleTree::unknown("6.1"), Timeouts::default(), person, &Cancel::new());
    (end.outcome, guest.take_actions())
}

fn running() -> Script {
    Script::booted().until("execute").reached(Phase::Dose)
}

fn exited(script: Script, code: i32) -> Script {
    script.program_exits(code)
}

#[test]
fn every_outcome_of_a_session() {
    const PANIC: &str = "[    9.0] Kernel panic - not syncing: sysrq triggered crash\n";
    let failure = SetupFailure::Program { error: "No such file or directory".into() };
    let beats = |script: Script, seconds: u64| {
        (0..seconds).fold(script, |script, _| script.after(1.0).say(FromGuest::Heartbeat { uptime_ms: 0 }))
    };
    let table = [
        ("exits", exited(running().output("hello\n"), 3)),
        ("cannot be started", Script::booted().until("execute").say(FromGuest::Failed(failure))),
        ("does not boot", Script::new()),
        ("QEMU fails", Script::new().exits(false, "QEMU ended with exit code 1", "no such device")),
        ("powers off", running().after(1.0).resets()),
        ("QEMU is killed", running().exits(false, "QEMU was ended by signal 9", "")),
        ("panics", running().console(PANIC)),
        ("takes too long", beats(running(), 700)),
        ("does not get ready", beats(Script::booted(), 70)),
        ("is silent", running()),
    ];
    let mut lines = String::new();
    for (name, script) in table {
        let mut person = Person::new([]);
        let (outcome, _) = hold(script, &command(false), &mut person);
        lines += &format!("{name}: {outcome:?} {}\n", person.seen.escape_debug());
    }
    insta::assert_snapshot!(lines, @r#"
    exits: Exited(Code(3)) [6.1.0 after 2.0 s][started]hello\n
    cannot be started: Failed(Program { error: "No such file or directory" }) [6.1.0 after 2.0 s]
    does not boot: NotBooted(60.0) 
    QEMU fails: GuestLost { up: false, detail: Some("no such device") } 
    powers off: GuestLost { up: true, detail: None } [6.1.0 after 2.0 s][started]
    QEMU is killed: GuestLost { up: true, detail: Some("QEMU was ended by signal 9") } [6.1.0 after 2.0 s][started]
    panics: GuestLost { up: true, detail: None } [6.1.0 after 2.0 s][started]
    takes too long: TimedOut(600.0) [6.1.0 after 2.0 s][started]
    does not get ready: GuestLost { up: true, detail: Some("it did not get ready in 60 s") } [6.1.0 after 2.0 s]
    is silent: GuestLost { up: true, detail: Some("it was silent for 45 s") } [6.1.0 after 2.0 s][started]
    "#);
    let booted = Script::booted().until("power-off").say(FromGuest::Bye);
    assert_eq!(hold(booted, &GuestCommand::default(), &mut Person::new([])).0, Outcome::Booted);
}

#[test]
fn a_person_at_a_terminal_decides_about_silence_and_crashes() {
    let mut person = Person::new([]);
    let oops = "[    9.0] Oops: 0000 [#1] SMP\n";
    let script = running().console(oops).after(100.0).output("still here\n");
    let (outcome, _) = hold(exited(script, 0), &command(true), &mut person);
    assert_eq!(outcome, Outcome::Exited(Exit::Code(0)));
    insta::assert_snapshot!(person.seen.escape_debug().to_string(), @r#"[6.1.0 after 2.0 s][started][the guest has been silent for 45 s; Ctrl-A x ends it]still here\n"#);
}

#[test]
fn input_travels_until_it_ends_or_the_person_leaves() {
    let readable = |script: Script| script.event(VmEvent::Readable(0));
    let typed = [Input::Bytes(b"one\n".to_vec()), Input::Bytes(Vec::new()), Input::End];
    let mut person = Person::new(typed.clone());
    let script = readable(readable(readable(running()))).event(VmEvent::Readable(1)).until("resize");
    let (outcome, actions) = hold(exited(script, 0), &command(false), &mut person);
    assert_eq!(outcome, Outcome::Exited(Exit::Code(0)));
    insta::assert_snapshot!(actions, @r"
    2.0 sysctl kernel.panic_on_oops=1
    2.0 execute cat
    2.0 input one\n
    2.0 input-ends
    2.0 resize 24x80
    2.0 kill
    ");
    let mut person = Person::new([Input::Leave]);
    assert_eq!(hold(readable(running()), &command(true), &mut person).0, Outcome::Left);
    let mut person = Person { takes_output: false, ..Person::new([]) };
    assert_eq!(hold(running().output("x"), &command(false), &mut person).0, Outcome::OutputClosed);
}

#[test]
fn no_more_input_is_read_than_the_command_takes() {
    let much = || Input::Bytes(vec![b'x'; IN_FLIGHT as usize]);
    let mut person = Person::new([much(), much()]);
    // the second event of the input finds it closed, and is taken for the window's
    let script = running().event(VmEvent::Readable(0)).event(VmEvent::Readable(0)).until("resize");
    let script = script.say(FromGuest::Consumed { bytes: IN_FLIGHT }).event(VmEvent::Readable(0));
    let (outcome, actions) = hold(exited(script.until("input"), 0), &command(false), &mut person);
    assert_eq!(outcome, Outcome::Exited(Exit::Code(0)));
    let inputs = actions.lines().filter(|line| line.contains(" input ")).count();
    assert_eq!(inputs, 2);
}

#[test]
fn a_session_is_interrupted() {
    let cancel = Cancel::new();
    let mut guest = ScriptedGuest::new(running().after(1.0).interrupted(&cancel).after(1.0));
    let end = run(
        &mut guest,
        &command(false),
        &ModuleTree::unknown("6.1"),
        Timeouts::default(),
        &mut Person::new([]),
        &cancel,
    );
    assert_eq!(end.outcome, Outcome::Cancelled);
    assert!(guest.take_actions().ends_with("kill\n"));
}
