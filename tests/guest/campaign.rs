//! The short form of the fault campaign (`benches/campaign`): the rows that have no other test.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::faults::table::{Outcome, Table};
use super::faults::{cuts, guests, hosts, kills};
use super::place::Place;

#[test]
fn no_fault_is_taken_for_a_verdict_and_nothing_is_lost_or_left() {
    let Some(place) = Place::new() else { return };
    let mut table = Table::default();
    let rows: Vec<_> = guests::list().into_iter().filter(|row| row.short).collect();
    guests::attempt(&place, &rows, &mut table);
    hosts::attempt(&place, 1, true, &mut table);
    let mut random = StdRng::seed_from_u64(u64::from(std::process::id()));
    cuts::attempt(&place, 6, &mut random, &mut table);
    kills::attempt(&place, 1, &mut random, &mut table);
    println!("{}", table.markdown());
    assert!(table.passed(), "{}", table.markdown());
}

#[test]
fn a_table_in_a_file_is_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("table.md");
    let mut first = Table::kept(file.clone());
    first.add("one | two", Outcome::Right);
    first.add("three", Outcome::Wrong("it said:\n\n- nothing".into()));
    first.add("three", Outcome::Lost("a cell".into()));
    let mut second = Table::kept(file.clone());
    assert_eq!(second.markdown(), first.markdown());
    second.add("one | two", Outcome::NotHere("no disk".into()));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("| one \\| two | 1 | 1 | 0 | 0 | 0 | 1 |\n"), "{text}");
    assert!(text.contains("| **all** | 3 | 1 | 1 | 1 | 0 | 1 |\n"), "{text}");
    assert!(!second.passed());
}
