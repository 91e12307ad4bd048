use super::*;
use crate::observation::{Console, Exit, GuestFacts, Phase, ProgramRun};
use crate::oops::Engine;
use crate::suite::{KnownMessages, MatchContext, Test, load_file};
use crate::verdict::{judge, shows_symptom};

const LISTS: &str = "
known-messages:
  allow:
  - {match: '^WARNING in harmless', reason: fires on this machine only, link: 'https://example.org/1'}
  - {match: '^WARNING in two_ways', trace: ['^from_here$'], reason: only from there}
  - {match: '^INFO: task hung in sits_long', reason: it ends}
  - {match: '^WARNING in mended', versions: ..6.11, reason: fixed since}
  - {match: '^WARNING in long_ago', reason: once, expires: 2025-12-31}
  deny:
  - {match: '^EXT4-fs error', reason: the image is checked before each attempt}
";

fn test(symptom: &str) -> Test {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("suite.yaml");
    let text = format!(
        "suite: s\nsummary: s\n{LISTS}\ntests:\n- name: t\n  summary: t\n  program: {{shell: 'true'}}\n  symptom: {symptom}\n"
    );
    std::fs::write(&path, text).unwrap();
    Test::clone(&load_file(&path).unwrap_or_else(|e| panic!("{e:?}")).tests[0])
}

fn warning(function: &str) -> String {
    format!(
        "[    2.0] ------------[ cut here ]------------\n\
         [    2.0] WARNING: CPU: 1 PID: 42 at fs/x.c:12 {function}+0x10/0x20\n\
         [    2.0] RIP: 0010:{function}+0x10/0x20\n[    2.0] Call Trace:\n[    2.0]  from_there+0x10/0x20\n\
         [    2.0]  vfs_write+0x10/0x20\n[    2.0]  do_syscall_64+0x10/0x20\n\
         [    2.0] ---[ end trace 0000000000000000 ]---\n"
    )
}

/// An attempt that went well but for these lines of its dose; `before` stand in front of it.
fn judged_with(symptom: &str, before: &str, lines: &str, ending: Ending) -> String {
    let test = test(symptom);
    let text = format!("{before}[    1.9] dose begins\n{lines}[    9.0] dose ends\n");
    let start = before.len();
    let console = Console {
        printed: text.len() as u64,
        left_out: 0,
        dose_start: Some(start),
        dose_end: Some(text.len()),
        text: text.into_bytes(),
    };
    let seen = Observation {
        phase: Phase::Stop,
        ending,
        console,
        guest: Some(GuestFacts { hung_task_timeout: Some(20), ..GuestFacts::default() }),
        program: ProgramRun { started: true, exit: Some(Exit::Code(0)), ..ProgramRun::default() },
        ..Observation::not_started("")
    };
    let version = "6.12.57".parse().unwrap();
    let now =
        MatchContext { today: jiff::civil::date(2026, 1, 1), version: Some(&version), lines_from: start };
    let own = |report: &crate::oops::Report| shows_symptom(&test, report);
    let sorted = test.messages.read(Engine::embedded(), &seen.console.text, now, own);
    let judgement = with_messages(judge(&test, &seen, &sorted.reports), &seen, &sorted);
    let mut line = format!("{:<6}", judgement.verdict);
    for part in judgement.title.iter().chain(&judgement.reason) {
        line.push_str(&format!(" {part};"));
    }
    for said in message_findings(&sorted) {
        line.push_str(&format!("\n         {said}"));
    }
    line
}

fn judged(symptom: &str, lines: &str) -> String {
    judged_with(symptom, "", lines, Ending::Complete)
}

const OWN: &str = "{crash: {title: 'in own_bug'}}";

