//! Package lists of which some suites contradict their own Release file, as those of architectures that a mirror brings late.

use std::fs;

use super::{Heard, World, resolve};
use crate::arch::AARCH64;
use crate::kernel::KernelError;
use crate::kernel::store::sha256;

impl World {
    /// Writes a suite of arm64 with this kernel; with `later`, its list is of another time than its Release file.
    fn write_suite(&self, suite: &str, version: &str, later: &str) {
        let list = format!(
            "Package: linux-image-{version}-cloud-arm64\nVersion: {version}-1\nArchitecture: arm64\nMaintainer: x\n\
             Description: x\nFilename: pool/main/l/linux/linux-image-{version}-cloud-arm64_{version}-1_arm64.deb\n\
             Size: 30000000\nSHA256: {}\n\n",
            sha256(version.as_bytes())
        );
        let folder = self.path(&format!("debian/dists/{suite}/main/binary-arm64"));
        fs::create_dir_all(&folder).expect("the folder is writable");
        let release = format!(
            "Origin: Debian\nSuite: {suite}\nCodename: {suite}\nDate: Fri, 20 Nov 2020 09:00:00 UTC\n\
             Architectures: amd64 arm64\nComponents: main\nSHA256:\n {} {} main/binary-arm64/Packages\n",
            sha256(list.as_bytes()),
            list.len()
        );
        fs::write(folder.join("Packages"), list + later).expect("the folder is writable");
        fs::write(self.path(&format!("debian/dists/{suite}/Release")), release).expect("it is writable");
    }
}

/// Which of the two it says depends on the size.
fn is_in_apts_words(said: &str) -> bool {
    said.contains("unexpected size") || said.contains("Hash Sum mismatch")
}

const LATER: &str = "Package: linux-doc\nVersion: 2\nArchitecture: all\n\n";

#[test]
fn a_suite_that_contradicts_itself_is_told_in_apts_words_and_the_others_are_taken() {
    let Some(world) = World::new() else { return };
    world.write_suite("trixie", "6.12.57", "");
    world.write_suite("trixie-backports", "7.3.4", LATER);
    let (library, heard) = (world.library(), Heard::default());
    library.update_of(&AARCH64, &heard).unwrap_or_else(|error| panic!("{error}"));
    let said = heard.0.into_inner().join("\n");
    assert!(said.contains("trixie-backports") && is_in_apts_words(&said), "{said}");
    assert!(!said.contains("dists/trixie/"), "{said}");
    let names = |spec: &str| -> Result<Vec<String>, KernelError> {
        Ok(resolve(&library, spec)?.wanted.iter().map(|wanted| wanted.name().to_owned()).collect())
    };
    assert_eq!(names("arm64:all").expect("the good suite's"), ["arm64:6.12.57"]);
    let error = names("arm64:7.3.4").expect_err("it is in the other suite").to_string();
    assert!(error.contains("7.3.4"), "{error}");

    // the next time the mirror agrees with itself
    world.write_suite("trixie-backports", "7.3.4", "");
    library.update_of(&AARCH64, &crate::kernel::NoProgress).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(names("arm64:all").expect("both suites'"), ["arm64:6.12.57", "arm64:7.3.4"]);

    // what was known before stays known while a suite is inconsistent
    world.write_suite("trixie-backports", "7.3.5", LATER);
    library.update_of(&AARCH64, &Heard::default()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(names("arm64:all").expect("the older list"), ["arm64:6.12.57", "arm64:7.3.4"]);
}

#[test]
fn without_any_suite_that_agrees_with_itself_apts_words_are_the_error() {
    let Some(world) = World::new() else { return };
    world.write_suite("trixie", "6.12.57", LATER);
    let library = world.library();
    let error = library.update_of(&AARCH64, &crate::kernel::NoProgress).expect_err("no list").to_string();
    assert!(error.contains("fetching Debian's package lists") && is_in_apts_words(&error), "{error}");
    assert!(error.contains("try again later"), "{error}");
    let heard = Heard::default();
    let specs = ["arm64:latest:6.12".parse().expect("a spec"), "6.17.13".parse().expect("a spec")];
    // kernels of other architectures are there all the same, and the missing one says why
    let resolved = library.resolve(&specs, &heard);
    let said = format!("{:?} {}", heard.0.lock(), resolved.map(|_| ()).expect_err("no such kernel"));
    assert!(said.contains("kernels of arm64") && is_in_apts_words(&said), "{said}");
}
