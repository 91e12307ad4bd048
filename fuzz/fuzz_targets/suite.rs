//! Suites, and the messages that are known.
#![no_main]

use kregress::suite;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = kregress_fuzz::as_file("suite.yaml", bytes);
    match suite::load_file(&path) {
        Ok(suite) => assert!(!suite.tests.is_empty()),
        Err(error) => {
            let text = error.render(false, 100);
            assert!(!text.contains(['\u{1b}', '\u{0}', '\u{9b}', '\u{202e}']), "{text:?}");
        }
    }
    let _ = suite::load_messages(&path);
});
