//! Where an attempt's guest comes from, with scripted guests: restored, booted where a restore does not serve, and what is
//! tried again.

use std::cell::RefCell;
use std::sync::Arc;

use super::*;
use crate::event::Event;
use crate::guest::message::FromGuest;
use crate::lab::sim;
use crate::observation::{Ending, GuestFacts, SetupFailure};
use crate::plan::Cell;
use crate::runner::{self, Capacity, Config, Queue};
use crate::vm::guest::VmEvent;
use crate::vm::scripted::{Script, ScriptedBackend};

/// A lab whose guests play scripts, in a cache of its own.
struct Place {
    cache: tempfile::TempDir,
    lab: VmLab,
    backend: Arc<ScriptedBackend>,
    kernel: Arc<Kernel>,
    test: Test,
    machine: Machine,
    cancel: Cancel,
    heard: Heard,
}

#[derive(Default)]
struct Heard(RefCell<Vec<String>>);

impl Watch for Heard {
    fn phase(&self, _: Phase) {}
    fn slow(&self, _: f64) {}
    fn trouble(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
    fn notice(&self, text: &str) {
        self.0.borrow_mut().push(text.to_owned());
    }
}

impl Place {
    fn new(scripts: impl IntoIterator<Item = Script>) -> Place {
        Place::with(scripts, "")
    }

    /// A test with these keys besides.
    fn with(scripts: impl IntoIterator<Item = Script>, keys: &str) -> Place {
        let cache = tempfile::tempdir().expect("a folder");
        let path = cache.path().join("s.yaml");
        let text = format!(
            "suite: s\nsummary: s\ntests:\n- name: a\n  summary: a\n  program: {{shell: 'true'}}\n  symptom: {{reported: {{matching: boom}}}}\n{keys}"
        );
        std::fs::write(&path, text).expect("a file");
        let suite = crate::suite::load_file(&path).unwrap_or_else(|e| panic!("{}", e.render(false, 100)));
        let backend = ScriptedBackend::new(scripts);
        let busybox = Busybox { image: b"shell".to_vec(), applets: Vec::new() };
        let lab =
            VmLab::with(Arc::clone(&backend) as Arc<dyn Backend>, cache.path(), b"agent".to_vec(), busybox);
        Place {
            lab,
            backend,
            kernel: sim::kernel("6.1"),
            test: (*suite.tests[0]).clone(),
            machine: Machine { memory_mib: 1, ..Machine::built_in() },
            cancel: Cancel::new(),
            heard: Heard::default(),
            cache,
        }
    }

    fn attempt(&self) -> Observation {
        let request = Request {
            kernel: &self.kernel,
            test: &self.test,
            machine: &self.machine,
            attempt: 1,
            seed: 1,
            dir: None,
            cancel: &self.cancel,
            in_vain: &|seen| crate::verdict::is_undetectable(&self.test, seen),
        };
        self.lab.attempt(&request, &self.heard)
    }

    fn prefetch(&self) {
        self.lab.prefetch(&self.kernel, &self.test, &self.machine);
        self.lab.wait_prefetched();
    }

