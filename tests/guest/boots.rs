//! Guests that do not come up, kernels that are none, and kernels that are unavailable.

use super::place::{KERNEL, Place};

#[test]
fn boots_that_do_not_reach_the_agent() {
    let Some(place) = Place::new() else { return };
    let ended = place.run(&["-s", "boots", "--boot-timeout", "12s"]);
    let silent = ended.cell("boots::never-speaks");
    assert!(
        silent.starts_with("lost: no word from the agent within 12 s of boot; the console ends with \""),
        "{silent}"
    );
    assert_eq!(
        ended.cell("boots::no-init"),
        "lost: the kernel had no init to run during boot: kernel panic: VFS: Unable to mount root fs on unknown-block(NUM,NUM)"
    );
    assert_eq!(ended.code, Some(102), "{}", ended.err);
}

#[test]
fn images_that_are_damaged() {
    let Some(place) = Place::new() else { return };
    let whole = std::fs::read(place.vmlinuz()).expect("the kernel");
    let mut garbled = whole.clone();
    let middle = garbled.len() / 4..garbled.len() / 2;
    garbled[middle].fill(0x5a);
    let images =
        [("truncated", &whole[..whole.len() / 2]), ("garbled", &garbled[..]), ("header", &whole[..4096])];
    for (name, image) in images {
        let path = place.path().join(name);
        std::fs::write(&path, image).expect("a file");
        let path = path.display().to_string();
        let ended = place.run(&["-k", &path, "-s", "ends", "clean", "--boot-timeout", "12s"]);
        if ended.code == Some(96) {
            assert!(ended.err.contains(&format!("kernel image {path}: ")), "{}", ended.err);
            continue;
        }
        let said = ended.cell("ends::clean");
        assert!(said.starts_with("lost: "), "{name}: {said}");
        assert!(said.contains(&format!("kernel image {path}: ")), "{name}: {said}");
        assert_eq!(ended.code, Some(102), "{}", ended.err);
        assert_eq!(ended.last()["lost"], 1);
    }
}

#[test]
fn a_package_that_is_gone_loses_its_cells_alone() {
    let Some(place) = Place::new() else { return };
    let catalogue = "\
debian:
  - version: '6.12.250+deb13'
    flavour: cloud
    release: 6.12.250+deb13-cloud-amd64
    package-version: 6.12.250-1
    packages:
      - path: pool/main/l/linux/linux-image-6.12.250+deb13-cloud-amd64_6.12.250-1_amd64.deb
        archive: main
        size: 1000
        sha256: 24fce24f8c058b426b3eb4ec4778d0ac10d84302743cacba53f3ea168cf0b0a5
        suites: [trixie]
";
    std::fs::create_dir(place.path().join("kernels")).expect("a folder");
    std::fs::write(place.path().join("kernels/debian.yaml"), catalogue).expect("a file");
    let ended = place.run(&["-s", "ends", "clean", "-k", "6.12.250", "-k", KERNEL]);
    let cell = |kernel: &str| {
        let found = ended
            .events
            .iter()
            .find(|e| e["event"] == "cell" && e["kernel"].as_str().is_some_and(|k| k.starts_with(kernel)));
        found.unwrap_or_else(|| panic!("no cell on {kernel}: {:?}", ended.events)).clone()
    };
    let gone = cell("6.12.250");
    assert_eq!(gone["verdict"], "lost");
    // a host without network or apt fails in other words, which name the package too
    let reason = gone["reason"].as_str().expect("a reason");
    assert!(reason.contains("linux-image-6.12.250+deb13-cloud-amd64") || reason.contains("apt"), "{reason}");
    assert_eq!(cell("6.12.117")["verdict"], "good");
    assert_eq!((&ended.last()["lost"], &ended.last()["good"]), (&1.into(), &1.into()));
    assert_eq!(ended.code, Some(102), "{}", ended.err);
}
