//! Whether every document of a run shows what was expected, and puts first what is bad against it.

use std::path::Path;

use super::matrix::MatrixStyle;
use super::summary::summary;
use super::{html, json, junit, markdown::markdown, sample};
use crate::event::{CellId, CellRecord, Event};
use crate::expectation::{Because, Expectation, Expected, FixSource};
use crate::journal::RunDir;
use crate::verdict::Verdict;

fn expectation(expected: Expected) -> Expectation {
    Expectation {
        expected,
        because: if expected == Expected::Good { Because::FixContained } else { Because::FixLacking },
        source: FixSource::Changelog,
        place: "6.12.85-1".into(),
        words: "net: take the lock".into(),
    }
}

/// Two tests on two kernels: as expected, bad against it, and what became known late.
fn events() -> Vec<Event> {
    let record = |test: &str, kernel: &str, verdict, expected: Option<Expected>| CellRecord {
        package: Some(format!("{kernel}-1")),
        expectation: expected.map(|expected| Box::new(expectation(expected))),
        ..sample::record(test, kernel, verdict)
    };
    let late = Event::Planned {
        cell: CellId { test: "b::two".into(), kernel: "6.12.117".into() },
        release: None,
        summary: String::new(),
        expectation: Some(Box::new(expectation(Expected::Good))),
        about: None,
        select: None,
        options: Vec::new(),
    };
    let cells = [
        record("a::one", "6.12.57", Verdict::Bad, Some(Expected::PossiblyBad)),
        record("a::one", "6.12.117", Verdict::Good, Some(Expected::Good)),
        record("b::two", "6.12.57", Verdict::Bad, None),
        record("b::two", "6.12.117", Verdict::Bad, None),
    ];
    let cells = cells.map(|record| Event::Cell(Box::new(record)));
    [sample::started(4)].into_iter().chain(cells).chain([late, sample::ended(false)]).collect()
}

#[test]
fn what_is_bad_although_the_kernel_has_the_fix_stands_first() {
    let run = sample::fold(events());
    assert_eq!(run.agreements(), (2, 1));
    let text = summary(&run, Path::new("reports/x"), MatrixStyle::PLAIN).unwrap();
    let listed: Vec<&str> =
        text.lines().filter(|line| line.contains("FAIL [") || line.contains("Expected ")).collect();
    insta::assert_snapshot!(listed.join("\n"), @r"
            FAIL [   3.212s] 6.12.117 b::two  UNEXPECTED: its changelog has the fix in 6.12.85-1
            FAIL [   3.212s] 6.12.57  a::one  EXPECTED: the fix came in 6.12.85-1, by the changelog
            FAIL [   3.212s] 6.12.57  b::two
        Expected 2 verdicts as the fixes in the kernels say, 1 against that, 1 of them bad
    ");
    let first = |text: &str| {
        let place = |what: &str| text.find(what).unwrap_or(usize::MAX);
        let unexpected = place("6.12.117");
        assert!(unexpected < place("6.12.57"), "{text}");
    };
    let mut document = Vec::new();
    json::write(&run, &mut document).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document).unwrap();
    assert_eq!(document["unexpected"], serde_json::json!(["b::two@6.12.117"]));
    let result = &document["results"][0];
    assert_eq!(result["test"], "b::two");
    assert_eq!(result["package"], "6.12.117-1");
    assert_eq!(result["expectation"]["agreement"], "unexpected");
    assert_eq!(result["expectation"]["source"], "changelog");
    assert_eq!(document["results"][1]["expectation"]["expected"], "possibly-bad");
    assert_eq!(document["results"][3].get("expectation"), None);
    let document = junit::junit(&run).unwrap();
    first(&document);
    assert!(document.contains("(UNEXPECTED: its changelog has the fix in 6.12.85-1)"), "{document}");
    assert!(document.contains("net: take the lock"), "{document}");
    let document = html::html(&run, &RunDir::at(Path::new("no/such/run"))).unwrap();
    let place = |what: &str| document.find(what).unwrap_or_else(|| panic!("{what} is not in {document}"));
    let first = "bad on a kernel that should not have the bug: its changelog has the fix";
    assert!(place(first) < place("a::one@6.12.57</a>") && place(first) < place("<table"));
    assert!(document.contains("EXPECTED: the fix came in 6.12.85-1, by the changelog (net: take the lock)"));
    let document = markdown(&run).unwrap();
    assert!(document.contains("## Bad on a kernel that should not have the bug\n\n- b::two"), "{document}");
}

#[test]
fn packages_are_told_where_they_share_a_version() {
    let of = |kernel: &str, package: &str| {
        let package = Some(package.to_owned());
        Event::Cell(Box::new(CellRecord { package, ..sample::record("a::b", kernel, Verdict::Good) }))
    };
    let run = sample::fold([
        of("6.12.57", "6.12.57-1"),
        of("6.12.57+deb12", "6.12.57-1~bpo12+1"),
        of("6.12.117", "6.12.117-1"),
    ]);
    let told = run.packages_to_tell();
    assert_eq!(told, [("6.12.57", "6.12.57-1"), ("6.12.57+deb12", "6.12.57-1~bpo12+1")]);
    let text = summary(&run, Path::new("reports/x"), MatrixStyle::PLAIN).unwrap();
    assert!(text.contains("Packages 6.12.57 is 6.12.57-1, 6.12.57+deb12 is 6.12.57-1~bpo12+1"), "{text}");
    let alone = sample::fold([of("6.12.117", "6.12.117-1")]);
    assert!(alone.packages_to_tell().is_empty());
}
