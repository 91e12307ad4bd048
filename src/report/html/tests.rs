//! The document is well-formed, leads to what it names, and no text of a guest becomes markup.

use std::collections::BTreeSet;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use sha2::{Digest as _, Sha256};

use super::cell::href;
use super::*;
use crate::event::{CellRecord, Event};
use crate::report::sample;
use crate::verdict::Verdict;

/// The elements of a document with their attributes; fails when it is not well-formed.
fn elements(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(html);
    let (mut found, mut depth) = (Vec::new(), 0i32);
    loop {
        let event = reader.read_event().unwrap();
        let tag = match &event {
            Xml::Start(tag) => {
                depth += 1;
                tag
            }
            Xml::Empty(tag) => tag,
            Xml::End(_) => {
                depth -= 1;
                continue;
            }
            Xml::Text(text) => {
                assert!(!text.decode().unwrap().contains(['\u{0}', '\u{1b}']));
                continue;
            }
            Xml::Eof => break,
            _ => continue,
        };
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let attributes = tag.attributes().map(|attribute| {
            let attribute = attribute.unwrap();
            (
                text(attribute.key.as_ref()),
                attribute.normalized_value(quick_xml::XmlVersion::Implicit1_0).unwrap().into_owned(),
            )
        });
        found.push((text(tag.name().as_ref()), attributes.collect()));
    }
    assert_eq!(depth, 0);
    found
}

fn values(html: &str, attribute: &str) -> Vec<String> {
    let attributes = elements(html).into_iter().flat_map(|(_, attributes)| attributes);
    attributes.filter(|(name, _)| name == attribute).map(|(_, value)| value).collect()
}

fn document(run: &RunSummary) -> String {
    html(run, &RunDir::at(Path::new("no/such/run"))).unwrap()
}

