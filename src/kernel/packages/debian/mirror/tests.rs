//! The whole way from an address to a stored kernel, with an archive that the test signs and serves on loopback.

mod key;

use parking_lot::Mutex;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::key::{Key, tools_are_there};
use crate::kernel::fixtures::{borrowed, deb, kernel_files, xz};
use crate::kernel::store::{measure, sha256};
use crate::kernel::{Kernel, KernelError, KernelSpec, Library, ModuleState, NoProgress};

const RELEASE: &str = "6.17.13+deb13-cloud-amd64";
const PACKAGE: &str = "pool/main/l/linux/linux-image-6.17.13+deb13-cloud-amd64_6.17.13-1_amd64.deb";
/// The day on which the archive's files say that they were made.
const DATE: &str = "Fri, 20 Nov 2020 09:00:00 UTC";

/// An archive with one kernel, a cache, and a keyring, in one temporary folder.
struct World {
    root: tempfile::TempDir,
    key: Key,
    server: Server,
}

impl World {
    fn new() -> Option<World> {
        if !tools_are_there() {
            return None;
        }
        let root = tempfile::tempdir().expect("a temporary folder");
        let server = Server::of(&root.path().join("www"));
        let world = World { root, key: Key::new(), server };
        let mut files = kernel_files(RELEASE);
        // larger than the packages that only depend on others
        files.push(("usr/share/doc/noise".to_string(), noise(2 << 20)));
        world.write(&format!("www/debian/{PACKAGE}"), &deb(&borrowed(&files)));
        world.write_lists(&world.list(), |text| world.key.signed(text));
        world.write_keyring(&world.key.public());
        Some(world)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn write(&self, below: &str, contents: &[u8]) {
        let path = self.path(below);
        fs::create_dir_all(path.parent().expect("it is below the folder")).expect("it is writable");
        fs::write(path, contents).expect("it is writable");
    }

    fn write_keyring(&self, keys: &[u8]) {
        self.write("keyring.pgp", keys);
    }

    fn list(&self) -> Vec<u8> {
        let file = measure(&self.path(&format!("www/debian/{PACKAGE}"))).expect("it was written");
        let (size, sum) = (file.bytes, file.sha256);
        let text = format!(
            "Package: linux-image-{RELEASE}\nVersion: 6.17.13-1\nFilename: {PACKAGE}\nSize: {size}\nSHA256: {sum}\n"
        );
        xz(text.as_bytes())
    }

    fn release(&self, list: &[u8]) -> String {
        format!(
            "Origin: Debian\nSuite: stable\nCodename: trixie\nDate: {DATE}\nAcquire-By-Hash: no\nSHA256:\n {} {} main/binary-amd64/Packages.xz\n",
            sha256(list),
            list.len()
        )
    }

    fn write_lists(&self, list: &[u8], sign: impl Fn(&str) -> String) {
        self.write("www/debian/dists/trixie/main/binary-amd64/Packages.xz", list);
        self.write("www/debian/dists/trixie/InRelease", sign(&self.release(list)).as_bytes());
    }

    /// A library without catalogues, which has nothing but what the archive has.
    fn library(&self) -> Library {
        self.write("kernels/debian.yaml", b"debian: []\n");
        let library =
            Library::open(&self.path("cache"), &[self.path("kernels")]).expect("an empty catalogue");
        library.with_debian_mirror(&self.server.address("debian"), Some(&self.path("keyring.pgp")))
    }

    fn fetch(&self) -> Result<Kernel, KernelError> {
        let library = self.library();
        let spec: KernelSpec = "6.17.13".parse()?;
        let wanted = library.resolve(&[spec], &NoProgress)?.wanted;
        library.fetch(&wanted[0], &NoProgress)
    }

    /// What a fetch says that fails, without what differs from run to run.
    fn error(&self, what: &str) -> String {
        let error = self.fetch().map(|kernel| kernel.name).expect_err(what).to_string();
        let error = error.replace(&self.root.path().display().to_string(), "ROOT");
        error.replace(&self.server.address(""), "MIRROR/")
    }
}

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// A web server for the files of a folder. It knows ranges, and can be set to break off.
struct Server {
    port: u16,
    state: Arc<Mutex<ServerState>>,
}

#[derive(Default)]
struct ServerState {
    /// Paths with the ranges that were asked for.
    asked: Vec<String>,
    /// Bytes of a body after which the connection is closed, once.
    break_off: Option<usize>,
    ignore_ranges: bool,
}

impl Server {
    fn of(folder: &Path) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port of loopback");
        let port = listener.local_addr().expect("it is bound").port();
        let state = Arc::new(Mutex::new(ServerState::default()));
        let (folder, shared) = (folder.to_path_buf(), Arc::clone(&state));
        // the thread ends with the process
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // a client that breaks off is part of some tests
                let _ = answer(stream, &folder, &shared);
            }
        });
        Server { port, state }
    }

    fn address(&self, below: &str) -> String {
        format!("http://127.0.0.1:{}/{below}", self.port)
    }

    fn state(&self) -> parking_lot::MutexGuard<'_, ServerState> {
        self.state.lock()
    }

    /// What was asked for since the last time, packages only.
    fn packages_asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut self.state().asked);
        asked
            .into_iter()
            .filter(|line| line.contains("/pool/"))
            .map(|line| line.replace(PACKAGE, "PACKAGE"))
            .collect()
    }
}

