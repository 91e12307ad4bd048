//! Hosts on which a kernel is unavailable: a disk that is full or read-only, no network, package lists that are out of
//! date. Each of these tests runs again in a process of its own, where it may mount and cut the network off.

use std::collections::BTreeSet;
use std::time::{Duration, SystemTime};

use super::*;

/// Set where a test runs again.
const APART: &str = "KREGRESS_TEST_APART";

/// Whether this is the process that may mount, and has no network. Where it is not, the test with this name is run in
/// one, and what that one says is passed on.
fn apart(test: &str) -> bool {
    if std::env::var_os(APART).is_some() {
        return true;
    }
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "--net"]);
        command
    };
    if !unshare().arg("true").output().is_ok_and(|output| output.status.success()) {
        loud_skip::skip("unshare(1) cannot make namespaces here");
        return false;
    }
    let name = format!("{}::{test}", module_path!().split_once("::").expect("a module of the crate").1);
    let mut command = unshare();
    command.arg(std::env::current_exe().expect("this test has a file"));
    command.args([&name, "--exact", "--nocapture", "--test-threads=1"]).env(APART, "1");
    for proxy in ["http_proxy", "https_proxy", "ftp_proxy", "all_proxy"] {
        command.env_remove(proxy).env_remove(proxy.to_uppercase());
    }
    let output = command.output().expect("unshare was there just now");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

impl World {
    /// Makes the cache a file system of its own, or changes how it is mounted.
    fn mount(&self, options: &str) {
        let cache = self.path("cache");
        fs::create_dir_all(&cache).expect("the folder is writable");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", options, "none"]).arg(&cache).status();
        assert!(mount.expect("mount is installed").success(), "{options}");
    }

    /// What is said, without what differs from run to run.
    fn told(&self, error: &KernelError) -> String {
        let random = regex::Regex::new(r"\.new-\w+|_[0-9a-f]{16}\.deb").expect("a pattern");
        let said = error.to_string().replace(&self.root.path().display().to_string(), "ROOT");
        random.replace_all(&said, "…").into_owned()
    }

    /// Names below a folder of the cache.
    fn kept(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path("cache").join(folder)).into_iter().flatten().flatten();
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
    }

    /// Points apt at another mirror.
    fn use_mirror(&self, uri: &str) {
        let source = format!("Types: deb\nURIs: {uri}\nSuites: trixie\nComponents: main\nTrusted: yes\n");
        fs::write(self.path("sources/debian.sources"), source).expect("the folder is writable");
        let config = fs::read_to_string(self.path("apt.conf")).expect("it was written");
        fs::write(self.path("apt.conf"), config + "Acquire::Retries \"0\";\n")
            .expect("the folder is writable");
    }

    /// The result of a list of expressions, or why there is none, and what was warned of.
    fn resolved(&self, specs: &str) -> String {
        let specs: Vec<KernelSpec> = specs.split(' ').map(|spec| spec.parse().expect("a spec")).collect();
        let heard = Heard::default();
        let said = match self.library().resolve(&specs, &heard) {
            Ok(resolution) => {
                resolution.wanted.iter().map(|w| w.release().to_owned()).collect::<Vec<_>>().join(", ")
            }
            Err(error) => format!("error: {}", self.told(&error)),
        };
        let heard = heard.0.into_inner().join("\n");
        format!("{said}\n{heard}").replace(&self.root.path().display().to_string(), "ROOT")
    }
}

#[test]
fn a_disk_that_fills_up_is_named_wherever_it_does_and_nothing_is_half_there() {
    if !apart("a_disk_that_fills_up_is_named_wherever_it_does_and_nothing_is_half_there") {
        return;
    }
    let Some(world) = World::new() else { return };
    world.mount("size=4k");
    let mut said = BTreeSet::new();
    let needed = (1..200).find(|pages| {
        world.mount(&format!("remount,size={}k", pages * 4));
        match world.fetch("6.17.13") {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(world.kept("kernels"), Vec::<String>::new(), "{error}");
                said.insert(world.told(&error));
                false
            }
        }
    });
    assert!(needed.is_some(), "with room enough the kernel comes: {said:#?}");
    assert_eq!(world.kept("downloads"), Vec::<String>::new());
    let said: Vec<String> = said.into_iter().collect();
    insta::assert_snapshot!(said.join("\n"), @r#"
    cannot write ROOT/cache/apt/apt.conf: No space left on device (os error 28) at path "ROOT/cache/apt/…"; the cache folder needs to be writable and have room (kregress cache gc), KREGRESS_CACHE chooses another one
    cannot write ROOT/cache/downloads/linux-image-6.17.13+deb13-cloud-amd64…: No space left on device (os error 28); the cache folder needs to be writable and have room (kregress cache gc), KREGRESS_CACHE chooses another one
    cannot write ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/config: No space left on device (os error 28); make room (kregress cache gc) or choose another folder with KREGRESS_CACHE
    cannot write ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/kernel.json: No space left on device (os error 28) at path "ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/…"; the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one
    cannot write ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/modules.json: No space left on device (os error 28) at path "ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/…"; the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one
    cannot write ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/modules.pack: No space left on device (os error 28); make room (kregress cache gc) or choose another folder with KREGRESS_CACHE
    cannot write ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/vmlinux: No space left on device (os error 28) at path "ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/…"; the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one
    cannot write ROOT/cache/kernels/.partial-6.17.13+deb13-cloud-amd64/vmlinuz: No space left on device (os error 28); make room (kregress cache gc) or choose another folder with KREGRESS_CACHE
    "#);
}

