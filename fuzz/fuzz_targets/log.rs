//! Logs of kernels.
#![no_main]

use kernel_oops::{Palette, Scanner, details, diagnose, messages, release, render};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let reports = diagnose(bytes);
    let text = render("log", bytes, &reports, &Palette::plain());
    assert!(!text.contains('\u{1b}'));
    for report in &reports {
        let _ = details(&bytes[report.start..report.end], report);
    }
    let _ = (messages(bytes).count(), release(bytes), kernel_oops::kernel_offset(bytes));
    let mut scanner = Scanner::new();
    for chunk in bytes.chunks(100) {
        let _ = scanner.feed(chunk);
    }
    let _ = scanner.finish();
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = kernel_oops::poison::find(text);
    }
});