fn answer(mut stream: TcpStream, folder: &Path, state: &Mutex<ServerState>) -> std::io::Result<()> {
    let (mut path, mut range) = (String::new(), None);
    for line in BufReader::new(stream.try_clone()?).lines() {
        let line = line?;
        if let Some(rest) = line.strip_prefix("GET /") {
            path = rest.split(' ').next().unwrap_or_default().to_string();
        } else if let Some(from) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            range = from.trim_end_matches('-').parse::<usize>().ok();
        } else if line.is_empty() {
            break;
        }
    }
    let mut state = state.lock();
    state.asked.push(format!("/{path} from {}", range.map_or("the start".into(), |at| format!("byte {at}"))));
    let Ok(contents) = fs::read(folder.join(&path)) else {
        return stream.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    };
    let length = contents.len();
    let (head, body) = match range.filter(|at| *at < length && !state.ignore_ranges) {
        Some(at) => (
            format!("206 Partial Content\r\nContent-Range: bytes {at}-{}/{length}", length - 1),
            &contents[at..],
        ),
        None => ("200 OK".to_string(), &contents[..]),
    };
    let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    stream.write_all(head.as_bytes())?;
    let end = match path.contains("pool/") {
        true => state.break_off.take().unwrap_or(body.len()).min(body.len()),
        false => body.len(),
    };
    stream.write_all(&body[..end])
}

#[test]
fn a_host_without_apt_gets_kernels_from_a_signed_archive() {
    let Some(world) = World::new() else { return };
    let kernel = world.fetch().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((kernel.name.as_str(), kernel.release.as_str()), ("6.17.13", RELEASE));
    assert_eq!(kernel.modules.find("user_mod"), ModuleState::Loadable);
    assert_eq!(world.server.packages_asked(), ["/debian/PACKAGE from the start"]);
    // nothing is asked for again
    world.fetch().expect("it is stored");
    assert_eq!(world.server.packages_asked(), [""; 0]);
    // and a list that has not changed is not fetched again
    world.library().update(&NoProgress).expect("the archive is there");
    let asked = std::mem::take(&mut world.server.state().asked);
    assert!(asked.iter().any(|line| line.contains("trixie/InRelease")), "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains("Packages")), "{asked:?}");
    // a keyring in letters is as good
    world.write_keyring(&world.key.armored());
    world.library().update(&NoProgress).expect("the keys are the same");
}

#[test]
fn a_download_that_broke_off_is_continued() {
    for (ignore_ranges, from) in [(false, "byte 1000000"), (true, "byte 1000000")] {
        let Some(world) = World::new() else { return };
        *world.server.state() =
            ServerState { break_off: Some(1_000_000), ignore_ranges, ..ServerState::default() };
        assert!(world.error("the connection broke off").contains("after 1000000 bytes"));
        assert_eq!(world.server.packages_asked(), ["/debian/PACKAGE from the start"]);
        world.fetch().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(world.server.packages_asked(), [format!("/debian/PACKAGE from {from}")]);
    }
}

#[test]
fn a_damaged_part_is_not_continued_twice() {
    let Some(world) = World::new() else { return };
    world.server.state().break_off = Some(1000);
    world.error("the connection broke off");
    let part = fs::read_dir(world.path("cache/downloads")).expect("it is there").flatten().next();
    fs::write(part.expect("a part has come").path(), [0; 5000]).expect("it is writable");
    world.server.packages_asked();
    world.fetch().unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        world.server.packages_asked(),
        ["/debian/PACKAGE from byte 5000", "/debian/PACKAGE from the start"]
    );
}

