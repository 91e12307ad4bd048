//! Root file systems: OCI images, what `docker save` writes, tarballs.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let path = kregress_fuzz::as_file("image.tar", bytes);
    kregress_fuzz::within_a_folder(|folder| {
        if let Err(error) = userland_image::size_of(&path, "amd64", &folder.join("blobs")) {
            let _ = error.to_string();
        }
    });
});
