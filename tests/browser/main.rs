//! The page of a run in a browser: it filters, opens cells, is used by the keyboard, and runs nothing that a guest wrote.

mod client;
mod matrix;

use std::path::PathBuf;

use client::Browser;
use kregress::journal::RunDir;
use kregress::render::{Run, Subject, write_files};
use kregress::report::RunSummary;
use kregress::report::junit::JunitKnown;
use serde_json::json;

const ID: &str = "2026-11-21T09-12-33-a1b2";

fn page(root: &std::path::Path, tests: usize, kernels: usize) -> PathBuf {
    for (round, day) in (19..21).enumerate() {
        matrix::write(root, &format!("2026-11-{day}T09-12-33-a1b2"), tests, kernels, round, 0);
    }
    let dir = matrix::write(root, ID, tests, kernels, 3, 10);
    written(&dir)
}

fn written(dir: &RunDir) -> PathBuf {
    let run = RunSummary::of(dir).unwrap();
    let subject = Subject::Run(Run { summary: &run, dir, junit_known: JunitKnown::default() });
    write_files(&subject, dir).unwrap();
    dir.path().join("index.html")
}

/// The browser, or a word that nothing is tested.
fn browser(more: &[&str]) -> Option<Browser> {
    let program = client::program();
    if program.is_none() {
        loud_skip::skip("there is no Chromium (Debian: apt-get install chromium-headless-shell)");
    }
    Some(Browser::start(&program?, 1280, 900, more))
}

/// Rows and columns of the matrix that are shown, and cells that are not dimmed.
const SHAPE: &str = "[document.querySelectorAll('.matrix tbody tr:not([hidden])').length, \
    document.querySelectorAll('.matrix thead th:not([hidden])').length, \
    [...document.querySelectorAll('.matrix tbody tr:not([hidden]) td:not([hidden]):not(.dim) a')].length]";

#[test]
fn the_matrix_is_filtered_by_suite_kernel_verdict_and_text() {
    let Some(mut browser) = browser(&[]) else { return };
    let root = tempfile::tempdir().unwrap();
    let page = page(root.path(), 25, 20);
    browser.open(&page, "");
    assert_eq!(browser.read(SHAPE), json!([25, 20, 500]));
    assert_eq!(browser.read("document.querySelector('#shown').textContent"), "500 cells");
    browser.open(&page, "suite=block&kernel=6.3.10");
    assert_eq!(browser.read(SHAPE), json!([5, 1, 5]));
    browser.open(&page, "verdict=FAIL");
    let failed = browser.read("document.querySelectorAll('.matrix td.bad').length");
    assert_eq!(browser.read(SHAPE)[2], failed);
    assert_eq!(
        browser.read("document.querySelectorAll('.matrix tr:not([hidden]) td.known:not(.dim)').length"),
        0
    );
    // the list of failures follows
    let listed = "document.querySelectorAll('#failures li:not([hidden])').length";
    assert_eq!(browser.read(listed), failed);
    browser.open(&page, "text=iomap+warning");
    let shown = browser.read(SHAPE);
    assert_eq!(shown[2], browser.read("document.querySelectorAll('.matrix td.other').length"));
    // by hand: what is typed is found, and nothing has words
    browser.open(&page, "");
    browser.press("/");
    for letter in ["z", "z", "q"] {
        browser.press(letter);
    }
    assert_eq!(browser.read("document.querySelector('#none').hidden"), false);
    assert_eq!(browser.read("location.hash"), "#text=zzq");
    browser.read("document.querySelector('#reset').click()");
    assert_eq!(browser.read(SHAPE), json!([25, 20, 500]));
}

#[test]
fn a_cell_opens_by_keyboard_and_the_focus_comes_back() {
    let Some(mut browser) = browser(&[]) else { return };
    let root = tempfile::tempdir().unwrap();
    let page = page(root.path(), 10, 6);
    browser.open(&page, "");
    assert_eq!(browser.read("document.querySelectorAll('.matrix a[tabindex=\"0\"]').length"), 1);
    browser.read("document.querySelector('.matrix a[tabindex=\"0\"]').focus()");
    for key in ["ArrowRight", "ArrowDown", "ArrowDown", "End", "ArrowLeft"] {
        browser.press(key);
    }
    let focused = "document.activeElement.closest('tr').cells[0].textContent + '@' + document.querySelectorAll('.matrix thead th')[document.activeElement.parentElement.cellIndex - 1].textContent";
    let cell = format!("{}@{}", matrix::test_name(2), matrix::kernel_name(4));
    assert_eq!(browser.read(focused), cell);
    browser.press("Enter");
    assert_eq!(browser.read("document.querySelector('#panel').open"), true);
    let title = browser.read("document.activeElement.textContent");
    let expected = format!("{} on {}", matrix::test_name(2), matrix::kernel_name(4));
    assert!(title.as_str().unwrap().contains(&expected), "{title}");
    let hash = browser.read("new URLSearchParams(location.hash.slice(1)).get('cell')");
    assert_eq!(hash, cell);
    browser.press("n");
    assert_ne!(browser.read("document.activeElement.textContent"), title);
    browser.press("p");
    assert_eq!(browser.read("document.activeElement.textContent"), title);
    browser.press("Escape");
    assert_eq!(browser.read("document.querySelector('#panel').open"), false);
    assert_eq!(browser.read(focused), cell);
}

