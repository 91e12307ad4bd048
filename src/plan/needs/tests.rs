//! Needs of made-up tests against made-up kernels, and the image that each test gets.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::kernel::{Flavour, LargerImage};
use crate::plan::flavour::{on_larger, split_by_image};
use crate::plan::sample::{kernel, placed};

const CONFIG: &str = "CONFIG_BLOCK=y\nCONFIG_KFENCE=y\nCONFIG_KFENCE_SAMPLE_INTERVAL=0\nCONFIG_UBSAN=y\n";

#[test]
fn an_unmet_need_is_named() {
    let table = [
        ("all met", "needs: {modules: [loop], config: [BLOCK], kernel: 6.17..}"),
        ("version", "needs: {modules: [igb], kernel: 6.18..}"),
        ("module", "needs: {modules: [loop, igb]}"),
        ("option", "needs: {config: [BLOCK, RSI_USB]}"),
        ("value", "needs: {config: [BLOCK=n]}"),
        ("detector by title", "symptom: {crash: {title: '^KASAN: '}}"),
        ("detectors by type", "symptom: {crash: {kind: [KASAN-READ, KCSAN-DATARACE]}}"),
        ("detector that is there", "symptom: {crash: {title: '^UBSAN: '}}"),
        ("detector that sleeps", "symptom: {crash: {title: '^KFENCE: '}}"),
        (
            "one of several",
            "symptom: {any: [{crash: {title: '^KASAN: '}}, {crash: {title: '^WARNING in x'}}]}",
        ),
    ];
    let kernels = [kernel(Some(Flavour::Cloud), &["loop"], Some(CONFIG)), kernel(None, &["loop"], None)];
    let mut said = String::new();
    for (what, text) in table {
        for kernel in &kernels {
            let unmet = unmet(&placed("t", text), kernel).map_or("met".to_owned(), |unmet| unmet.to_string());
            said += &format!("{what}: {unmet}\n");
        }
    }
    insta::assert_snapshot!(said, @"
    all met: met
    all met: needs CONFIG_BLOCK=y or m, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    version: needs a kernel of 6.18.., this is 6.17.13
    version: needs a kernel of 6.18.., this is 6.17.13
    module: module igb is not in 6.17.13-cloud-amd64
    module: module igb is not in 6.17.13-mine
    option: needs CONFIG_RSI_USB=y or m, 6.17.13-cloud-amd64 has it not set
    option: needs CONFIG_BLOCK=y or m, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    value: needs CONFIG_BLOCK=n, 6.17.13-cloud-amd64 has it y
    value: needs CONFIG_BLOCK=n, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    detector by title: needs CONFIG_KASAN for its symptom to be seen, 6.17.13-cloud-amd64 has it not set
    detector by title: needs CONFIG_KASAN for its symptom to be seen, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    detectors by type: needs CONFIG_KASAN or CONFIG_KCSAN for its symptom to be seen, 6.17.13-cloud-amd64 has none of them set
    detectors by type: needs CONFIG_KASAN or CONFIG_KCSAN for its symptom to be seen, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    detector that is there: met
    detector that is there: needs CONFIG_UBSAN for its symptom to be seen, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    detector that sleeps: needs CONFIG_KFENCE for its symptom to be seen, 6.17.13-cloud-amd64 takes no samples; the machine's `cmdline: [kfence.sample_interval=100]` makes it
    detector that sleeps: needs CONFIG_KFENCE for its symptom to be seen, and the configuration of 6.17.13-mine is not known; put its .config beside the image
    one of several: met
    one of several: met
    ");
}

#[test]
fn kfence_counts_where_the_command_line_wakes_it() {
    let mut test = placed("t", "symptom: {crash: {title: '^KFENCE: '}}");
    let kernel = kernel(Some(Flavour::Cloud), &[], Some(CONFIG));
    for (word, met) in [("kfence.sample_interval=100", true), ("kfence.sample_interval=0", false)] {
        test.machine = Arc::new(Machine { cmdline: vec![word.to_owned()], ..Machine::built_in() });
        assert_eq!(unmet(&test, &kernel).is_none(), met, "{word}");
    }
}

#[test]
fn each_test_gets_the_smallest_image_that_suffices() {
    let tests = [
        placed("small", "needs: {modules: [loop]}"),
        placed("large", "needs: {modules: [igb]}"),
        placed("neither", "needs: {modules: [zfs]}"),
        placed("two", "needs: {modules: [igb], config: [ZFS]}"),
        placed("kasan", "needs: {config: [KASAN]}"),
        placed("newer", "needs: {modules: [igb], kernel: 6.18..}"),
        PlacedTest {
            lacking: Some("igb needs QEMU 8.0, found 7.2".to_owned()),
            ..placed("host", "needs: {modules: [igb]}")
        },
    ];
    let small = kernel(Some(Flavour::Cloud), &["loop"], Some(CONFIG));
    let large = kernel(Some(Flavour::Plain), &["loop", "igb"], Some(CONFIG));
    let missing = LargerImage::Missing("linux-modules-6.17.13 is gone from the mirror (404)".to_owned());
    let mut shown = String::new();
    for (what, larger) in
        [("known", LargerImage::known_for_tests()), ("missing", missing), ("none", LargerImage::None)]
    {
        let split = split_by_image(&tests, &small, &larger);
        let mut cells: BTreeMap<usize, String> = BTreeMap::new();
        for cell in split.cells.iter().chain(&on_larger(&split.needs_larger, &large)) {
            let place = tests.iter().position(|t| t.test.name == cell.test.name).expect("one of the tests");
            let text = cell.unmet.clone().unwrap_or_else(|| "runs".to_owned());
            cells.insert(place, format!("{:8} {:20} {text}\n", cell.test.name, cell.kernel.release));
        }
        assert_eq!(cells.len(), tests.len());
        shown += &format!("--- larger image: {what}\n{}", cells.into_values().collect::<String>());
    }
    insta::assert_snapshot!(shown, @"
    --- larger image: known
    small    6.17.13-cloud-amd64  runs
    large    6.17.13-amd64        runs
    neither  6.17.13-amd64        module zfs is not in 6.17.13-amd64; the cloud image lacks it too
    two      6.17.13-amd64        needs CONFIG_ZFS=y or m, 6.17.13-amd64 has it not set; and of the cloud image: module igb is not in 6.17.13-cloud-amd64
    kasan    6.17.13-cloud-amd64  needs CONFIG_KASAN=y or m, 6.17.13-cloud-amd64 has it not set; no image of Debian's has it
    newer    6.17.13-cloud-amd64  needs a kernel of 6.18.., this is 6.17.13
    host     6.17.13-cloud-amd64  igb needs QEMU 8.0, found 7.2
    --- larger image: missing
    small    6.17.13-cloud-amd64  runs
    large    6.17.13-cloud-amd64  module igb is not in 6.17.13-cloud-amd64; the plain image, which may have it, is unavailable: linux-modules-6.17.13 is gone from the mirror (404)
    neither  6.17.13-cloud-amd64  module zfs is not in 6.17.13-cloud-amd64; the plain image, which may have it, is unavailable: linux-modules-6.17.13 is gone from the mirror (404)
    two      6.17.13-cloud-amd64  module igb is not in 6.17.13-cloud-amd64; the plain image, which may have it, is unavailable: linux-modules-6.17.13 is gone from the mirror (404)
    kasan    6.17.13-cloud-amd64  needs CONFIG_KASAN=y or m, 6.17.13-cloud-amd64 has it not set; no image of Debian's has it
    newer    6.17.13-cloud-amd64  needs a kernel of 6.18.., this is 6.17.13
    host     6.17.13-cloud-amd64  igb needs QEMU 8.0, found 7.2
    --- larger image: none
    small    6.17.13-cloud-amd64  runs
    large    6.17.13-cloud-amd64  module igb is not in 6.17.13-cloud-amd64
    neither  6.17.13-cloud-amd64  module zfs is not in 6.17.13-cloud-amd64
    two      6.17.13-cloud-amd64  module igb is not in 6.17.13-cloud-amd64
    kasan    6.17.13-cloud-amd64  needs CONFIG_KASAN=y or m, 6.17.13-cloud-amd64 has it not set
    newer    6.17.13-cloud-amd64  needs a kernel of 6.18.., this is 6.17.13
    host     6.17.13-cloud-amd64  igb needs QEMU 8.0, found 7.2
    ");
}
