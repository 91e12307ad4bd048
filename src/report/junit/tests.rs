//! Every document is read again and checked against the schema's rules.

use std::collections::BTreeMap;

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event as Xml};

use super::case::{EXCERPT_LIMIT, OUTPUT_LIMIT};
use super::*;
use crate::event::{AttemptRecord, CellId, CellRecord, Diagnosis, Event};
use crate::report::sample;
use crate::verdict::Verdict;

/// One element: its name, attributes, text and children.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn new(tag: &BytesStart) -> Element {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (
                text(attribute.key.as_ref()),
                attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned(),
            )
        });
        Element { name: text(tag.name().as_ref()), attributes: attributes.collect(), ..Element::default() }
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

fn parse(xml: &str) -> Element {
    let mut reader = Reader::from_str(xml);
    reader.config_mut().check_end_names = true;
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().unwrap();
        let current = open.last_mut().unwrap();
        match event {
            Xml::Start(tag) => open.push(Element::new(&tag)),
            Xml::Empty(tag) => current.children.push(Element::new(&tag)),
            Xml::End(_) => {
                let done = open.pop().unwrap();
                open.last_mut().unwrap().children.push(done);
            }
            Xml::Text(text) => current.text.push_str(&text.decode().unwrap()),
            Xml::CData(text) => current.text.push_str(&text.decode().unwrap()),
            Xml::Decl(_) => {}
            Xml::Eof => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(open.len(), 1, "an element is not closed");
    open.pop().unwrap().children.pop().unwrap()
}

/// Checks a document against the rules of `junit-10.xsd` that apply to what is written here.
fn check_structure(root: &Element) {
    assert_eq!(root.name, "testsuites");
    let has = |element: &Element, required: &[&str], optional: &[&str]| {
        for name in required {
            assert!(element.attributes.contains_key(*name), "{} lacks {name}", element.name);
        }
        for name in element.attributes.keys().map(String::as_str) {
            assert!(required.contains(&name) || optional.contains(&name), "{} has {name}", element.name);
        }
    };
    has(root, &["name", "tests", "failures", "errors", "time"], &[]);
    for name in ["tests", "failures", "errors"] {
        let sum: u64 = root.children.iter().map(|suite| suite.attributes[name].parse::<u64>().unwrap()).sum();
        assert_eq!(root.attributes[name], sum.to_string(), "{name}");
    }
    for (id, suite) in root.children.iter().enumerate() {
        assert_eq!(suite.name, "testsuite");
        has(
            suite,
            &["name", "tests", "failures", "errors", "time"],
            &["skipped", "timestamp", "hostname", "id", "package"],
        );
        assert_eq!(suite.attributes["id"], id.to_string());
        let count =
            |kind: &str| suite.all("testcase").filter(|case| case.all(kind).count() > 0).count().to_string();
        assert_eq!(suite.attributes["tests"], suite.all("testcase").count().to_string());
        assert_eq!(suite.attributes["failures"], count("failure"));
        assert_eq!(suite.attributes["errors"], count("error"));
        if let Some(skipped) = suite.attributes.get("skipped") {
            assert_eq!(*skipped, count("skipped"));
        }
        let decimals = |text: &str| text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        suite.attributes["time"].parse::<f64>().unwrap();
        assert!(decimals(&suite.attributes["time"]) <= 3 && decimals(&root.attributes["time"]) <= 3);
        for child in &suite.children {
            match child.name.as_str() {
                "properties" => child.children.iter().for_each(|property| {
                    assert_eq!(property.name, "property");
                    has(property, &["name", "value"], &[]);
                }),
                "testcase" => {
                    has(child, &["name"], &["time", "classname"]);
                    child.attributes["time"].parse::<f64>().unwrap();
                    let mut results = 0;
                    let places = |name: &str| child.children.iter().position(|part| part.name == name);
                    assert!(places("system-out").is_none_or(|at| at + 1 == child.children.len()));
                    for part in &child.children {
                        match part.name.as_str() {
                            "rerunFailure" | "rerunError" | "flakyFailure" | "flakyError" => {
                                has(part, &["type", "message"], &[]);
                                assert_eq!(part.children.len(), 1);
                                assert_eq!(part.children[0].name, "stackTrace");
                                let fails =
                                    child.children.iter().any(|p| p.name == "failure" || p.name == "error");
                                assert_eq!(fails, part.name.starts_with("rerun"));
                                continue;
                            }
                            "failure" | "error" | "skipped" => {
                                has(part, &[], &["type", "message"]);
                                assert!(part.name == "skipped" || !part.text.is_empty(), "no body: {part:?}");
                                results += 1;
                            }
                            "system-out" | "system-err" => has(part, &[], &[]),
                            other => panic!("<{other}> in a test case"),
                        }
                        assert!(part.children.is_empty());
                    }
                    assert!(results <= 1);
                }
                other => panic!("<{other}> in a test suite"),
            }
        }
    }
}

/// Each test case in a line: what a CI system shows of it.
fn outline(root: &Element) -> String {
    let mut lines = Vec::new();
    for suite in &root.children {
        let properties: Vec<String> = suite
            .all("properties")
            .flat_map(|all| &all.children)
            .map(|p| format!("{}={}", p.attributes["name"], p.attributes["value"]))
            .collect();
        let of = |name: &str| suite.attributes.get(name).cloned().unwrap_or_default();
        lines.push(format!("{} at {} {}", of("name"), of("timestamp"), properties.join(" ")));
        for case in suite.all("testcase") {
            let result = case.children.iter().find(|part| part.name != "system-out");
            let result = result.map_or_else(
                || "success".to_owned(),
                |r| format!("{} [{}] {}", r.name, r.attributes["type"], r.attributes["message"]),
            );
            let of = |name: &str| &case.attributes[name];
            lines.push(format!("  {} {} {} {result}", of("classname"), of("name"), of("time")));
        }
    }
    lines.join("\n")
}

#[test]
fn a_finished_run() {
    let root = parse(&junit(&sample::finished()).unwrap());
    check_structure(&root);
    insta::assert_snapshot!(outline(&root), @r#"
    6.12.57 at 2026-11-21T09:12:33Z run=2026-11-21T09-12-33-a1b2 kregress=0.1.0 qemu=10.0.2 accel=tcg ended=finished release=6.12.57+deb13-cloud-amd64
      block elevator-switch-race[6.12.57] 36.9 success
      cifs fsconfig-source-leak[6.12.57] 3.212 failure [symptom] leak of 20000 objects in kmalloc-192
      ext4 mmap-writeback-failure[6.12.57] 120.5 error [lost] the agent did not speak within 60 s
    6.17.13 at 2026-11-21T09:12:33Z release=6.17.13+deb13-cloud-amd64
      block elevator-switch-race[6.17.13] 3.212 skipped [known] known to the suite: BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request
      cifs fsconfig-source-leak[6.17.13] 0 skipped [skip] module cifs is not in this kernel's package
      ext4 mmap-writeback-failure[6.17.13] 3.212 failure [other: WARNING] WARNING in ext4_iomap_begin
    7.2.13 at 2026-11-21T09:12:33Z release=7.2.13+deb14-amd64
      block elevator-switch-race[7.2.13] 31 success
      cifs fsconfig-source-leak[7.2.13] 3.212 error [blind] the slab probe could not be read: no /proc/slabinfo
      ext4 mmap-writeback-failure[7.2.13] 0 error [not run] not run: the run finished without a verdict for this cell
    "#);
}

#[test]
fn a_killed_and_a_cancelled_run() {
    let mut events = sample::events();
    events.truncate(2 + 9 + 10);
    let killed = parse(&junit(&sample::fold(events.clone())).unwrap());
    check_structure(&killed);
    insta::assert_snapshot!(outline(&killed).lines().filter(|line| line.contains("not run")).collect::<Vec<_>>().join("\n"), @r#"
    cifs fsconfig-source-leak[6.12.57] 0 error [not run] not run: the runner was killed before this cell had a verdict
    ext4 mmap-writeback-failure[6.12.57] 0 error [not run] not run: the runner was killed before this cell had a verdict
    cifs fsconfig-source-leak[6.17.13] 0 error [not run] not run: the runner was killed before this cell had a verdict
    ext4 mmap-writeback-failure[6.17.13] 0 error [not run] not run: the runner was killed before this cell had a verdict
    block elevator-switch-race[7.2.13] 0 error [not run] not run: the runner was killed before this cell had a verdict
    cifs fsconfig-source-leak[7.2.13] 0 error [not run] not run: the runner was killed before this cell had a verdict
    ext4 mmap-writeback-failure[7.2.13] 0 error [not run] not run: the runner was killed before this cell had a verdict
    "#);
    events.push(sample::ended(true));
    let cancelled = parse(&junit(&sample::fold(events)).unwrap());
    check_structure(&cancelled);
    let skipped = outline(&cancelled).lines().filter(|line| line.contains("skipped [not run]")).count();
    assert_eq!(skipped, 7);
    // which no reader shows as a failure
    assert!(
        outline(&cancelled)
            .ends_with("kregress complete 0 error [not run] the run was ended: 7 cells were not run")
    );
}

#[test]
fn a_run_that_judged_nothing_is_no_success() {
    let skipped = Event::Cell(Box::new(sample::record("s::a", "6.1", Verdict::Skip)));
    let run = sample::fold([sample::started(1), skipped, sample::ended(false)]);
    let root = parse(&junit(&run).unwrap());
    check_structure(&root);
    assert!(
        outline(&root)
            .ends_with("kregress judged 0 error [not run] nothing was judged: every cell was skipped")
    );
    let empty = parse(&junit(&sample::fold([sample::started(0), sample::ended(false)])).unwrap());
    check_structure(&empty);
    assert_eq!(empty.attributes["errors"], "1");
}

/// A run of one cell whose attempts said this.
fn attempted(verdict: Verdict, attempts: &[Verdict]) -> RunSummary {
    let record = CellRecord {
        title: (verdict == Verdict::Bad).then(|| "boom".to_owned()),
        attempts: attempts.len() as u32,
        ..sample::record("s::a", "6.1", verdict)
    };
    let like = sample::cell(&sample::finished(), "block::elevator-switch-race", "6.12.57").attempts.remove(0);
    let attempts = attempts.iter().zip(1..).map(|(verdict, attempt)| {
        let title = (*verdict == Verdict::Bad).then(|| "boom".to_owned());
        let attempt = AttemptRecord { attempt, verdict: *verdict, title, ..like.clone() };
        Event::Attempt { cell: record.id(), record: Box::new(attempt) }
    });
    let events: Vec<Event> = attempts.collect();
    sample::fold(events.into_iter().chain([Event::Cell(Box::new(record))]))
}

#[test]
fn other_attempts_that_failed_are_told_apart() {
    use Verdict::{Bad, Good, Lost, Other};
    let shown = |verdict, attempts: &[Verdict]| {
        let root = parse(&junit(&attempted(verdict, attempts)).unwrap());
        check_structure(&root);
        let case = root.children[0].all("testcase").next().unwrap();
        case.children.iter().map(|part| part.name.clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(shown(Good, &[Good, Good]), "system-out");
    assert_eq!(shown(Good, &[Lost, Good]), "flakyError system-out");
    assert_eq!(shown(Bad, &[Good, Bad]), "failure system-out");
    assert_eq!(shown(Bad, &[Other, Lost, Bad]), "failure rerunFailure rerunError system-out");
    assert_eq!(
        shown(Bad, &[Lost, Other, Lost, Bad]),
        "failure rerunFailure rerunError rerunError system-out"
    );
    assert_eq!(shown(Lost, &[Lost, Lost]), "error rerunError system-out");
}

#[test]
fn consoles_of_failures_are_attached() {
    let run = sample::finished();
    let dir = RunDir::at(std::path::Path::new("reports/x"));
    let root = parse(&pieces(&run, JunitKnown::Skipped, Some(&dir)).collect::<Result<String, _>>().unwrap());
    let outputs =
        root.children.iter().flat_map(|suite| suite.all("testcase")).flat_map(|case| case.all("system-out"));
    let attached: Vec<&str> =
        outputs.filter_map(|output| output.text.strip_prefix("[[ATTACHMENT|")?.split("]]").next()).collect();
    insta::assert_snapshot!(attached.join("\n"), @"
    reports/x/attempts/cifs__fsconfig-source-leak@6.12.57/1/console.log
    reports/x/attempts/ext4__mmap-writeback-failure@6.12.57/1/console.log
    reports/x/attempts/ext4__mmap-writeback-failure@6.17.13/1/console.log
    reports/x/attempts/cifs__fsconfig-source-leak@7.2.13/1/console.log
    ");
}

#[test]
fn a_run_killed_while_it_planned_does_not_look_complete() {
    let root = parse(&junit(&sample::fold(sample::events().into_iter().take(4))).unwrap());
    check_structure(&root);
    insta::assert_snapshot!(outline(&root), @r#"
    6.12.57 at 2026-11-21T09:12:33Z run=2026-11-21T09-12-33-a1b2 kregress=0.1.0 qemu=10.0.2 accel=tcg ended=killed release=6.12.57+deb13-cloud-amd64
      block elevator-switch-race[6.12.57] 0 error [not run] not run: the runner was killed before this cell had a verdict
    6.17.13 at 2026-11-21T09:12:33Z release=6.17.13+deb13-cloud-amd64
      block elevator-switch-race[6.17.13] 0 error [not run] not run: the runner was killed before this cell had a verdict
    plan at 2026-11-21T09:12:33Z 
      kregress plan 0 error [not run] 7 more cells were to run and were never named
    "#);
}

#[test]
fn a_known_failure_is_skipped_unless_it_is_to_fail() {
    let records = [("a", Some("known")), ("b", None)].map(|(test, known)| {
        let record = sample::record(&format!("s::{test}"), "6.17.13", Verdict::Bad);
        Event::Cell(Box::new(CellRecord { known: known.map(str::to_owned), ..record }))
    });
    let run = sample::fold(std::iter::once(sample::started(2)).chain(records).chain([sample::ended(false)]));
    let shown = |known| {
        let root = parse(&pieces(&run, known, None).collect::<Result<String, _>>().unwrap());
        check_structure(&root);
        let cases = outline(&root);
        let cases = cases.lines().skip(1).map(|line| line.split_whitespace().nth(3).unwrap().to_owned());
        (cases.collect::<Vec<_>>().join(" "), root.children[0].attributes["failures"].clone())
    };
    assert_eq!(shown(JunitKnown::Skipped), ("skipped failure".to_owned(), "1".to_owned()));
    assert_eq!(shown(JunitKnown::Failure), ("failure failure".to_owned(), "2".to_owned()));
}

#[test]
fn the_excerpt_and_the_output_are_there() {
    let run = sample::finished();
    let root = parse(&pieces(&run, JunitKnown::Failure, None).collect::<Result<String, _>>().unwrap());
    let suite = root.children.iter().find(|suite| suite.attributes["name"] == "6.17.13").unwrap();
    let case = suite.all("testcase").next().unwrap();
    let failure = case.all("failure").next().unwrap();
    let title = &failure.attributes["message"];
    assert!(failure.text.starts_with(&format!("{title}\n\n")), "{:?}", failure.text);
    // What XML forbids is replaced, what would end a section is not.
    let end =
        "]]> <&\u{fffd}[31m\n\nrun it again: kregress run --exact block::elevator-switch-race -k 6.17.13";
    assert!(failure.text.ends_with(end), "{:?}", failure.text);
    let output = &case.all("system-out").next().unwrap().text;
    for part in ["console.log", "reproduce.sh", "round 20000", "20000 iterations", "known:"] {
        assert!(output.contains(part), "{part} in {output}");
    }
}

#[test]
fn a_flood_stays_within_its_bound() {
    let mut events = sample::events();
    for event in &mut events {
        if let Event::Attempt { record, .. } = event {
            record.program.output = "]]>é\u{0}".repeat(1 << 20);
            record.diagnoses.iter_mut().for_each(|d| d.text = "x".repeat(10 << 20));
        }
    }
    let xml = junit(&sample::fold(events)).unwrap();
    check_structure(&parse(&xml));
    assert!(xml.len() < 9 * 5 * (OUTPUT_LIMIT + EXCERPT_LIMIT), "{}", xml.len());
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[\\x00-\\x1f<>&\"'\\]-]{0,20}",
        Just("<testsuite name=\"x\">".to_owned()),
        Just("]]><![CDATA[<testsuite >".to_owned()),
    ]
}

proptest! {
    #[test]
    fn any_text_gives_a_well_formed_document(
        test in any_text(), kernel in any_text(), title in any_text(), text in any_text(), output in any_text(),
        at in 0usize..6,
    ) {
        let verdict = Verdict::ALL[at];
        let record = CellRecord {
            title: Some(title.clone()), release: Some(text.clone()), reason: Some(output.clone()),
            ..sample::record(&test, &kernel, verdict)
        };
        let Some(Event::Attempt { record: mut attempt, .. }) =
            sample::events().into_iter().find(|event| matches!(event, Event::Attempt { .. })) else { panic!() };
        attempt.verdict = verdict;
        attempt.title = Some(title.clone());
        attempt.program.output = output;
        attempt.diagnoses = vec![Diagnosis {
            title, alt_titles: Vec::new(), kind: text.clone(), frame: None, frames: Vec::new(), corrupted: false, line: 1, witness: None, text,
        }];
        let cell = CellId { test: test.clone(), kernel: kernel.clone() };
        let run = sample::fold([
            sample::started(1),
            Event::Attempt { cell, record: attempt },
            Event::Cell(Box::new(record)),
        ]);
        let root = parse(&junit(&run).unwrap());
        check_structure(&root);
        // a run that skipped everything says so
        prop_assert_eq!(root.children.len(), 1 + usize::from(verdict == Verdict::Skip));
    }
}
