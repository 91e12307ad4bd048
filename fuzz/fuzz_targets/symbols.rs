//! Debug information and maps of symbols.
#![no_main]

use kernel_oops::Symbols;
use kernel_symbols::{Image, Place, places};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found: Vec<Place> =
        places(b"RIP: 0010:main+0x1/0x10 a+0x0/0x4").into_iter().map(|(_, place)| place).collect();
    if let Ok(image) = Image::parse(bytes) {
        for place in &found {
            let _ = image.lookup(place);
        }
        let _ = image.source_folder();
    }
    let _ = Image::is_usable(bytes);
    for symbols in [Symbols::from_vmlinux(bytes), Symbols::from_system_map(bytes)].into_iter().flatten() {
        let _ = symbols.name_addresses(b"[<ffffffff81000000>] ? 0xffffffff81000010\n");
    }
    let _ = places(bytes);
});
