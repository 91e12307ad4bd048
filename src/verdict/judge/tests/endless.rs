//! Programs that do not end by themselves.

use super::*;
use crate::observation::Runs;
use crate::suite::{Ends, Program};

fn endless(symptom: &str) -> Test {
    let mut test = test_with(symptom, "  dose: {seconds: 5}\n");
    test.program = Program::Shell { script: "true".into(), ends: Ends::Never };
    test
}

fn ran(exit: Exit, runs: Runs) -> Observation {
    changed(|seen| {
        seen.program.exit = Some(exit);
        seen.program.ran_ms = Some(5_000);
        seen.program.runs = Some(runs);
    })
}

fn runs(started: u64, died: u64, died_us: u64, worked_us: u64) -> Runs {
    let last = (died > 0).then_some(Exit::Signal(11));
    Runs { started, died, died_us, worked_us, last, not_started: None }
}

#[test]
fn however_it_ended_the_dose_was_done_if_it_ran() {
    let test = endless("{crash: any}");
    for (exit, runs) in [
        // it looped
        (Exit::Signal(9), runs(1, 0, 0, 5_000_000)),
        // it ended with 0 each time, at once
        (Exit::Code(0), runs(900, 0, 0, 4_000_000)),
        // it died now and then
        (Exit::Signal(11), runs(9, 3, 300_000, 4_600_000)),
        (Exit::Code(1), runs(2, 0, 0, 5_000_000)),
        (Exit::Code(77), runs(2, 0, 0, 5_000_000)),
    ] {
        assert_eq!(said(&test, &ran(exit, runs), &[]), "good", "{exit}");
    }
    let crash = ran(Exit::Signal(9), runs(1, 0, 0, 1));
    assert_eq!(said(&test, &crash, &[warning(DURING)]), "bad: WARNING in folio_x");
}

#[test]
fn one_that_could_not_be_started_again_did_not_do_its_dose() {
    let stopped = Runs { not_started: Some("No such file".into()), ..runs(2, 0, 0, 400_000) };
    assert_eq!(
        said(&endless("{crash: any}"), &ran(Exit::Code(0), stopped), &[]),
        "blind: after 2 runs the program could not be started again: No such file"
    );
}

#[test]
fn one_that_never_really_ran_proves_nothing() {
    let test = endless("{crash: any}");
    let many = ran(Exit::Signal(11), runs(300, 298, 4_700_000, 210_000));
    let gone = Runs { not_started: Some("No such file".into()), ..runs(1, 1, 900, 0) };
    let mut unknown = ran(Exit::Signal(9), runs(1, 0, 0, 5_000_000));
    unknown.program.runs = None;
    let short = changed(|seen| {
        seen.program.runs = Some(runs(1, 0, 0, 400_000));
        seen.program.ran_ms = Some(400);
    });
    insta::assert_snapshot!(
        [many, ran(Exit::Signal(11), gone), unknown, short].map(|seen| said(&test, &seen, &[])).join("\n"),
        @r"
    blind: the program never really ran: in 298 of 300 runs it died at once, the last time with signal 11
    blind: the program never really ran: it died at once, the last time with signal 11, and could not be started again: No such file
    blind: the program's end was not seen
    blind: the program ended with 0 too early: it ran 0.4 s of 5 s
    "
    );
}
