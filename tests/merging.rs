//! Several runs as one: which verdict counts, what is missing, and journals that somebody put together.

mod runs;

use clap::Parser;
use kregress::bisect::{Aims, Costs, Find};
use kregress::cli::report::{self, Args};
use kregress::event::{BisectionRecord, BisectionSource, CandidateRecord, CellId, Event, PartitionRecord};
use kregress::journal::RunDir;
use kregress::plan::Partition;
use kregress::report::matrix::MatrixStyle;
use kregress::report::rerun::rerun;
use kregress::report::{ExitPolicy, ExitStatus, ReportError, RunEnd, RunSummary};
use kregress::verdict::Verdict::{self, *};
use runs::{At, Made};

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    report: Args,
}

fn kregress_report(root: &std::path::Path, arguments: &[&str]) -> Result<(String, ExitStatus), ReportError> {
    let arguments = ["report"].into_iter().chain(arguments.iter().copied());
    let command =
        Command::try_parse_from(arguments.chain(["-o", root.to_str().expect("a path of this test")]));
    let mut out = Vec::new();
    let status = report::run(&command.expect("valid arguments").report, &mut out, MatrixStyle::PLAIN)?;
    Ok((String::from_utf8(out).expect("UTF-8"), status))
}

fn matrix(run: &RunSummary) -> Vec<String> {
    run.cells().map(|cell| format!("{} {:?}", cell.id(), cell.verdict())).collect()
}

fn partition(part: u32, of: u32) -> Option<Box<PartitionRecord>> {
    Some(Box::new(PartitionRecord {
        by: "slice".into(),
        part,
        of,
        cells: 4,
        plan: "p".into(),
        kernels: vec!["6.1".into(), "6.2".into()],
        tests: vec!["s::a".into(), "s::b".into()],
    }))
}

const A1: (&str, &str) = ("s::a", "6.1");
const A2: (&str, &str) = ("s::a", "6.2");
const B1: (&str, &str) = ("s::b", "6.1");
const B2: (&str, &str) = ("s::b", "6.2");

#[test]
fn which_verdict_counts() {
    type Case<'a> = (&'a [Option<Verdict>], Option<Verdict>, &'a str);
    let table: [Case<'_>; 10] = [
        (&[Some(Bad), Some(Good)], Some(Bad), "a symptom that was seen was there"),
        (&[Some(Good), Some(Bad)], Some(Bad), "a symptom that was seen was there"),
        (&[Some(Other), Some(Good)], Some(Other), "a crash is not undone by a clean run"),
        (&[Some(Other), Some(Bad)], Some(Bad), "a symptom that was seen was there"),
        (&[Some(Good), Some(Lost)], Some(Good), "the other one judged nothing"),
        (&[Some(Blind), Some(Good)], Some(Good), "the other one judged nothing"),
        (&[Some(Lost), Some(Skip)], Some(Skip), "it is the later one"),
        (&[Some(Bad), Some(Bad)], Some(Bad), "it is the later one"),
        (&[None, Some(Good)], Some(Good), ""),
        (&[Some(Lost), None], Some(Lost), ""),
    ];
    for (verdicts, counts, why) in table {
        let root = tempfile::tempdir().unwrap();
        let runs: Vec<RunDir> = verdicts
            .iter()
            .zip(1..)
            .map(|(verdict, hour)| Made { cells: &[(A1, *verdict)], ..Made::at(hour) }.write(root.path()))
            .collect();
        let both =
            [vec![runs[0].clone(), runs[1].clone()], vec![runs[1].clone(), runs[0].clone(), runs[1].clone()]];
        for order in both {
            let (run, _) = RunSummary::of_runs(&order).unwrap();
            assert_eq!(run.cells().len(), 1, "{verdicts:?}");
            assert_eq!(run.outline(0).verdict(), counts, "{verdicts:?}");
            let whys: Vec<&str> = run.overlaps.iter().map(|overlap| overlap.why()).collect();
            assert_eq!(whys.join(""), why, "{verdicts:?}");
            assert_eq!(run.details().cell(0).unwrap().record.map(|record| record.verdict), counts);
        }
    }
}

