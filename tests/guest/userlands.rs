//! Programs in a root file system of Debian packages, in real guests.

use super::place::Place;

#[test]
fn a_userland_is_the_root_and_nothing_of_the_evidence_is_lost() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "userlands"]);
    if ended.cell("userlands::is-the-root").contains("fetching the package lists failed") {
        return loud_skip::skip(format_args!("no userland was made: {}", ended.err));
    }
    let table = [
        // one attempt in a guest that booted or was restored, and one more that was restored
        ("is-the-root", "good"),
        ("reports", "bad: dash says so"),
        ("leaves-a-process", "good"),
        ("crashes", "bad: kernel panic: sysrq triggered crash"),
    ];
    for (test, expected) in table {
        assert_eq!(ended.cell(&format!("userlands::{test}")), expected);
    }
}
