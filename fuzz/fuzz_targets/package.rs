//! Kernels as people have them: `.deb`, `.rpm`, tarballs, images.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = kregress_fuzz::as_file("package", bytes);
    kregress_fuzz::within_a_folder(|folder| {
        if let Err(error) = kregress::kernel::unpack_file(&path, folder) {
            let _ = error.to_string();
        }
    });
});
