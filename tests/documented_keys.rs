//! The pages that describe the formats name every key that the loaders accept, and no other.

use std::collections::BTreeSet;

struct Page {
    name: &'static str,
    text: &'static str,
    /// What the types that read such a file accept.
    keys: BTreeSet<String>,
    /// Some of them, at all depths, by which an incomplete list would show.
    among: &'static [&'static str],
}

fn pages() -> [Page; 4] {
    [
        Page {
            name: "suites/README.md",
            text: include_str!("../suites/README.md"),
            keys: kregress::suite::keys(),
            among: &[
                "suite",
                "groups.max",
                "known-messages.deny.reason",
                "defaults.machine.disks.image",
                "tests.history.fixed.commit",
                "tests.program.ktap",
                "tests.symptom.any",
                "tests.symptom.hung-task.cycle",
                "tests.symptom.leak.per-iteration",
            ],
        },
        Page {
            name: "vm/README.md",
            text: include_str!("../vm/README.md"),
            keys: kregress::machine::keys(),
            among: &["summary", "devices.vfs"],
        },
        Page {
            name: "kernels/README.md",
            text: include_str!("../kernels/README.md"),
            keys: kregress::kernel::catalogue_keys(),
            among: &["kernels.source.local.modules", "kernels.source.git.ref", "debian.packages.sha256"],
        },
        Page {
            name: "docs/configuration.md",
            text: include_str!("../docs/configuration.md"),
            keys: kregress::config::keys(),
            among: &["profiles.kernels", "profiles.overrides.timeout", "profiles.groups.max"],
        },
    ]
}

/// A key without those above it.
fn name(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

/// The keys in the first column of the page's tables of keys.
fn listed(page: &str) -> Vec<&str> {
    let mut listed = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        in_table = cells.len() > 2 && (in_table || cells[1] == "key");
        if in_table && let Some(key) = cells[1].strip_prefix('`') {
            listed.extend(key.split('`').next());
        }
    }
    listed
}

#[test]
fn every_key_is_documented() {
    for Page { name: page, text, keys, among } in pages() {
        let lacking: Vec<&&str> = among.iter().filter(|key| !keys.contains(**key)).collect();
        assert!(lacking.is_empty(), "the keys of {page} were not found out: {lacking:?} of {keys:?}");
        let unsaid: Vec<&String> =
            keys.iter().filter(|key| !text.contains(&format!("`{}`", name(key)))).collect();
        assert!(unsaid.is_empty(), "{page} does not speak of {unsaid:?}");
    }
}

#[test]
fn every_documented_key_is_accepted() {
    for Page { name: page, text, keys, .. } in pages() {
        let names: BTreeSet<&str> = keys.iter().map(|key| name(key)).collect();
        let listed = listed(text);
        let made_up: Vec<&&str> = listed.iter().filter(|key| !names.contains(**key)).collect();
        assert!(made_up.is_empty(), "{page} speaks of keys that nothing reads: {made_up:?}");
        assert!(listed.len() > 5, "the tables of {page} were not understood: {listed:?}");
    }
}
