//! A project's settings.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = kregress_fuzz::as_file("kregress.yaml", bytes);
    if let Err(error) = kregress::config::load(&path) {
        let _ = error.to_string();
    }
});
