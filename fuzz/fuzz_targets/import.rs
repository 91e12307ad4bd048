//! Suites that were imported and changed, and Makefiles of selftests.
#![no_main]

use libfuzzer_sys::fuzz_target;
use suite_import::{SuiteDraft, kselftest, merge, text};

fuzz_target!(|input: &str| {
    let _ =
        (kselftest::targets(input), text::kebab(input), text::summary(input.lines()), text::shortened(input));
    let _ = merge(input, &SuiteDraft::default(), "kregress import");
});