#[test]
fn a_read_only_cache_says_so_and_what_is_in_it_can_be_used() {
    if !apart("a_read_only_cache_says_so_and_what_is_in_it_can_be_used") {
        return;
    }
    let Some(world) = World::new() else { return };
    world.mount("size=4m");
    world.mount("remount,ro");
    let empty = world.fetch("6.17.13").expect_err("nothing can be written");
    world.mount("remount,rw");
    world.fetch("6.17.13").unwrap_or_else(|error| panic!("{error}"));
    world.mount("remount,ro");
    let stored = world.fetch("6.17.13").map_or_else(|error| world.told(&error), |kernel| kernel.release);
    insta::assert_snapshot!(format!("{}\n{stored}", world.told(&empty)), @r"
    cannot create ROOT/cache/locks/6.17.13+deb13-cloud-amd64.lock: Read-only file system (os error 30); the cache folder needs to be writable and have room, KREGRESS_CACHE chooses another one
    6.17.13+deb13-cloud-amd64
    ");
}

#[test]
fn without_a_network_the_reason_is_told_and_nothing_is_left() {
    if !apart("without_a_network_the_reason_is_told_and_nothing_is_left") {
        return;
    }
    let Some(world) = World::new() else { return };
    // an address that documentation may use; there is no way to it
    world.use_mirror("http://192.0.2.1/debian");
    let pinned = world.told(&world.fetch("6.17.13").expect_err("no network"));
    assert_eq!((world.kept("kernels"), world.kept("downloads")), (Vec::new(), Vec::new()));
    let unknown = world.resolved("6.99.1");
    fs::write(world.path("kernels/debian.yaml"), "debian: []\n").expect("the folder is writable");
    let nothing_known = world.resolved("latest:6.17");
    assert!(!world.path("cache/apt/kernels.json").exists());
    // how apt puts it differs from version to version
    let apt = regex::Regex::new(r"(failed: |Warning\(.[^:]*: ).*?(; check)").expect("a pattern");
    let told = [pinned, unknown, nothing_known].join("\n---\n");
    assert!(told.contains("192.0.2.1"), "{told}");
    insta::assert_snapshot!(apt.replace_all(&told, "$1…$2"), @r#"
    downloading linux-image-6.17.13+deb13-cloud-amd64 6.17.13-1 failed: …; check the network and the proxy that apt is configured with (kernels in the store need neither)
    ---
    error: no known kernel is `6.99.1`; there are kernels of the lines 6.17
     Lists
     Warning("fetching Debian's package lists (apt-get update) failed: …; check the network and the proxy that apt is configured with (kernels in the store need neither)")
    ---
    error: fetching Debian's package lists (apt-get update) failed: …; check the network and the proxy that apt is configured with (kernels in the store need neither)
     Lists
    "#);
}

#[test]
fn old_package_lists_serve_as_long_as_they_can() {
    if !apart("old_package_lists_serve_as_long_as_they_can") {
        return;
    }
    let Some(world) = World::new() else { return };
    fs::write(world.path("kernels/debian.yaml"), "debian: []\n").expect("the folder is writable");
    world.write_lists();
    world.resolved("latest:6.17");
    let index =
        fs::File::options().append(true).open(world.path("cache/apt/kernels.json")).expect("the lists");
    let long_ago = SystemTime::now() - Duration::from_secs(40 * 24 * 60 * 60);
    index.set_modified(long_ago).expect("the file is ours");
    world.use_mirror("http://192.0.2.1/debian");
    let known = world.resolved("latest:6.17");
    let unknown = world.resolved("latest:6.99");
    let apt = regex::Regex::new(r"(failed: ).*?(; check)").expect("a pattern");
    insta::assert_snapshot!(apt.replace_all(&[known, unknown].join("\n---\n"), "$1…$2"), @r#"
    6.17.13+deb13-cloud-amd64

    ---
    error: `latest:6.99`: no known kernel is of the line 6.99; there are kernels of the lines 6.17
     Lists
     Warning("fetching Debian's package lists (apt-get update) failed: …; check the network and the proxy that apt is configured with (kernels in the store need neither)")
    "#);
}
