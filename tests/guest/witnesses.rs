//! What the kernel's log, read by the agent and out of the guest's memory, adds to the console.

use super::place::Place;

#[test]
fn what_the_console_lacks_counts_and_what_programs_write_does_not() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "witnesses", "--keep-vmcore", "on-failure"]);
    let table = [
        ("quiet", "other: sh (NUM): drop_caches: NUM"),
        ("quiet-and-harmless", "good"),
        (
            "forged",
            "blind: a program wrote what looks like a crash report of the kernel: BUG: unable to handle kernel NULL pointer dereference in forged_function",
        ),
        (
            "forged-on-terminal",
            "blind: a program wrote what looks like a crash report of the kernel: BUG: unable to handle kernel NULL pointer dereference in forged_function",
        ),
        ("without-times", "other: sh (NUM): drop_caches: NUM"),
        ("silent", "blind: the program did not end within 4 s"),
        ("panic", "other: kernel panic: sysrq triggered crash"),
    ];
    for (test, expected) in table {
        assert_eq!(ended.cell(&format!("witnesses::{test}")), expected);
    }
    let findings = |test: &str| -> String {
        let attempts = ended.events.iter().filter(|e| e["event"] == "attempt");
        let mut of_it = attempts.filter(|e| e["test"] == format!("witnesses::{test}"));
        of_it.next().expect("an attempt")["findings"].to_string()
    };
    // the last words, out of the memory
    assert!(findings("silent").contains("drop_caches: 2"), "{}", findings("silent"));
    let file =
        |test: &str, name: &str| place.report_file(&format!("attempts/witnesses__{test}@6.12.117/1/{name}"));
    // how many messages that are depends on what the kernel has to say of its own just then
    for (test, said) in [("quiet", "drop_caches: 3"), ("quiet-and-harmless", "drop_caches: 1")] {
        let console = std::fs::read_to_string(file(test, "console.log")).expect("a console");
        let marker = "[kregress: from here on the kernel's log, where the console lacks some of it]\n";
        let (_, added) = console.split_once(marker).unwrap_or_else(|| panic!("no log in {console}"));
        let lines: Vec<&str> = added.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.iter().filter(|line| line.contains(said)).count(), 1, "{added}");
        let messages = if lines.len() == 1 { "message" } else { "messages" };
        let finding = format!(
            "the console lacks {} {messages} of the kernel (its log level did not let them through); the kernel's log has them",
            lines.len()
        );
        assert!(findings(test).contains(&finding), "{finding}: {}", findings(test));
    }
    let console = std::fs::read_to_string(file("silent", "console.log")).expect("a console");
    assert!(console.contains("from here on the kernel's log in the guest's memory"), "{console}");
    // the memory of what failed is kept, as a core with the note that tools need
    assert!(!file("quiet-and-harmless", "vmcore").exists());
    for failed in ["quiet", "silent", "panic"] {
        let core = std::fs::read(file(failed, "vmcore")).expect("a core");
        assert!(core.starts_with(b"\x7fELF\x02\x01") && core.len() >= 256 << 20, "{} bytes", core.len());
        let note =
            memchr::memmem::find(&core[..64 << 10], b"VMCOREINFO\0").expect("a note before the memory");
        assert!(memchr::memmem::find(&core[note..], b"OSRELEASE=6.12.117").is_some());
        assert!(findings(failed).contains("drgn -c "), "{}", findings(failed));
    }
}
