//! The short form of the fault campaign (`benches/campaign`): the rows that have no other test.

use rand::SeedableRng;
use rand::rngs::StdRng;

use super::faults::{cuts, guests, hosts, kills, table::Table};
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
