//! What programs that were not written for these guests expect of a system, in real guests.

use super::place::Place;

#[test]
fn a_guest_has_what_programs_expect_and_loads_what_they_ask_for() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "surroundings"]);
    for test in ["modules-on-demand", "a-whole-system"] {
        assert_eq!(ended.cell(&format!("surroundings::{test}")), "good");
    }
}
