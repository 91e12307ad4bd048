//! Machines.
#![no_main]

use kregress::machine::Machines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = kregress_fuzz::as_file("machine.yaml", bytes);
    let folder = path.parent().expect("a folder");
    if let Err(error) = Machines::load(folder) {
        let _ = error.to_string();
    }
    let _ = std::fs::remove_file(path);
});
