//! Suites are loaded as their files say, and what is wrong with them is said where it stands.

use std::path::Path;

use kregress::suite::load_dir;

fn fixtures() -> &'static Path {
    Path::new("tests/fixtures/suites")
}

#[test]
fn a_whole_suite_is_loaded() {
    let suites =
        load_dir(fixtures().join("good")).unwrap_or_else(|error| panic!("{}", error.render(false, 100)));
    insta::assert_debug_snapshot!(suites);
}