#[test]
fn every_cell_of_the_matrix_leads_to_its_evidence() {
    let html = document(&sample::finished());
    let ids: Vec<String> = values(&html, "id");
    let unique: BTreeSet<&String> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "{ids:?}");
    let links: Vec<String> =
        values(&html, "href").into_iter().filter(|link| link.starts_with("#cell-")).collect();
    // nine from the matrix, three from the table of defects, five from the list of failures
    assert_eq!(links.len(), 17);
    assert!(links.iter().all(|link| ids.contains(&link[1..].to_owned())), "{links:?}");
    for text in
        ["NULL pointer dereference", "KNOWN", "FIXED", "module cifs is not", "at most 0.8%", "1 not run"]
    {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn cells_that_crash_alike_share_a_row() {
    let html = document(&sample::crashing());
    let table = &html[html.find("<h2>3 cells, 2 distinct crashes</h2>").unwrap()..];
    let table = &table[..table.find("</table>").unwrap()];
    let rows: Vec<&str> = table.lines().filter(|line| line.starts_with("<tr>")).collect();
    insta::assert_snapshot!(rows.join("\n"), @r##"
    <tr><th scope="row" class="wide">general protection fault in elevator_switch<br/><span class="quiet">also KASAN: slab-use-after-free Read in elevator_switch</span></th><td>DoS</td><td class="figure">3</td><td class="figure">5</td><td><a href="#cell-1">block::elevator-switch-race@6.12.57</a><br/><a href="#cell-2">block::elevator-switch-race@6.17.13</a><br/><a href="#cell-3">ext4::mmap-writeback-failure@7.2.13</a></td><td><a href="./attempts/block__elevator-switch-race@6.12.57/2/console.log">console</a>, line 300</td></tr>
    <tr><th scope="row" class="wide">general protection fault in ext4_map_blocks</th><td>DoS</td><td class="figure">1</td><td class="figure">1</td><td><a href="#cell-1">block::elevator-switch-race@6.12.57</a></td><td><a href="./attempts/block__elevator-switch-race@6.12.57/1/console.log">console</a>, line 300</td></tr>
    "##);
}

#[test]
fn nothing_is_loaded_and_nothing_of_a_guest_runs() {
    let html = document(&sample::finished());
    let found = elements(&html);
    for name in ["link", "img", "iframe", "object", "form"] {
        assert!(!found.iter().any(|(found, _)| found == name), "<{name}>");
    }
    let scripts = found.iter().filter(|(name, _)| name == "script").count();
    assert_eq!(scripts, 1, "the page's own");
    // which the policy knows by its digest
    let policy =
        values(&html, "content").into_iter().find(|value| value.contains("default-src 'none'")).unwrap();
    let script = &html[html.find("<script>").unwrap() + 8..html.find("</script>").unwrap()];
    let digest = STANDARD.encode(Sha256::digest(script.as_bytes()));
    assert!(policy.contains(&format!("script-src 'sha256-{digest}'")), "{policy}");
    let attributes = found.iter().flat_map(|(_, attributes)| attributes);
    assert!(attributes.clone().all(|(name, _)| !name.starts_with("on") && name != "src" && name != "style"));
    let pages = ["#", "./attempts/", "https://lore.example.org/"];
    let links = values(&html, "href");
    assert!(links.iter().all(|link| pages.iter().any(|page| link.starts_with(page))), "{links:?}");
}

#[test]
fn tables_and_scroll_areas_can_be_used_without_a_mouse_and_without_colour() {
    let html = document(&sample::finished());
    let scopes = values(&html, "scope");
    assert!(scopes.iter().all(|scope| scope == "col" || scope == "row") && scopes.len() > 15);
    assert!(
        elements(&html)
            .iter()
            .filter(|(name, _)| name == "th")
            .all(|(_, a)| a.iter().any(|(n, _)| n == "scope"))
    );
    assert!(html.contains("<html lang=\"en\">") && html.contains("<caption"));
    assert!(
        elements(&html)
            .iter()
            .filter(|(name, _)| name == "pre")
            .all(|(_, a)| a.iter().any(|(n, _)| n == "tabindex"))
    );
}

#[test]
fn the_console_is_quoted_where_the_crash_is() {
    let root = tempfile::tempdir().unwrap();
    let run = sample::finished();
    let dir = RunDir::at(root.path());
    let cell = sample::cell(&run, "block::elevator-switch-race", "6.17.13");
    let attempt = cell.deciding_attempt().unwrap();
    let console = dir.file(attempt.console.as_ref().unwrap()).unwrap();
    std::fs::create_dir_all(console.parent().unwrap()).unwrap();
    let lines: String = (1..=1000).map(|n| format!("[ 1.{n}] <line {n}>\u{1b}[0m\u{0}\n")).collect();
    std::fs::write(&console, lines).unwrap();
    let html = html(&run, &dir).unwrap();
    elements(&html);
    assert!(html.contains("Console, lines 404 to 481; the crash report is lines 412 to 413"));
    assert!(html.contains("&lt;line 412&gt;") && !html.contains("&lt;line 403&gt;"));
}

#[test]
fn links_stay_in_the_run() {
    let dir = RunDir::at(Path::new("reports/x"));
    let cases = [
        ("attempts/a__b@6.1/1/console.log", Some("./attempts/a__b@6.1/1/console.log")),
        ("a b\"<é", Some("./a%20b%22%3C%C3%A9")),
        ("javascript:alert(1)", Some("./javascript%3Aalert%281%29")),
        ("../../etc/passwd", None),
        ("/etc/passwd", None),
    ];
    for (path, expected) in cases {
        assert_eq!(href(path, &dir).as_deref(), expected, "{path}");
    }
}

#[test]
fn an_empty_and_a_killed_run_have_a_page() {
    elements(&document(&RunSummary::default()));
    let html = document(&sample::fold(sample::events().into_iter().take(8)));
    elements(&html);
    assert!(html.contains("the runner was killed"));
}

proptest! {
    #[test]
    fn no_text_becomes_markup(test: String, kernel: String, text in "[\\x00-\\x1f<>&\"'a-z\u{ffff}-]{0,40}") {
        let mut events = vec![Event::Cell(Box::new(CellRecord {
            title: Some(text.clone()), release: Some(text.clone()), ..sample::record(&test, &kernel, Verdict::Bad)
        }))];
        events.push(Event::Notice { text: text + "<script>alert(1)</script>" });
        let html = document(&sample::fold(events));
        prop_assert_eq!(elements(&html).iter().filter(|(name, _)| name == "script").count(), 1);
    }
}

#[test]
fn text_that_reorders_or_hides_other_text_is_replaced() {
    let title = "a\u{202e}b\u{200b}c\u{2066}d".to_owned();
    let record = CellRecord { title: Some(title), ..sample::record("a::b", "6.1", Verdict::Bad) };
    let html = document(&sample::fold([Event::Cell(Box::new(record))]));
    assert!(html.contains("a\u{fffd}b\u{fffd}c\u{fffd}d"));
}

#[test]
fn nothing_that_failed_is_not_always_good_news() {
    let skipped = sample::fold([Event::Cell(Box::new(sample::record("a::b", "6.1", Verdict::Skip)))]);
    assert!(document(&skipped).contains("Nothing. But nothing was judged"));
    let cut = sample::fold([
        sample::started(2),
        Event::Cell(Box::new(sample::record("a::b", "6.1", Verdict::Good))),
    ]);
    assert!(document(&cut).contains("Nothing. But 1 cell was not run."));
}
