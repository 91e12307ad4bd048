//! One real kernel of Debian's: fetched over the network, then used without it. Skipped, loudly, with KREGRESS_OFFLINE.

use kregress::kernel::{
    Flavour, Kernel, KernelError, KernelSpec, Library, ModuleState, NoProgress, SourceError,
};

/// The mirror drops packages over time, and the embedded catalogue does not know: then the next older one is asked for.
fn newest_that_is_left(library: &Library, specs: &[KernelSpec]) -> Kernel {
    loop {
        let resolution = library.resolve(specs, &NoProgress).unwrap_or_else(|error| panic!("{error}"));
        match library.fetch(&resolution.wanted[0], &NoProgress) {
            Ok(kernel) => return kernel,
            Err(KernelError::Packages(SourceError::Gone { package, .. })) => eprintln!("{package} is gone"),
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn a_kernel_of_debians_is_fetched_once_and_then_needs_no_network() {
    if std::env::var_os("KREGRESS_OFFLINE").is_some() {
        return loud_skip::skip("KREGRESS_OFFLINE is set, no kernel was fetched");
    }
    let cache = tempfile::tempdir().expect("a temporary folder");
    let library = Library::open(cache.path(), &[]).expect("the embedded catalogue");
    let specs: [KernelSpec; 1] = ["latest:6.12".parse().expect("a spec")];
    let kernel = newest_that_is_left(&library, &specs);

    assert_eq!(kernel.flavour, Some(Flavour::Cloud));
    assert!(kernel.release.starts_with("6.12."), "{}", kernel.release);
    assert!(kernel.vmlinux.is_some(), "Debian's kernels have had a PVH entry point since 5.10");
    let config = kernel.config.as_ref().expect("a configuration");
    assert_eq!((config.get("PVH"), config.get("BLK_DEV_NULL_BLK")), (Some("y"), Some("m")));
    assert_eq!(kernel.modules.find("ext4"), ModuleState::Builtin);
    let order = kernel.modules.load_order(&["cifs", "null_blk"]).unwrap_or_else(|error| panic!("{error}"));
    let place = |name: &str| order.iter().position(|file| file.name == name);
    assert!(place("netfs") < place("cifs") && place("netfs").is_some(), "{order:?}");
    for file in &order {
        let elf = kernel.modules.read(file).unwrap_or_else(|error| panic!("{error}"));
        assert!(elf.starts_with(b"\x7fELF"), "{}", file.path_in_tree);
    }

    let nowhere = cache.path().join("no-apt.conf");
    std::fs::write(&nowhere, "Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"/dev/null\";\n")
        .expect("the folder is writable");
    let offline = Library::open(cache.path(), &[]).expect("the embedded catalogue").with_apt_config(&nowhere);
    let resolution = offline.resolve(&specs, &NoProgress).unwrap_or_else(|error| panic!("{error}"));
    let again = offline.fetch(&resolution.wanted[0], &NoProgress).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((again.name, again.digest), (kernel.name, kernel.digest));
}
