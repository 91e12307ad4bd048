//! Changelogs, configurations, MAINTAINERS.
#![no_main]

use kernel_fixes::{Backports, Changelog, Fix};
use kernel_maintainers::Maintainers;
use kernel_modules::KernelConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let fix = Fix::of_commits(["9b25f381de6b"]);
    let changelog = Changelog::parse(text);
    for entry in changelog.entries() {
        let _ = changelog.standing(&fix, &entry.version);
    }
    let mut backports = Backports::default();
    backports.add("0123456789abcdef0123456789abcdef01234567", text);
    let _ = backports.standing(&fix);
    let config = KernelConfig::parse(text);
    assert_eq!(config.text(), text);
    let maintainers = Maintainers::parse(text, |_| true).with_mailmap(text);
    let _ = (maintainers.contacts_of("fs/ext4/inode.c"), maintainers.sections_by_words(text));
});