    /// How its machines were started, and which notices the user got.
    fn summary(&self) -> String {
        let heard = self.heard.0.borrow().join("\n");
        format!("{}\n{heard}", self.backend.starts()).trim_end().to_owned()
    }
}

/// What follows on a guest that is ready: a whole dose.
fn dose() -> Script {
    Script::new().until("run").dose_begins().after(1.0).completes()
}

fn restored() -> Script {
    Script::restored().then(dose())
}

fn booted() -> Script {
    Script::booted().then(dose())
}

fn came_from(seen: &Observation) -> (Start, &Ending) {
    (seen.start, &seen.ending)
}

#[test]
fn a_guest_is_saved_once_and_restored_for_each_attempt() {
    let place = Place::new([Script::saved(), restored(), restored()]);
    for _ in 0..2 {
        let seen = place.attempt();
        assert_eq!(came_from(&seen), (Start::Restored, &Ending::Complete));
        let console = String::from_utf8(seen.console.text).expect("text");
        assert!(console.starts_with("[    0.0] Linux version 6.1.0\n"), "the boot's console: {console}");
        assert!(seen.guest.is_some() && seen.console.dose_end.is_some());
    }
    assert_eq!(place.summary(), "boot to save, restore, restore");
}

#[test]
fn the_next_guest_waits_where_it_was_prefetched() {
    let place = Place::new([Script::saved(), restored(), restored(), restored()]);
    place.attempt();
    place.prefetch();
    assert_eq!(place.backend.left(), 1, "it is restored before it is asked for");
    // one waits, and no attempt runs: there is no use for a second one
    place.prefetch();
    assert_eq!(place.backend.left(), 1);
    assert_eq!(came_from(&place.attempt()), (Start::Restored, &Ending::Complete));
    assert_eq!(place.summary(), "boot to save, restore, restore");
}

#[test]
fn a_guest_whose_clock_leaps_waits_without_time_and_needs_no_rehearsal() {
    // a rehearsal would send a program before that
    let leaping = || {
        let waits = Script::new().event(VmEvent::Resumed).until("ping").hello().until("pause");
        let refreshed = waits.until("go-on").until("refresh").say(FromGuest::Refreshed { error: None });
        refreshed.until("clock-leaps").then(dose())
    };
    let mut place = Place::new([Script::saved(), leaping(), leaping()]);
    place.machine.clock = Clock::TimeTravel;
    let first = place.attempt();
    assert_eq!((came_from(&first), first.time_travel), ((Start::Restored, &Ending::Complete), true));
    place.prefetch();
    assert_eq!(place.backend.left(), 0);
    let second = place.attempt();
    assert_eq!((came_from(&second), second.time_travel), ((Start::Restored, &Ending::Complete), true));
    assert_eq!(place.summary(), "boot to save, restore, restore");
}

#[test]
fn a_lab_may_keep_every_clock_real() {
    let mut place = Place::new([Script::saved(), restored()]);
    place.machine.clock = Clock::TimeTravel;
    place.lab = place.lab.with_real_clock(true);
    assert!(!place.attempt().time_travel);
    assert_eq!(
        place.lab.fitted(&place.machine),
        (Machine { clock: Clock::Real, ..place.machine.clone() }, None)
    );
}

#[test]
fn a_restore_never_decides() {
    // each time the restored guest ends before the test, and the booted one does not
    let ends = || Script::restored().after(1.0).resets();
    let place = Place::new([Script::saved(), ends(), booted(), Script::saved(), ends(), booted(), booted()]);
    for _ in 0..3 {
        assert_eq!(came_from(&place.attempt()), (Start::Booted, &Ending::Complete));
    }
    insta::assert_snapshot!(place.summary(), @r"
    boot to save, restore, boot, boot to save, restore, boot, boot
    6.1 on default: a saved guest could not be used: it ended before the test began (the guest restarted or powered off without a last message), and a booted one did not; it boots, and is saved anew
    6.1 on default: a saved guest could not be used: it ended before the test began (the guest restarted or powered off without a last message), and a booted one did not; it boots from now on
    ");
}

#[test]
fn a_failure_long_ago_is_no_reason_to_boot() {
    let ends = || Script::restored().after(1.0).resets();
    let mut scripts = vec![Script::saved(), ends(), booted(), Script::saved()];
    scripts.extend((0..60).map(|_| restored()));
    scripts.extend([ends(), booted(), Script::saved(), restored()]);
    let place = Place::new(scripts);
    let starts: Vec<Start> = (0..63).map(|_| place.attempt().start).collect();
    let booted_ones = |starts: &[Start]| starts.iter().filter(|start| **start == Start::Booted).count();
    assert_eq!((booted_ones(&starts), starts[61], starts[62]), (2, Start::Booted, Start::Restored));
}

#[test]
fn a_failure_of_the_test_is_not_made_again() {
    let failure = SetupFailure::Module { name: "m".into(), error: "Invalid argument".into() };
    let fails = Script::restored()
        .until("run")
        .say(FromGuest::Failed(failure))
        .until("power-off")
        .say(FromGuest::Bye);
    let place = Place::new([Script::saved(), fails]);
    let seen = place.attempt();
    assert_eq!(came_from(&seen), (Start::Restored, &Ending::Complete));
    assert!(seen.setup_failure.is_some());
    assert_eq!(place.summary(), "boot to save, restore");
}

#[test]
fn a_guest_that_cannot_be_restored_boots() {
    let resumed = || Script::new().event(VmEvent::Resumed).until("ping");
    let refuses = resumed()
        .hello()
        .until("run")
        .say(FromGuest::Probes { readings: Vec::new() })
        .until("refresh")
        .say(FromGuest::Refreshed { error: Some("Operation not permitted".into()) });
    let table = [
        ("silent", resumed()),
        ("ends", Script::new().exits(false, "QEMU ended with exit code 1", "unknown section")),
        ("does not rehearse", resumed().hello()),
        ("refuses randomness", refuses),
    ];
    let mut lines = String::new();
    for (name, script) in table {
        let place = Place::new([Script::saved(), script, booted()]);
        assert_eq!(came_from(&place.attempt()), (Start::Booted, &Ending::Complete), "{name}");
        lines += &format!("{name}: {}\n", place.summary());
    }
    insta::assert_snapshot!(lines, @r"
    silent: boot to save, restore, boot
    6.1 on default: a saved guest could not be used: the restored guest did not answer in time; it boots, and is saved anew
    ends: boot to save, restore, boot
    6.1 on default: a saved guest could not be used: QEMU ended with exit code 1: unknown section; it boots, and is saved anew
    does not rehearse: boot to save, restore, boot
    6.1 on default: a saved guest could not be used: the restored guest did not answer in time; it boots, and is saved anew
    refuses randomness: boot to save, restore, boot
    6.1 on default: a saved guest could not be used: the guest took no fresh randomness: Operation not permitted; it boots, and is saved anew
    ");
}

#[test]
fn a_machine_that_cannot_be_saved_boots_from_then_on() {
    let refused = Script::booted().refuses_to_save("State blocked by non-migratable device");
    let place = Place::new([refused, booted(), booted()]);
    for _ in 0..2 {
        assert_eq!(came_from(&place.attempt()), (Start::Booted, &Ending::Complete));
    }
    insta::assert_snapshot!(place.summary(), @r"
    boot to save, boot, boot
    6.1 on default boots for every attempt, it could not be saved: State blocked by non-migratable device
    ");
}

#[test]
fn a_boot_that_fails_while_it_is_to_be_saved_is_tried_again_once() {
    let slow = Script::new().after(1e6).hello();
    for fails in [Script::new().after(1.0).resets(), slow] {
        let place = Place::new([fails, booted(), Script::saved(), restored()]);
        assert_eq!(came_from(&place.attempt()), (Start::Booted, &Ending::Complete));
        assert_eq!(came_from(&place.attempt()), (Start::Restored, &Ending::Complete));
        assert_eq!(place.summary(), "boot to save, boot, boot to save, restore");
    }
    let place = Place::new([Script::new().resets(), booted(), Script::new().resets(), booted(), booted()]);
    for _ in 0..3 {
        assert_eq!(came_from(&place.attempt()), (Start::Booted, &Ending::Complete));
    }
    insta::assert_snapshot!(place.summary(), @r"
    boot to save, boot, boot to save, boot, boot
    6.1 on default boots for every attempt, it could not be saved: QEMU ended with exit code 0
    ");
}

#[test]
fn a_clock_that_runs_away_is_not_saved_and_not_restored_again() {
    let hello = |uptime_ms| {
        FromGuest::Hello(GuestFacts {
            uptime_ms: Some(uptime_ms),
            release: "6.1.0".into(),
            ..GuestFacts::default()
        })
    };
    let boots_as_if = |uptime_ms| Script::new().after(3.0).say(hello(uptime_ms));
    let save = |script: Script| script.until("save").event(VmEvent::Saved(Ok(())));
    let beat = |uptime_ms| FromGuest::Heartbeat { uptime_ms };
    let hurries = Script::restored().until("run").dose_begins().after(1.0).say(beat(70_000)).after(1.0);
    let all = |place: &Place| -> Vec<(Start, bool)> {
        let seen = (0..2).map(|_| place.attempt());
        seen.map(|seen| (seen.start, seen.runaway_clock().is_some())).collect()
    };
    let not_saved = Place::new([save(boots_as_if(57_000)), booted(), save(boots_as_if(3_200)), restored()]);
    assert_eq!(all(&not_saved), [(Start::Booted, false), (Start::Restored, false)]);
    assert_eq!(not_saved.summary(), "boot to save, boot, boot to save, restore");
    let given_up =
        Place::new([Script::saved(), hurries.say(beat(82_000)).completes(), Script::saved(), restored()]);
    assert_eq!(all(&given_up), [(Start::Restored, true), (Start::Restored, false)]);
    insta::assert_snapshot!(given_up.summary(), @r"
    boot to save, restore, boot to save, restore
    6.1 on default: a saved guest could not be used: its clock counted 12 s in 2.0 s of the host's; it boots, and is saved anew
    ");
}

#[test]
fn a_damaged_snapshot_is_made_again() {
    let place = Place::new([Script::saved(), restored()]);
    place.attempt();
    let (scripts, cache) = ([Script::saved(), restored()], place.cache);
    let states = std::fs::read_dir(cache.path().join("snapshots")).expect("snapshots");
    for folder in states {
        std::fs::write(folder.expect("a folder").path().join("state"), b"other").expect("damaged");
    }
    let again = Place::new(scripts);
    let lab = VmLab { cache: cache.path().to_owned(), guests: Some(Guests::new(cache.path())), ..again.lab };
    let again = Place { lab, ..again };
    assert_eq!(came_from(&again.attempt()), (Start::Restored, &Ending::Complete));
    assert_eq!(again.summary(), "boot to save, restore");
}

#[test]
fn an_attempt_may_be_called_off_while_its_guest_is_made() {
    let place = Place::new([]);
    let interrupted = Script::new().after(1.0).interrupted(&place.cancel).after(1.0);
    let place = Place { backend: ScriptedBackend::new([interrupted]), ..place };
    let lab = VmLab { backend: Arc::clone(&place.backend) as Arc<dyn Backend>, ..place.lab };
    let place = Place { lab, ..place };
    assert_eq!(place.attempt().ending, Ending::Stopped(Stopped::Cancelled));
    assert_eq!(place.summary(), "boot to save");
}

#[test]
fn what_cannot_be_started_is_said() {
    let place = Place::with([], "  boots: its guests differ\n");
    let Ending::NotStarted { detail } = place.attempt().ending else { panic!("it was started") };
    insta::assert_snapshot!(detail, @"script could not be started: there is no further script");
}

#[test]
fn an_attempt_that_was_lost_is_made_again() {
    let silent = || Script::new().after(1.0).console("[    0.0] Linux version 6.1.0\n");
    let killed = || Script::in_dose().exits(false, "QEMU was ended by signal 9", "");
    let table = [
        vec![booted()],
        vec![silent(), booted()],
        vec![killed(), silent(), booted()],
        // the runner gives up
        vec![killed(), silent(), silent(), booted()],
    ];
    let mut lines = String::new();
    for scripts in table {
        let place = Place::with(scripts, "  boots: its guests differ\n");
        let cell = Cell {
            test: Arc::new(place.test.clone()),
            machine: Arc::new(place.machine.clone()),
            kernel: Arc::clone(&place.kernel),
            unmet: None,
        };
        let config = Config {
            capacity: Capacity { guests: u32::MAX, jobs: Some(1), cpus: 8, memory_mib: 1 << 20 },
            attempts: None,
            retries: 2,
            max_fail: None,
            ignore_known: false,
            seed: 1,
            run_dir: None,
            reproduce: None,
        };
        let queue = Queue::new(config.capacity);
        queue.push(vec![cell]);
        queue.close();
        let verdicts = Mutex::new(Vec::new());
        let sink = |event| match event {
            Event::Attempt { record, .. } => verdicts.lock().push(format!("{:?}", record.verdict)),
            Event::Cell(record) => verdicts.lock().push(format!("so it is {:?}", record.verdict)),
            _ => {}
        };
        runner::run(&queue, &place.lab, &config, &sink, &place.cancel);
        lines += &format!("{}\n", verdicts.into_inner().join(", "));
    }
    insta::assert_snapshot!(lines, @r"
    Good, so it is Good
    Lost, Good, so it is Good
    Lost, Lost, Good, so it is Good
    Lost, Lost, Lost, so it is Lost
    ");
}

#[test]
fn kvm_is_tried_with_a_boot() {
    let table = [
        Script::new().after(1.5).hello(),
        Script::new().exits(false, "QEMU ended with exit code 1", "no KVM\nmore"),
        Script::new().exits(false, "QEMU was ended by signal 9", ""),
        Script::new(),
    ];
    let tried: Vec<String> = table
        .into_iter()
        .map(|script| {
            let place = Place::new([script]);
            match place.lab.try_kvm(&place.kernel) {
                Ok(seconds) => format!("{seconds:.1} s\n"),
                Err(why) => format!("{why}\n"),
            }
        })
        .collect();
    insta::assert_snapshot!(tried.concat(), @r"
    1.5 s
    QEMU ended with exit code 1: no KVM
    QEMU was ended by signal 9: nothing on standard error
    no word from the guest in 15 s
    ");
}