#[test]
fn allowed_reports_do_not_count_and_everything_else_does() {
    let hung = "[    3.0] INFO: task kworker:7 blocked for more than 20 seconds.\n\
        [    3.0] task:kworker state:D stack:0 pid:7\n[    3.0] Call Trace:\n[    3.0]  schedule+0x1/0x2\n\
        [    3.0]  sits_long+0x1/0x2\n[    3.0]  worker_thread+0x1/0x2\n[    3.0]  kthread+0x1/0x2\n";
    let stopped = Ending::Stopped(Stopped::CrashSeen);
    let slab = "[    4.0] BUG dentry (Not tainted): Right Redzone overwritten\n";
    let unregister = "[    4.0] unregister_netdevice: waiting for lo to become free. Usage count = 2\n";
    let torn = "[    2.0] WARNING: CPU: 1 PID: 42 at fs/x.c:12 harmless+0x10/0x20\n";
    let table = [
        ("nothing", judged(OWN, "")),
        ("allowed", judged(OWN, &warning("harmless"))),
        ("allowed on another path only", judged(OWN, &warning("two_ways"))),
        ("of another kernel", judged(OWN, &warning("mended"))),
        ("expired", judged(OWN, &warning("long_ago"))),
        ("allowed, and another", judged(OWN, &(warning("harmless") + &warning("strange")))),
        ("allowed, and a weak sign", judged(OWN, &(warning("harmless") + slab))),
        ("allowed, and what would continue it", judged(OWN, &(warning("harmless") + unregister))),
        ("allowed, but damaged", judged(OWN, torn)),
        ("allowed, but the symptom", judged("{crash: {title: harmless}}", &warning("harmless"))),
        ("allowed, often", judged(OWN, &warning("harmless").repeat(40))),
        ("allowed, and it ended the attempt", judged_with(OWN, "", hung, stopped)),
        ("denied", judged(OWN, "[    3.0] EXT4-fs error (device vda): ext4_find_entry:1\n")),
        (
            "denied, and the symptom",
            judged(OWN, &("[    3.0] EXT4-fs error x\n".to_owned() + &warning("own_bug"))),
        ),
        ("denied before the dose", judged_with(OWN, "[    1.0] EXT4-fs error x\n", "", Ending::Complete)),
        ("denied as a kind", judged("{crash: {kind: [DoS, UNKNOWN]}}", "[    3.0] EXT4-fs error x\n")),
    ];
    let lines: Vec<String> = table.iter().map(|(what, said)| format!("{what}\n  {said}")).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn what_was_not_read_is_no_absence() {
    let warnings =
        |count: usize| -> String { (0..count).map(|nth| warning(&format!("noisy_{nth}x"))).collect() };
    let strange = warning("strange");
    let early = |before: &str, lines: &str| judged_with(OWN, before, lines, Ending::Complete);
    let table = [
        ("noise before, nothing in the dose", early(&warnings(700), "")),
        ("noise before, another in the dose", early(&warnings(700), &strange)),
        ("noise before, the symptom in the dose", early(&warnings(700), &warning("own_bug"))),
        ("less noise before, the symptom in the dose", early(&warnings(300), &warning("own_bug"))),
        ("the same before, often, and in the dose", early(&warning("strange").repeat(40), &strange)),
        ("the symptom, then noise", judged(OWN, &(warning("own_bug") + &warnings(700)))),
        ("noise, then the symptom", judged(OWN, &(warnings(700) + &warning("own_bug")))),
    ];
    let lines: Vec<String> = table.iter().map(|(what, said)| format!("{what}\n  {said}")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    noise before, nothing in the dose
      good  
    noise before, another in the dose
      blind  the console has so many reports that 189 lines that begin one were passed over, some of them in the dose;
    noise before, the symptom in the dose
      blind  the console has so many reports that 189 lines that begin one were passed over, some of them in the dose;
    less noise before, the symptom in the dose
      bad    WARNING in own_bug;
    the same before, often, and in the dose
      blind  the console has so many reports that 25 lines that begin one were passed over, some of them in the dose;
    the symptom, then noise
      bad    WARNING in own_bug;
    noise, then the symptom
      other  WARNING in noisy_0x; not this test's symptom;
    ");
}

#[test]
fn without_lists_nothing_changes() {
    assert!(KnownMessages::default().is_empty());
    let sorted = SortedReports::default();
    let good = Judgement { verdict: Verdict::Good, title: None, reason: None, dosed: true };
    assert_eq!(with_messages(good.clone(), &Observation::not_started(""), &sorted), good);
    assert!(message_findings(&sorted).is_empty());
}
