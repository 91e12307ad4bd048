//! Kernel images and modules.
#![no_main]

use kernel_modules::{Image, Job, ModuleError, ModuleIndex, add_builtin, add_builtin_modinfo, index_modules};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(image) = Image::parse(bytes) {
        let _ = (image.architecture(), image.release(), image.uncompressed());
    }
    let keep = |bytes: Vec<u8>| Ok::<_, ModuleError>((0, bytes.len() as u64));
    let _ = index_modules("6.1", &keep, |submit| {
        submit(Job { path: "kernel/a.ko".into(), bytes: bytes.to_vec() });
        Ok::<(), ModuleError>(())
    });
    let mut index = ModuleIndex::default();
    add_builtin_modinfo(&mut index, bytes);
    add_builtin(&mut index, &String::from_utf8_lossy(bytes));
});
