//! Patches in mails, threads and queues, and applying them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mail_patch::{Folder, Input, Options, PatchMail, Pick, Queue, apply, show};

fuzz_target!(|bytes: &[u8]| {
    let Ok(input) = Input::read("input", bytes) else { return };
    let options = Options { repair: true, fuzz: 2 };
    let patches = PatchMail::all(&input);
    let _ = (show::patches(&input, &patches), Queue::of(&input, &Pick::default()).is_ok());
    kregress_fuzz::within_a_folder(|folder| {
        std::fs::write(folder.join("file.c"), "int a;\nint b;\nint c;\nint d;\nint e;\n").expect("a file");
        let chosen: Vec<&PatchMail> = patches.iter().collect();
        let _ = show::application("tree", &apply(&chosen, &Folder::new(folder), options));
    });
});