#[test]
fn parts_of_a_matrix_become_the_whole() {
    let root = tempfile::tempdir().unwrap();
    // the one that was killed, and what was run again of it
    Made { cells: &[(B1, Some(Good)), (A2, None)], part: partition(2, 2), killed: true, ..Made::at(1) }
        .write(root.path());
    Made { cells: &[(A1, Some(Good)), (B2, Some(Bad))], part: partition(1, 2), ..Made::at(2) }
        .write(root.path());
    Made { cells: &[(A2, Some(Good))], ..Made::at(3) }.write(root.path());
    let unsplit = tempfile::tempdir().unwrap();
    let cells = [(A1, Some(Good)), (B1, Some(Good)), (A2, Some(Good)), (B2, Some(Bad))];
    let whole = Made { cells: &cells, ..Made::at(1) }.write(unsplit.path());

    let (text, status) = kregress_report(root.path(), &["merge", root.path().to_str().unwrap()]).unwrap();
    assert_eq!(status, ExitStatus::TestsFailed);
    let merged = RunDir::find(root.path(), "latest").unwrap();
    let run = RunSummary::of(&merged).unwrap();
    assert_eq!((run.ended, run.unnamed(), run.split.merged.len()), (RunEnd::Finished, 0, 3));
    assert_eq!(run.holes(), Vec::<String>::new());
    let expected = RunSummary::of(&whole).unwrap();
    assert_eq!(matrix(&run), matrix(&expected));
    let of = |root: &std::path::Path| {
        let text = kregress_report(root, &["--format", "summary"]).unwrap().0;
        text.lines().filter(|line| !line.contains("Summary [")).map(str::to_owned).collect::<Vec<_>>()
    };
    let relative =
        |lines: Vec<String>, run: &RunDir| lines.join("\n").replace(run.path().to_str().unwrap(), "RUN");
    assert_eq!(relative(of(root.path()), &merged), relative(of(unsplit.path()), &whole));
    assert!(text.contains("4 cells: 1 bad, 3 good"), "{text}");
    // evidence of every cell, under the names that its journal has
    for place in 0..4 {
        let cell = run.details().cell(place).unwrap();
        let console = cell.attempts[0].console.clone().unwrap();
        let text = std::fs::read_to_string(merged.file(&console).unwrap()).unwrap();
        assert!(text.starts_with(&format!("console of {}", cell.id)), "{text}");
    }
    assert!(merged.path().join("junit.xml").is_file());
}

#[test]
fn a_cell_is_run_again_with_the_options_of_its_own_run() {
    let root = tempfile::tempdir().unwrap();
    let (mine, theirs) = (["-s", "my suite.yaml", "-j", "2"], ["--suites=other", "--modules", "/m"]);
    Made { cells: &[(A1, Some(Bad))], options: &mine, ..Made::at(1) }.write(root.path());
    let select = Some("/b/bzImage");
    Made { cells: &[(B2, Some(Bad))], options: &theirs, select, ..Made::at(2) }.write(root.path());
    Made { cells: &[(A2, Some(Bad))], select: Some("/a/bzImage"), ..Made::at(3) }.write(root.path());
    let commands = |run: &RunSummary| run.cells().map(|cell| rerun(run, &cell.id())).collect::<Vec<_>>();
    let expected = [
        "kregress run --exact s::a -k 6.1 -s 'my suite.yaml'",
        "kregress run --exact s::b -k /b/bzImage --suites=other --modules /m",
        "kregress run --exact s::a -k /a/bzImage",
    ];
    let (several, _) = RunSummary::of_runs(&RunDir::all(root.path())).unwrap();
    assert_eq!(commands(&several), expected);
    kregress_report(root.path(), &["merge", root.path().to_str().unwrap()]).unwrap();
    let merged = RunDir::find(root.path(), "latest").unwrap();
    assert_eq!(commands(&RunSummary::of(&merged).unwrap()), expected);
    // and merged once more
    let late =
        Made { cells: &[(B1, Some(Bad))], options: &["-smine.yaml"], ..Made::at(9) }.write(root.path());
    kregress_report(root.path(), &["merge", merged.id(), late.id()]).unwrap();
    let again = RunSummary::of(&RunDir::find(root.path(), "latest").unwrap()).unwrap();
    assert_eq!(commands(&again)[..3], expected);
    assert_eq!(commands(&again)[3], "kregress run --exact s::b -k 6.1 -smine.yaml");
}

