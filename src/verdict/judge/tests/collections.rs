//! Programs of collections, whose exit codes their readers read.

use super::*;

fn ltp(dose: &str) -> Test {
    let mut test = test_with("{reported: {matching: 'TFAIL'}}", dose);
    let file = crate::suite::ProgramFile { path: "x".into(), tree: None, beside: Vec::new() };
    test.program = crate::suite::Program::Ltp { file, args: Vec::new(), runtime: None };
    test
}

fn ended(exit: Exit, reports: Vec<ProgramReport>) -> Observation {
    changed(|seen| (seen.program.exit, seen.program.reports) = (Some(exit), reports))
}

#[test]
fn an_exit_code_of_ltp_means_what_its_reader_said() {
    let fail = || vec![ProgramReport::Symptom("a.c:1: TFAIL: x".into())];
    let blind = || vec![ProgramReport::Blind("a.c:1: TBROK: x".into())];
    let skip = || vec![ProgramReport::Skip("a.c:1: TCONF: x".into())];
    let note = || vec![ProgramReport::Note("1 skipped".into())];
    let table = [
        (Exit::Code(1), fail(), Verdict::Bad),
        (Exit::Code(2), blind(), Verdict::Blind),
        (Exit::Code(32), skip(), Verdict::Skip),
        (Exit::Code(0), note(), Verdict::Good),
        // whoever killed it, it did not end its dose
        (Exit::Signal(9), note(), Verdict::Blind),
        (Exit::Signal(9), fail(), Verdict::Bad),
    ];
    for (exit, reports, verdict) in table {
        let seen = ended(exit, reports);
        assert_eq!(judge(&ltp(""), &seen, &[]).verdict, verdict, "{exit} {:?}", seen.program.reports);
    }
}

#[test]
fn ltp_decides_itself_when_it_has_done_enough() {
    let seen = changed(|seen| seen.program.ran_ms = Some(20));
    assert_eq!(judge(&ltp("  dose: {seconds: 30}"), &seen, &[]).verdict, Verdict::Good);
    let plain = test_with("{reported: {matching: 'TFAIL'}}", "  dose: {seconds: 30}");
    assert_eq!(judge(&plain, &seen, &[]).verdict, Verdict::Blind);
}