#[test]
fn a_cell_that_failed_shows_the_blamed_line_and_what_to_do() {
    let Some(mut browser) = browser(&[]) else { return };
    let root = tempfile::tempdir().unwrap();
    let page = page(root.path(), 25, 6);
    browser.open(&page, "");
    let name = browser.read("document.querySelector('#failures a').textContent");
    let name = name.as_str().unwrap().to_owned();
    browser.open(&page, &format!("cell={name}"));
    let text = |browser: &mut Browser, selector: &str| {
        let read = browser.read(&format!("document.querySelector(\"#panel {selector}\").textContent"));
        read.as_str().unwrap_or_default().to_owned()
    };
    let blamed = text(&mut browser, "pre .blamed");
    assert!(blamed.contains(" elevator_switch+0x71") && blamed.ends_with("◄ blamed"), "{blamed}");
    assert_eq!(text(&mut browser, "pre .blamed mark"), "elevator_switch");
    assert_eq!(browser.read("document.querySelector('#panel pre .blamed').dataset.n"), "51");
    let command = text(&mut browser, "dd code");
    let (test, kernel) = name.split_once('@').unwrap();
    assert_eq!(command, format!("kregress run --exact {test} -k {kernel} -s mine.yaml"));
    assert_eq!(browser.read("document.querySelectorAll('#panel .strip li').length"), 3);
    // what a guest or a suite wrote is text
    assert!(text(&mut browser, ".about").contains("</noscript><script>"));
    assert_eq!(browser.read("document.querySelectorAll('#panel script').length"), 0);
    assert_ne!(browser.read("document.title"), "owned");
    assert_eq!(browser.read("document.querySelectorAll('#panel a[href^=javascript]').length"), 0);
    let console = "[...document.querySelectorAll('#panel pre .in')].map((line) => line.dataset.n)";
    assert_eq!(browser.read(&format!("{console}[0]")), "41");
    assert_eq!(browser.read(&format!("{console}.length")), 21);
}

#[test]
fn what_a_screen_reader_needs_is_there() {
    let Some(mut browser) = browser(&[]) else { return };
    let root = tempfile::tempdir().unwrap();
    let page = page(root.path(), 10, 30);
    browser.open(&page, "");
    // every control has a name, and every word of the narrow matrix is there for who does not see it
    let unnamed = "[...document.querySelectorAll('input, select, button')].filter((control) => \
        !control.closest('label') && !control.textContent.trim() && !control.getAttribute('aria-label')).length";
    assert_eq!(browser.read(unnamed), 0);
    let roles = browser.call("Accessibility.getFullAXTree", json!({}));
    let nodes = roles["nodes"].as_array().unwrap();
    let named = |role: &str, name: &str| {
        nodes.iter().any(|node| node["role"]["value"] == role && node["name"]["value"] == name)
    };
    assert!(named("grid", "Tests and kernels"));
    assert!(named("link", "PASS") && named("link", "KNOWN"), "words of the narrow matrix");
    assert!(named("columnheader", &matrix::kernel_name(0)));
    assert!(named("rowheader", &matrix::test_name(0)));
    assert!(named("searchbox", "Text"));
    assert!(named("button", "Show all"));
}

#[test]
fn without_a_script_everything_is_there() {
    let Some(mut browser) = browser(&["--blink-settings=scriptEnabled=false"]) else { return };
    let root = tempfile::tempdir().unwrap();
    let page = page(root.path(), 10, 6);
    browser.open(&page, "");
    assert_eq!(browser.read("document.querySelectorAll('section.cell').length"), 60);
    assert_eq!(browser.read("getComputedStyle(document.querySelector('.tools')).display"), "none");
    assert_eq!(browser.read("document.querySelectorAll('section.about').length"), 10);
}
