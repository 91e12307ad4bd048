//! Catalogues of kernels, and the expressions that choose from them.
#![no_main]

use kregress::kernel::{KernelSpec, Library};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = kregress_fuzz::as_file("kernels.yaml", bytes);
    let folder = path.parent().expect("a folder").to_path_buf();
    if let Err(error) = Library::open(&folder.join("cache"), &[folder]) {
        let _ = error.to_string();
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        for word in text.lines() {
            let _ = word.parse::<KernelSpec>();
        }
    }
    let _ = std::fs::remove_file(path);
});