/// A case: its name, and what is done to an archive that is good.
type Case = (&'static str, fn(&World));

#[test]
fn what_nobody_has_signed_is_not_believed() {
    let cases: &[Case] = &[
        ("another key", |world| world.write_lists(&world.list(), |text| Key::new().signed(text))),
        ("the primary key, which may not sign", |world| {
            let key = Key::that_signs();
            world.write_lists(&world.list(), |text| key.signed_by_primary(text));
            key.only_certify();
            world.write_keyring(&key.public());
        }),
        ("a revoked key", |world| {
            world.key.revoke();
            world.write_keyring(&world.key.public());
        }),
        ("an expired key", |world| {
            world.key.expire();
            world.write_keyring(&world.key.public());
        }),
        ("no signature", |world| world.write_lists(&world.list(), ToString::to_string)),
        ("a changed text", |world| {
            world.write_lists(&world.list(), |text| {
                world.key.signed(text).replace("Suite: stable", "Suite: trixie")
            });
        }),
        ("another suite", |world| {
            world.write_lists(&world.list(), |text| {
                world.key.signed(&text.replace("trixie", "sid").replace("stable", "unstable"))
            });
        }),
        ("an old file", |world| {
            world.write_lists(&world.list(), |text| {
                world.key.signed(&text.replace("SHA256", &format!("Valid-Until: {DATE}\nSHA256")))
            });
        }),
        ("a changed list", |world| {
            let path = "www/debian/dists/trixie/main/binary-amd64/Packages.xz";
            let mut list = fs::read(world.path(path)).expect("it was written");
            list[40] ^= 1;
            world.write(path, &list);
        }),
        ("no keys", |world| world.write("keyring.pgp", b"hello")),
        ("no keyring", |world| fs::remove_file(world.path("keyring.pgp")).expect("it was written")),
        ("no archive", |world| fs::remove_dir_all(world.path("www")).expect("it was written")),
    ];
    let mut said = String::new();
    for (name, spoil) in cases {
        let Some(world) = World::new() else { return };
        spoil(&world);
        said += &format!("{name}: {}\n", world.error(name));
        assert_eq!(world.server.packages_asked(), [""; 0], "{name}: no package is asked for");
    }
    insta::assert_snapshot!(said, @r"
    another key: dists/trixie/InRelease of the mirror cannot be believed: no key in ROOT/keyring.pgp that is in force has signed it; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    the primary key, which may not sign: dists/trixie/InRelease of the mirror cannot be believed: no key in ROOT/keyring.pgp that is in force has signed it; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    a revoked key: dists/trixie/InRelease of the mirror cannot be believed: no key in ROOT/keyring.pgp that is in force has signed it; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    an expired key: dists/trixie/InRelease of the mirror cannot be believed: no key in ROOT/keyring.pgp that is in force has signed it; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    no signature: dists/trixie/InRelease of the mirror cannot be believed: it is not signed; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    a changed text: dists/trixie/InRelease of the mirror cannot be believed: no key in ROOT/keyring.pgp that is in force has signed it; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    another suite: dists/trixie/InRelease of the mirror cannot be believed: it is of sid (unstable), expected trixie; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    an old file: dists/trixie/InRelease of the mirror cannot be believed: it has expired; check this host's clock and the mirror; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    a changed list: main/binary-amd64/Packages.xz of the mirror cannot be believed: its size or SHA-256 is not that of the signed release file; nothing of it was used, check the mirror and what is in between, and whether the keyring is the archive's (KREGRESS_DEBIAN_KEYRING)
    no keys: there are no keys to check the mirror's signatures with: ROOT/keyring.pgp: it has no public key; expected those of an archive, as gpg --export writes them; install debian-archive-keyring, or name the archive's keyring with KREGRESS_DEBIAN_KEYRING
    no keyring: there are no keys to check the mirror's signatures with: ROOT/keyring.pgp: No such file or directory (os error 2); install debian-archive-keyring, or name the archive's keyring with KREGRESS_DEBIAN_KEYRING
    no archive: fetching Debian's package lists failed: there is no suite of Debian's at any address; check the address in KREGRESS_DEBIAN_MIRROR, the network and the proxy (kernels in the store need none of them)
    ");
}

#[test]
fn a_package_that_was_changed_or_is_gone_is_not_used() {
    let Some(world) = World::new() else { return };
    let package = world.path(&format!("www/debian/{PACKAGE}"));
    let mut bytes = fs::read(&package).expect("it was written");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&package, bytes).expect("it is writable");
    let error = world.error("the package was changed");
    assert!(error.contains("does not match its SHA-256"), "{error}");
    assert_eq!(fs::read_dir(world.path("cache/downloads")).expect("it is there").count(), 0);
    fs::remove_file(&package).expect("it was written");
    let error = world.error("the package is gone");
    assert!(error.contains("is gone from the mirror (404)"), "{error}");
}

#[test]
fn addresses_that_are_none_say_so() {
    let Some(world) = World::new() else { return };
    let mut said = String::new();
    for address in
        ["mirror.example/debian", "http://", "ftp://mirror.example", "http://mirror.example/debian-security"]
    {
        let library = world.library().with_debian_mirror(address, None);
        said += &format!("{}\n", library.update(&NoProgress).expect_err(address));
    }
    insta::assert_snapshot!(said, @r"
    `mirror.example/debian` in KREGRESS_DEBIAN_MIRROR is no mirror: it starts with neither http:// nor https://; write its address (http://HOST/debian), and that of the security archive behind it if there is one (http://HOST/debian-security)
    `http://` in KREGRESS_DEBIAN_MIRROR is no mirror: it names no host; write its address (http://HOST/debian), and that of the security archive behind it if there is one (http://HOST/debian-security)
    `ftp://mirror.example` in KREGRESS_DEBIAN_MIRROR is no mirror: it starts with neither http:// nor https://; write its address (http://HOST/debian), and that of the security archive behind it if there is one (http://HOST/debian-security)
    no address in KREGRESS_DEBIAN_MIRROR serves Debian's main archive; add it, separated by a space (the security archive's ends in debian-security)
    ");
}
