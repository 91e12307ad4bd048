//! What is said at the end: the table, the answer to the cover letter, and the forms of other tools.

use std::collections::BTreeSet;

use kregress::event::queue::{Aside, Missing, MissingKind, SetAside};
use kregress::failure::Failure;
use kregress::lab::sim::Outcome;
use kregress::queue::QueueState;
use kregress::queue::report::{QueueReport, answer, regzbot, syzbot, text};
use kregress::render::{Kind, Queue, Subject, by_name};
use kregress::report::matrix::MatrixStyle;
use kregress::triage::Expect;

use super::driving::{Kernels, builds, draw, drive, record, symptom};

/// A queue of 14: 3 does not apply, 5 does not build, 11 breaks a test and 12 stands on it, 2 fixes and 4 does not.
fn judged() -> QueueState {
    let mut record = record(14, 6);
    record.mail.from = Some("A Maintainer <maintainer@example.org>".into());
    record.mail.date = Some("Mon, 20 Apr 2026 09:22:00 -0400".into());
    record.mail.id = Some("20260420092200.1-1-maintainer@example.org".into());
    record.tree.config = "small+kasan".into();
    record.tree.commit = "0123456789abcdef0123456789abcdef01234567".into();
    record.patches.remove(2);
    record.set_aside.push(SetAside {
        number: 3,
        title: "net: pump: change 3".into(),
        kind: Aside::DoesNotApply,
        why: "drivers/net/pump_3.c, hunk of line 14: context differs".into(),
    });
    let patch = |number: usize| number - 1 - usize::from(number > 3);
    record.patches[patch(11)].upstream = Some("9b25f381de6b8942645f43735cb0a4fb0ab3a6d1".into());
    record.patches[patch(12)].needs = vec![11];
    record.patches[patch(14)].impossible = Some("only documentation".into());
    for (test, number) in [(4, 2), (5, 4)] {
        record.tests[test].expect = Expect::Fixed;
        record.tests[test].patches = vec![number];
    }
    record.missing.push(Missing {
        kind: MissingKind::Fix,
        patch: 11,
        commit: "aaaabbbbcccc".into(),
        title: "net: pump: mend what change 11 broke".into(),
    });
    // places, not numbers
    let kernels = Kernels::new(6, |held| {
        let line = "drivers/net/pump_5.c:7:9: error: implicit declaration of function 'fill'";
        held.contains(&4).then(|| Failure::Kernel(line.into()))
    });
    let world = |test: &str, held: &BTreeSet<usize>, attempt: u32| match test {
        "s::t1" if held.contains(&10) => Outcome::Crash,
        "s::t2" => symptom(draw(test, held, attempt) < 0.5),
        "s::t3" => symptom(!held.contains(&2)),
        "s::t4" => symptom(true),
        "s::t5" => Outcome::Skip("no such device".into()),
        _ => Outcome::Clean,
    };
    let mut state = QueueState::new(record).unwrap();
    drive(&mut state, &kernels, &world);
    state
}

fn report(state: &QueueState) -> QueueReport {
    let mut report = QueueReport::of(state, None);
    // what a host takes is another time
    report.seconds = 4210.0;
    report
}

const TESTER: Option<&str> = Some("A Tester <tester@example.org>");

