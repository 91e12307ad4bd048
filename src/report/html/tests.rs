//! The document is well-formed, leads to what it names, and no text of a guest becomes markup.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;
use quick_xml::Reader;
use quick_xml::events::Event as Xml;

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
    let links: Vec<String> = values(&html, "href").into_iter().filter(|link| link.starts_with('#')).collect();
    // nine from the matrix, three from the table of defects
    assert_eq!(links.len(), 12);
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
    <tr><th scope="row">general protection fault in elevator_switch<br/><span class="quiet">also KASAN: slab-use-after-free Read in elevator_switch</span></th><td>DoS</td><td>3</td><td>5</td><td><a href="#cell-1">block::elevator-switch-race@6.12.57</a><br/><a href="#cell-2">block::elevator-switch-race@6.17.13</a><br/><a href="#cell-3">ext4::mmap-writeback-failure@7.2.13</a></td><td><a href="./attempts/block__elevator-switch-race@6.12.57/2/console.log">console</a>, line 300</td></tr>
    <tr><th scope="row">general protection fault in ext4_map_blocks</th><td>DoS</td><td>1</td><td>1</td><td><a href="#cell-1">block::elevator-switch-race@6.12.57</a></td><td><a href="./attempts/block__elevator-switch-race@6.12.57/1/console.log">console</a>, line 300</td></tr>
    "##);
}

#[test]
fn nothing_is_loaded_and_nothing_runs() {
    let html = document(&sample::finished());
    let names: BTreeSet<String> = elements(&html).into_iter().map(|(name, _)| name).collect();
    for name in ["script", "link", "img", "iframe", "object", "form"] {
        assert!(!names.contains(name), "<{name}>");
    }
    assert!(
        values(&html, "href").iter().all(|link| link.starts_with('#') || link.starts_with("./attempts/"))
    );
    assert!(!include_str!("style.css").contains("url("));
}

#[test]
fn tables_and_scroll_areas_can_be_used_without_a_mouse_and_without_colour() {
    let html = document(&sample::finished());
    let scopes = values(&html, "scope");
    assert_eq!(
        (scopes.iter().filter(|s| *s == "col").count(), scopes.iter().filter(|s| *s == "row").count()),
        (9, 6)
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
    assert!(html.contains("Console, lines 404 to 481"));
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
        prop_assert!(elements(&html).iter().all(|(name, _)| name != "script"));
    }
}