#[test]
fn a_missing_part_is_no_success() {
    let root = tempfile::tempdir().unwrap();
    for (part, cell) in [(1, A1), (3, A2), (4, B2)] {
        Made { cells: &[(cell, Some(Good))], part: partition(part, 4), ..Made::at(part) }.write(root.path());
    }
    let (text, status) = kregress_report(root.path(), &["merge", root.path().to_str().unwrap()]).unwrap();
    assert_eq!(status, ExitStatus::NotJudged);
    let first = RunDir::find(root.path(), "latest").unwrap();
    let lines = |text: &str| {
        text.lines()
            .filter(|l| l.contains("MISSING") || l.contains("Summary"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
            .join("\n")
    };
    insta::assert_snapshot!(lines(&text), @r"
         Summary [  30.000s] 4 cells: 3 good, 1 not run
         MISSING partition 2/4 is missing: no run of --partition slice:2/4 is among these
    ");
    // it comes later
    let late = Made { cells: &[(B1, Some(Good))], part: partition(2, 4), ..Made::at(9) }.write(root.path());
    let (text, status) = kregress_report(root.path(), &["merge", first.id(), late.id()]).unwrap();
    assert_eq!(status, ExitStatus::Success);
    insta::assert_snapshot!(lines(&text), @"     Summary [  40.000s] 4 cells: 4 good");
    let run = RunSummary::of(&RunDir::find(root.path(), "latest").unwrap()).unwrap();
    assert_eq!(run.split.merged.len(), 4);
    assert!(!run.notices.iter().any(|notice| notice.contains("missing")), "{:?}", run.notices);
    assert_eq!(
        matrix(&run).join(" "),
        "s::a@6.1 Some(Good) s::b@6.1 Some(Good) s::a@6.2 Some(Good) s::b@6.2 Some(Good)"
    );
    // the parts are in it, and are not counted again
    let all =
        kregress_report(root.path(), &["--format", "summary", root.path().to_str().unwrap()]).unwrap().0;
    assert!(all.contains("4 cells: 4 good"), "{all}");
}

#[test]
fn a_part_whose_cells_another_run_has_is_not_missing() {
    let cells = |ids: &[(&str, &str)]| -> Vec<CellId> {
        ids.iter().map(|(test, kernel)| CellId { test: (*test).into(), kernel: (*kernel).into() }).collect()
    };
    let part = |text: &str, plan: &[(&str, &str)]| {
        Some(Box::new(text.parse::<Partition>().unwrap().of(&cells(plan), None).record))
    };
    type Row<'a> = (&'a [(&'static str, &'static str)], &'a [runs::Cell], bool);
    let table: [Row<'_>; 5] = [
        // the whole plan, of all tests on all kernels and of some
        (&[A1, A2, B1, B2], &[(A2, Some(Good)), (B1, Some(Good)), (B2, Some(Good))], false),
        (&[A1, A2, B2], &[(A2, Some(Good)), (B2, Some(Good))], false),
        // as many cells, but others
        (&[A1, A2, B2], &[(A2, Some(Good)), (B1, Some(Good))], true),
        (&[A1, A2, B2], &[(B2, Some(Good))], true),
        (&[A1, A2, B1, B2], &[(A2, Some(Good)), (B1, Some(Good))], true),
    ];
    for (plan, others, is_missing) in table {
        let root = tempfile::tempdir().unwrap();
        let first = part("slice:1/2", plan);
        Made { cells: &[(A1, Some(Good))], part: first, ..Made::at(1) }.write(root.path());
        Made { cells: others, ..Made::at(2) }.write(root.path());
        let (text, status) = kregress_report(root.path(), &["merge", root.path().to_str().unwrap()]).unwrap();
        assert_eq!(text.contains("MISSING"), is_missing, "{others:?} of {plan:?}: {text}");
        let expected = if is_missing { ExitStatus::NotJudged } else { ExitStatus::Success };
        assert_eq!(status, expected, "{others:?} of {plan:?}: {text}");
    }
}

#[test]
fn parts_of_other_plans_are_said() {
    let root = tempfile::tempdir().unwrap();
    let other = partition(2, 2).map(|partition| Box::new(PartitionRecord { plan: "q".into(), ..*partition }));
    Made { cells: &[(A1, Some(Good))], part: partition(1, 2), ..Made::at(1) }.write(root.path());
    Made { cells: &[(B2, Some(Good))], part: other, ..Made::at(2) }.write(root.path());
    let (run, _) = RunSummary::of_runs(&RunDir::all(root.path())).unwrap();
    assert_eq!(run.exit_status(ExitPolicy::default()), ExitStatus::NotJudged);
    let hole = run
        .holes()
        .join("\n")
        .replace(RunDir::all(root.path())[0].id(), "A")
        .replace(RunDir::all(root.path())[1].id(), "B");
    insta::assert_snapshot!(hole, @"partition 2/2 (run B) is of another plan than partition 1/2 (run A): the tests, the kernels or the durations were not the same, so that cells may be in none of the parts");
}

#[test]
fn journals_that_were_put_together_are_both_read() {
    let root = tempfile::tempdir().unwrap();
    let one = Made { cells: &[(A1, Some(Bad)), (A2, Some(Good))], ..Made::at(1) }.write(root.path());
    let two = Made { cells: &[(A1, Some(Good)), (B2, Some(Lost))], ..Made::at(2) }.write(root.path());
    let texts = [&one, &two].map(|run| std::fs::read_to_string(run.journal()).unwrap());
    // also behind one whose runner was killed in the middle of a line
    let torn = format!("{}{{\"event\":\"cell\",\"te{}", texts[0], texts[1]);
    for text in [texts.concat(), [texts[1].clone(), texts[0].clone()].concat(), torn] {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("journal.jsonl"), text).unwrap();
        let run = RunSummary::of(&RunDir::at(dir.path())).unwrap();
        assert_eq!(matrix(&run).join(" "), "s::a@6.1 Some(Bad) s::a@6.2 Some(Good) s::b@6.2 Some(Lost)");
        assert_eq!((run.split.merged.len(), run.overlaps.len(), run.counts().not_run), (2, 1, 0));
        assert_eq!(run.details().cell(0).unwrap().attempts.len(), 1, "those of the verdict that counts");
    }
}

#[test]
fn evidence_of_several_runs_is_named_by_its_run() {
    let root = tempfile::tempdir().unwrap();
    let one = Made { cells: &[(A1, Some(Bad))], ..Made::at(1) }.write(root.path());
    let two = Made { cells: &[(B1, Some(Bad))], ..Made::at(2) }.write(root.path());
    let text = kregress_report(root.path(), &[one.id(), two.id()]).unwrap().0;
    let paths: Vec<&str> =
        text.lines().filter_map(|line| line.split_once("console ")).map(|(_, path)| path.trim()).collect();
    assert_eq!(paths.len(), 2, "{text}");
    assert!(paths.iter().all(|path| std::path::Path::new(path).is_file()), "{paths:?}");
    assert!(matches!(
        kregress_report(root.path(), &[one.id(), two.id(), "--write"]),
        Err(ReportError::Several)
    ));
}

#[test]
fn what_cannot_be_merged_says_why_and_leaves_nothing() {
    let root = tempfile::tempdir().unwrap();
    let one = Made { cells: &[(A1, Some(Good))], ..Made::at(1) }.write(root.path());
    let two = Made { cells: &[(A1, Some(Good))], ..Made::at(2) }.write(root.path());
    let said = |arguments: &[&str]| {
        let error = kregress_report(root.path(), arguments).unwrap_err().to_string();
        error.replace(one.id(), "ONE").replace(two.id(), "TWO")
    };
    insta::assert_snapshot!(said(&["merge", one.id()]), @"there is nothing to merge: all that was named is the run ONE; name the other parts as well");
    insta::assert_snapshot!(said(&["merge", one.id(), one.id()]), @"there is nothing to merge: all that was named is the run ONE; name the other parts as well");
    {
        let lock = kregress::journal::Journal::resume(two.path()).unwrap();
        lock.append(&Event::RunStarted {
            schema: 1,
            run: two.id().into(),
            kregress: String::new(),
            at: At(2).timestamp(),
            command: Vec::new(),
            cells: 1,
            split: Default::default(),
        })
        .unwrap();
        insta::assert_snapshot!(said(&["merge", one.id(), two.id()]), @"one of these runs still goes on, merge them when it has ended: ONE + TWO");
    }
    assert_eq!(RunDir::all(root.path()).len(), 2);
}

#[test]
fn cells_that_were_judged_twice_are_told() {
    let root = tempfile::tempdir().unwrap();
    let one = [(A1, Some(Good)), (A2, Some(Lost)), (B1, Some(Good)), (B2, Some(Good))];
    let two = [(A1, Some(Bad)), (A2, Some(Good)), (B1, Some(Good)), (B2, Some(Good))];
    for (hour, cells) in [(1, one), (2, two)] {
        Made { cells: &cells, ..Made::at(hour) }.write(root.path());
    }
    let runs = RunDir::all(root.path());
    let (run, _) = RunSummary::of_runs(&runs).unwrap();
    let told = |most| {
        let text = run.overlaps_told(most).join("\n");
        text.replace(runs[0].id(), "ONE").replace(runs[1].id(), "TWO")
    };
    insta::assert_snapshot!(told(9), @r"
    s::a@6.1 was judged twice: bad in TWO counts, good in ONE does not, as a symptom that was seen was there
    s::a@6.2 was judged twice: good in TWO counts, lost in ONE does not, as the other one judged nothing
    2 cells came out the same in two runs; the later one counts
    ");
    insta::assert_snapshot!(told(1), @r"
    s::a@6.1 was judged twice: bad in TWO counts, good in ONE does not, as a symptom that was seen was there
    1 cell more came out differently in two runs
    2 cells came out the same in two runs; the later one counts
    ");
    // a merged run tells them again
    let merged = kregress::runs::merge(root.path(), &runs, Vec::new()).unwrap().0;
    let notices = RunSummary::of(&merged).unwrap().notices.join("\n");
    assert!(notices.contains("s::a@6.1 was judged twice"), "{notices}");
}

/// A journal that begins as that of a bisection.
fn bisection(root: &std::path::Path, hour: u32) -> RunDir {
    let dir = Made::at(hour).write(root);
    let candidate = |name: &str, parents: Vec<usize>| CandidateRecord {
        name: name.into(),
        id: name.into(),
        parents,
        ..Default::default()
    };
    let record = BisectionRecord {
        test: "s::a".into(),
        summary: String::new(),
        test_digest: "d".into(),
        find: Find::default(),
        aims: Aims::default(),
        costs: Costs { kernel: 10.0, attempt: 10.0 },
        source: BisectionSource::Series { left_out: Vec::new(), several_lines: false },
        candidates: vec![candidate("6.1", vec![]), candidate("6.2", vec![0])],
    };
    let journal = kregress::journal::Journal::resume(dir.path()).unwrap();
    journal.append(&Event::Bisection(Box::new(record))).unwrap();
    dir
}

#[test]
fn bisections_are_shown_by_themselves() {
    let root = tempfile::tempdir().unwrap();
    let (one, two) = (bisection(root.path(), 1), bisection(root.path(), 2));
    let run = Made { cells: &[(A1, Some(Good))], ..Made::at(3) }.write(root.path());
    let said = |arguments: &[&str]| {
        let error = kregress_report(root.path(), arguments).unwrap_err().to_string();
        let reports = root.path().to_str().unwrap();
        let names = [(one.id(), "ONE"), (two.id(), "TWO"), (run.id(), "RUN"), (reports, "reports")];
        names.into_iter().fold(error, |error, (name, word)| error.replace(name, word))
    };
    insta::assert_snapshot!(said(&["merge", one.id(), run.id()]), @"ONE + RUN is, or has, a bisection, which cannot be merged; `kregress report` shows it by itself");
    let both = [&one, &two].map(|dir| std::fs::read_to_string(dir.journal()).unwrap()).concat();
    std::fs::write(two.journal(), both).unwrap();
    insta::assert_snapshot!(said(&[two.id()]), @"reports/TWO/journal.jsonl:4: another run begins here, and a bisection is shown by itself; divide the file before this line");
}