#[test]
fn a_terminal_has_every_patch_and_what_it_does() {
    let report = report(&judged());
    insta::assert_snapshot!(text(&report), @r#"
    [PATCH 6.12 000/14] 6.12.10-rc1 review on linux@v6.12.9 (6.12.9)

          patch                 applies  builds      boots       its own bug  breaks
       1  net: pump: change 1   applies  in the tip  in the tip
       2  net: pump: change 2   applies  in the tip  in the tip  fixed
       4  net: pump: change 4   applies  yes         yes         not fixed
       6  net: pump: change 6   applies  in the tip  in the tip
       7  net: pump: change 7   applies  in the tip  in the tip
       8  net: pump: change 8   applies  in the tip  in the tip
       9  net: pump: change 9   applies  yes         yes
      10  net: pump: change 10  applies  yes         yes
      11  net: pump: change 11  applies  yes         yes                      s::t1 (> 99.99%)
      12  net: pump: change 12  applies  in the tip  in the tip
      13  net: pump: change 13  applies  in the tip  in the tip
      14  net: pump: change 14  applies  yes         yes
      14: cannot be the culprit of anything: only documentation

    not tested:
      3: net: pump: change 3: does not apply: drivers/net/pump_3.c, hunk of line 14: context differs
      5: net: pump: change 5: does not build: drivers/net/pump_5.c:7:9: error: implicit declaration of function 'fill'

    s::t1: broken by patch 11
      without the queue 0 of 2 bad, with all of it 3 of 3 bad
      patch 11, > 99.99%: net: pump: change 11
        up to it 2 of 2 bad, up to the one before 0 of 5 bad
        the queue without patches 11 and 12: 0 of 2 bad
      BUG: unable to handle kernel NULL pointer dereference in simulated_crash
    s::t3: fixed
      without the queue 4 of 4 bad, with all of it 0 of 6 bad
    s::t4: not fixed
      without the queue 1 of 1 bad, with all of it 2 of 2 bad
      boom
    3 tests pass with the queue
    s::t5 was not judged: no such device
    upstream has, and neither the tree nor the queue:
      aaaabbbbcccc ("net: pump: mend what change 11 broke") repairs patch 11

    54 attempts on 7 kernels in 1:10:10; ten of every test on both ends are 140
    "#);
    assert_eq!(report.exit_status().code(), 100);
}

#[test]
fn the_answer_is_what_a_list_wants() {
    let report = report(&judged());
    let text = answer(&report, TESTER).unwrap();
    insta::assert_snapshot!(text, @r#"
    On Mon, 20 Apr 2026 09:22:00 -0400, A Maintainer
    <maintainer@example.org> wrote:
    > [PATCH 6.12 000/14] 6.12.10-rc1 review

    I tested 12 of 14 patches on linux@v6.12.9 (6.12.9) with 6 tests, 54
    attempts on 7 kernels in QEMU. Not all is well.

    s::t1 (what s::t1 is about) is broken by patch 11.

      patch 11: net: pump: change 11
      upstream 9b25f381de6b

    With the whole queue it fails in 3 of 3 attempts, without the queue it
    fails in 0 of 2.
    With the queue up to patch 11 it fails in 2 of 2, up to the patch before
    in 0 of 5. The queue without it (and patch 12, which cannot be without
    what is out) fails in 0 of 2, so taking it out mends it. That it is this
    patch has a probability of > 99.99%.

      [    5.000000] BUG: kernel NULL pointer dereference, address: 0000000000000000
      [    5.000001] #PF: supervisor read access in kernel mode
      [    5.000002] Oops: Oops: 0000 [#1] SMP NOPTI
      [    5.000003] CPU: 0 UID: 0 PID: 99 Comm: program Not tainted 6.99.1 #1
      [    5.000004] RIP: 0010:simulated_crash+0x10/0x20
      [    5.000005] Call Trace:
      [    5.000006]  <TASK>
      [    5.000007]  simulated_caller+0x10/0x20
      [    5.000008]  </TASK>
      [    5.000009] ---[ end trace 0000000000000000 ]---

    To see it without my tools, boot such a kernel and run:

      true

    Besides:

      - patch 3 (net: pump: change 3) does not apply: drivers/net/pump_3.c,
        hunk of line 14: context differs
      - patch 5 (net: pump: change 5) does not build:
        drivers/net/pump_5.c:7:9: error: implicit declaration of function
        'fill'

    Tests of what the queue fixes (failed of all attempts):

      - patch 2 (s::t3): fixed: 4 of 4 without the queue, 0 of 6 with it
      - patch 4 (s::t4): not fixed: 1 of 1 without the queue, 2 of 2 with it

    These could not be judged here: s::t5.

    Upstream has, and neither the tree nor the queue:

      - aaaabbbbcccc ("net: pump: mend what change 11 broke") repairs patch
        11

      tree: linux@v6.12.9
      commit: 0123456789abcdef0123456789abcdef01234567
      configuration: small+kasan
    "#);
    let is_prose = |line: &&str| !line.starts_with(['>', ' ']);
    assert!(text.lines().filter(is_prose).all(|line| line.chars().count() <= 72), "{text}");
    assert!(!text.contains("-by:"));
    let open = QueueReport { open: Some("its disk is full".into()), ..report };
    assert!(answer(&open, TESTER).is_err(), "troubles of our own are nobody's");
    let spent = answer(&QueueReport { budget_spent: true, ..open }, TESTER).unwrap();
    assert!(spent.contains("The time that I had") && !spent.contains("-by:"), "{spent}");
}

#[test]
fn only_a_queue_without_a_fault_is_signed_for() {
    let kernels = Kernels::new(2, builds);
    let mut state = QueueState::new(record(3, 2)).unwrap();
    drive(&mut state, &kernels, &|_, _, _| Outcome::Clean);
    let report = report(&state);
    assert_eq!(report.exit_status().code(), 0);
    insta::assert_snapshot!(answer(&report, TESTER).unwrap(), @r"
    > [PATCH 6.12 000/3] 6.12.10-rc1 review

    I tested 3 patches on linux@v6.12.9 (6.12.9) with 3 tests, 13 attempts
    on 1 kernel in QEMU. Nothing got worse.

      tree: linux@v6.12.9
      configuration: 

    Tested-by: A Tester <tester@example.org>
    ");
    assert!(!answer(&report, None).unwrap().contains("-by:"));
    let mut twice = report.clone();
    twice.set_aside.push(SetAside { kind: Aside::Twice, ..SetAside::default() });
    assert!(twice.is_clean(), "what is there twice was tested once");
    twice.set_aside.push(SetAside { kind: Aside::DoesNotApply, ..SetAside::default() });
    assert!(!twice.is_clean());
}

fn rendered(name: &str, report: &QueueReport, state: &QueueState) -> String {
    let text = answer(report, None).unwrap();
    let (regzbot, syz) = (regzbot(report).unwrap_or_default(), syzbot(report, state).unwrap_or_default());
    let queue = Queue { report, answer: &text, regzbot: &regzbot, syz: &syz, started: 0 };
    let mut out = Vec::new();
    let format = by_name(name, Kind::Queue).unwrap_or_else(|| panic!("no format {name}"));
    format.render(&Subject::Queue(&queue), MatrixStyle::PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn other_tools_get_their_forms() {
    let mut state = judged();
    let report = report(&state);
    let junit = rendered("junit", &report, &state);
    assert!(junit.contains("tests=\"14\""), "one case a patch: {junit}");
    insta::assert_snapshot!(junit.replace("><", ">\n<"), @r#"
    <?xml version="1.0" encoding="utf-8"?>
    <testsuites>
    <testsuite id="0" name="[PATCH 6.12 000/14] 6.12.10-rc1 review" package="kregress" tests="14" errors="0" failures="4" hostname="localhost" timestamp="1970-01-01T00:00:00Z" time="0">
    <testcase name="1 net: pump: change 1" time="0" classname="queue"/>
    <testcase name="2 net: pump: change 2" time="0" classname="queue"/>
    <testcase name="3 net: pump: change 3" time="0" classname="queue">
    <failure type="does not apply" message="drivers/net/pump_3.c, hunk of line 14: context differs">
    <![CDATA[drivers/net/pump_3.c, hunk of line 14: context differs]]>
    </failure>
    </testcase>
    <testcase name="4 net: pump: change 4" time="0" classname="queue">
    <failure type="fails" message="s::t4 not fixed">
    <![CDATA[s::t4 not fixed]]>
    </failure>
    </testcase>
    <testcase name="5 net: pump: change 5" time="0" classname="queue">
    <failure type="does not build" message="drivers/net/pump_5.c:7:9: error: implicit declaration of function &apos;fill&apos;">
    <![CDATA[drivers/net/pump_5.c:7:9: error: implicit declaration of function 'fill']]>
    </failure>
    </testcase>
    <testcase name="6 net: pump: change 6" time="0" classname="queue"/>
    <testcase name="7 net: pump: change 7" time="0" classname="queue"/>
    <testcase name="8 net: pump: change 8" time="0" classname="queue"/>
    <testcase name="9 net: pump: change 9" time="0" classname="queue"/>
    <testcase name="10 net: pump: change 10" time="0" classname="queue"/>
    <testcase name="11 net: pump: change 11" time="0" classname="queue">
    <failure type="fails" message="breaks s::t1">
    <![CDATA[breaks s::t1]]>
    </failure>
    </testcase>
    <testcase name="12 net: pump: change 12" time="0" classname="queue"/>
    <testcase name="13 net: pump: change 13" time="0" classname="queue"/>
    <testcase name="14 net: pump: change 14" time="0" classname="queue"/>
    </testsuite>
    </testsuites>
    "#);
    let b4: serde_json::Value = serde_json::from_str(&rendered("b4", &report, &state)).unwrap();
    let checks = b4.as_array().unwrap();
    assert_eq!(checks.len(), 15);
    for check in checks {
        let keys: Vec<&String> = check.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["details", "status", "summary", "tool"]);
        assert!(["pass", "warn", "fail"].contains(&check["status"].as_str().unwrap()));
    }
    let summaries: Vec<&str> = checks.iter().map(|check| check["summary"].as_str().unwrap()).collect();
    insta::assert_snapshot!(summaries.join("\n"), @r"
    3 net: pump: change 3: does not apply
    5 net: pump: change 5: does not build
    1 net: pump: change 1: applies
    2 net: pump: change 2: applies, s::t3 fixed
    4 net: pump: change 4: applies, s::t4 not fixed
    6 net: pump: change 6: applies
    7 net: pump: change 7: applies
    8 net: pump: change 8: applies
    9 net: pump: change 9: applies
    10 net: pump: change 10: applies
    11 net: pump: change 11: applies, breaks s::t1
    12 net: pump: change 12: applies
    13 net: pump: change 13: applies
    14 net: pump: change 14: applies
    6 tests judged on linux@v6.12.9, 1 broken by the queue
    ");
    insta::assert_snapshot!(rendered("regzbot", &report, &state), @r"
    #regzbot introduced: v6.12.9..v6.12.10-rc1
    #regzbot title: s::t1: BUG: unable to handle kernel NULL pointer dereference in simulated_crash
    #regzbot link: https://lore.kernel.org/all/20260420092200.1-1-maintainer@example.org/

    Patch 11 (net: pump: change 11, upstream 9b25f381de6b), > 99.99%.
    ");
    assert_eq!(rendered("syz", &report, &state), "", "nobody asked");
    for name in ["html", "markdown", "json"] {
        let text = rendered(name, &report, &state);
        assert!(text.contains("change 11") && text.contains("s::t1"), "{name}: {text}");
    }
    let mut asked = super::driving::record(1, 1);
    asked.patches[0].syzbot = vec!["00112233445566778899".into()];
    asked.tree.commit = "0123456789abcdef".into();
    state = QueueState::new(asked).unwrap();
    drive(&mut state, &Kernels::new(1, builds), &|_, _, _| Outcome::Clean);
    let fine = QueueReport::of(&state, None);
    insta::assert_snapshot!(syzbot(&fine, &state).unwrap(), @r"
    Hello,

    kregress has tested the proposed patch and the reproducer did not trigger any issue:

    Reported-by: syzbot+00112233445566778899@syzkaller.appspotmail.com

    Tested on:

    commit:         0123456789ab 6.12.9
    git tree:       linux@v6.12.9
    kernel config:  
    patch:          queue.mbox

    Note: testing is done by a robot and is best-effort only.
    ");
}

#[test]
fn a_test_that_fails_in_another_way_without_the_queue_says_so() {
    let world = |test: &str, held: &BTreeSet<usize>, _: u32| match (test, held.is_empty()) {
        ("s::t0", true) => Outcome::Crash,
        ("s::t0" | "s::t1", _) => symptom(true),
        _ => Outcome::Clean,
    };
    let mut state = QueueState::new(record(3, 2)).unwrap();
    drive(&mut state, &Kernels::new(3, builds), &world);
    let mut report = report(&state);
    let said: Vec<String> =
        text(&report).lines().filter(|line| line.contains("without the queue")).map(str::to_owned).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    s::t0: fails without the queue, too
      without the queue 3 of 3 bad, with all of it 2 of 2 bad
      without the queue: BUG: unable to handle kernel NULL pointer dereference in simulated_crash
    s::t1: fails without the queue, too
      without the queue 3 of 3 bad, with all of it 2 of 2 bad
    ");
    report.tree.named = "/home/a/linux@topic/x".into();
    let answer = answer(&report, None).unwrap();
    let said: Vec<&str> =
        answer.lines().filter(|line| line.contains("without it") || line.contains("linux@")).collect();
    insta::assert_snapshot!(said.join("\n"), @r"
    I tested 3 patches on linux@topic/x (6.12.9) with 3 tests, 16 attempts
    s::t0 (without it: BUG: unable to handle kernel NULL pointer dereference
      tree: linux@topic/x
    ");
}
