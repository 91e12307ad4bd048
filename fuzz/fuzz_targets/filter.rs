//! Filter expressions over tests and kernels.
#![no_main]

use cell_filter::Filter;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(filter) = Filter::parse(text) {
        assert_eq!(filter.as_str(), text);
    }
});
