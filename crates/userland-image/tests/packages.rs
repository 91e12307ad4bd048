//! Userlands of packages that the test makes, by the host's own apt, from a repository in a folder: no network, no root.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sha2::{Digest, Sha256};
use tar::{Builder, EntryType, Header};
use userland_image::{Image, Progress, Settings, Source, Spec, UserlandError, Userlands, Watch};

/// A file of a package: kind, path, mode, owner, and contents or target.
type Entry<'a> = (EntryType, &'a str, u32, u64, &'a str);

fn tar_of(entries: &[Entry]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (kind, path, mode, owner, text) in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(*kind);
        header.set_mode(*mode);
        header.set_uid(*owner);
        header.set_gid(*owner);
        header.set_mtime(1_600_000_000);
        if matches!(kind, EntryType::Symlink | EntryType::Link) {
            header.set_size(0);
            builder.append_link(&mut header, path, text).expect("memory");
        } else {
            header.set_size(text.len() as u64);
            builder.append_data(&mut header, path, text.as_bytes()).expect("memory");
        }
    }
    builder.into_inner().expect("memory")
}

/// A Debian package (deb(5)).
fn deb(fields: &str, postinst: &str, files: &[Entry]) -> Vec<u8> {
    use EntryType::Regular;
    let control =
        tar_of(&[(Regular, "./control", 0o644, 0, fields), (Regular, "./postinst", 0o755, 0, postinst)]);
    let mut package = b"!<arch>\n".to_vec();
    let members: [(&str, Vec<u8>); 3] =
        [("debian-binary", b"2.0\n".to_vec()), ("control.tar", control), ("data.tar", tar_of(files))];
    for (name, data) in members {
        let header = format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, "100644", data.len());
        package.extend(header.into_bytes());
        package.extend(&data);
        if data.len() % 2 == 1 {
            package.push(b'\n');
        }
    }
    package
}

/// A repository in a folder, and apt's configuration for it.
struct Repository {
    folder: tempfile::TempDir,
    index: String,
}

impl Repository {
    fn new() -> Repository {
        Repository { folder: tempfile::tempdir().expect("a temporary folder"), index: String::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn add(&mut self, name: &str, version: &str, more: &str, postinst: &str, files: &[Entry]) {
        let fields = format!(
            "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: Nobody <nobody@example.org>\n{more}Description: made by a test\n"
        );
        let package = deb(&fields, postinst, files);
        let file = format!("{name}_{version}_amd64.deb");
        let sum: String = Sha256::digest(&package).iter().map(|byte| format!("{byte:02x}")).collect();
        let _ = writeln!(self.index, "{fields}Filename: ./{file}\nSize: {}\nSHA256: {sum}\n", package.len());
        fs::write(self.path(&file), package).expect("it is writable");
    }

    /// Userlands of a new cache whose apt knows this repository only.
    fn userlands(&self, cache: &str) -> Userlands {
        fs::write(self.path("Packages"), &self.index).expect("it is writable");
        let list = self.path("sources.list");
        fs::write(&list, format!("deb [trusted=yes] copy:{} ./\n", self.folder.path().display()))
            .expect("it is writable");
        let config = self.path("apt.conf");
        let text =
            format!("Dir::Etc::sourcelist \"{}\";\nDir::Etc::sourceparts \"/dev/null\";\n", list.display());
        fs::write(&config, text).expect("it is writable");
        let settings = Settings { apt_config: Some(config), ..Settings::new(self.path(cache)) };
        Userlands::open(settings).expect("the cache is writable")
    }
}

/// What the tests install: a shell that needs a library, and a tool that is set-user-ID.
fn small() -> Repository {
    use EntryType::{Directory, Link, Regular, Symlink};
    let mut repository = Repository::new();
    repository.add("libx", "1:1.0-1", "", "", &[(Regular, "./lib/x/libx.so.1", 0o644, 0, "library")]);
    repository.add(
        "shell",
        "2.0",
        "Depends: libx (>= 1:1.0)\n",
        "#!/bin/sh\nupdate-alternatives --install /usr/bin/say say /usr/bin/say.shell 10\n",
        &[
            (Directory, "./", 0o755, 0, ""),
            (Directory, "./bin/", 0o755, 0, ""),
            (Regular, "./bin/bash", 0o755, 0, "program"),
            (Link, "./bin/rbash", 0o755, 0, "./bin/bash"),
            (Regular, "./usr/bin/say.shell", 0o755, 0, "say"),
            (Regular, "./usr/bin/su do \"it\"", 0o4755, 0, "program"),
            (Regular, "./usr/share/doc/shell/copyright", 0o644, 0, "left out"),
            (Regular, "./var/mail/root", 0o640, 8, "mail"),
            (Symlink, "./etc/out", 0o777, 0, "../../../../etc/passwd"),
        ],
    );
    repository.add("broken", "1", "Depends: not-there\n", "", &[]);
    repository
}

fn have_tools() -> bool {
    let missing: Vec<&str> = ["apt-get", "mke2fs", "debugfs", "e2fsck"]
        .into_iter()
        .filter(|tool| {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("PATH=\"$PATH:/usr/sbin:/sbin\" command -v {tool}")]);
            !command.output().is_ok_and(|output| output.status.success())
        })
        .collect();
    if !missing.is_empty() {
        loud_skip::skip(format!("there is no {} on this host", missing.join(", ")));
    }
    missing.is_empty()
}

fn packages(names: &[&str]) -> Spec {
    Spec::new(Source::Packages(names.iter().map(|name| (*name).to_string()).collect()))
}

/// What debugfs says of an image, without its head line.
fn asked(image: &Path, question: &str) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("debugfs").args(["-R", question]).arg(image).env("PATH", path).output();
    String::from_utf8_lossy(&output.expect("it is there").stdout).into_owned()
}

/// Mode, owner, links and what is in it.
fn file(image: &Path, path: &str) -> String {
    let quoted = format!("\"{}\"", path.replace('"', "\"\""));
    let stat = asked(image, &format!("stat {quoted}"));
    let after = |name: &str| {
        let rest = stat.split_once(name).map(|(_, rest)| rest.split_whitespace().next().unwrap_or_default());
        rest.unwrap_or("none").to_string()
    };
    let target = stat.split_once("Fast link dest: ").map(|(_, rest)| rest.lines().next().unwrap_or_default());
    let text = match target {
        Some(target) => target.to_string(),
        None if !stat.contains("Type: regular") => String::new(),
        None => asked(image, &format!("cat {quoted}")),
    };
    let shown =
        [&after("Type: "), &after("Mode:"), &after("User:"), "links", &after("Links: "), &text].join(" ");
    format!("{path}: {}", shown.trim_end())
}

fn is_sound(image: &Image) -> bool {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new("e2fsck").args(["-f", "-n"]).arg(&image.path).env("PATH", path).output();
    output.expect("it is there").status.success()
}

#[test]
fn packages_become_a_root_file_system() {
    if !have_tools() {
        return;
    }
    let repository = small();
    let added = repository.path("added");
    fs::write(&added, "added").expect("it is writable");
    fs::set_permissions(&added, PermissionsExt::from_mode(0o600)).expect("it is the test's");
    let mut spec = packages(&["shell"]);
    spec.files.insert("/opt/tests/added".into(), added);
    spec.users.push("fsgqa".into());
    let userlands = repository.userlands("cache");
    let resolved = userlands.resolve(&spec, &Watch::default()).expect("apt finds them");
    let names: Vec<String> =
        resolved.packages().iter().map(|package| format!("{} {}", package.name, package.version)).collect();
    assert_eq!(names, ["libx 1:1.0-1", "shell 2.0"]);
    let image = userlands.build(&resolved, &Watch::default()).expect("it can be made");
    assert!(is_sound(&image), "e2fsck finds nothing");
    let files = [
        "/bin",
        "/usr/bin/bash",
        "/usr/bin/rbash",
        "/usr/bin/say",
        "/usr/bin/su do \"it\"",
        "/usr/lib/x/libx.so.1",
        "/usr/share/doc",
        "/var/mail/root",
        "/etc/out",
        "/opt/tests/added",
        "/home/fsgqa",
    ];
    let shown: Vec<String> = files.iter().map(|path| file(&image.path, path)).collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    /bin: symlink 0777 0 links 1 "usr/bin"
    /usr/bin/bash: regular 0755 0 links 2 program
    /usr/bin/rbash: regular 0755 0 links 2 program
    /usr/bin/say: symlink 0777 0 links 1 "/etc/alternatives/say"
    /usr/bin/su do "it": regular 04755 0 links 1 program
    /usr/lib/x/libx.so.1: regular 0644 0 links 1 library
    /usr/share/doc: none none none links none
    /var/mail/root: regular 0640 8 links 1 mail
    /etc/out: symlink 0777 0 links 1 "../../../../etc/passwd"
    /opt/tests/added: regular 0600 0 links 1 added
    /home/fsgqa: directory 0755 1000 links 2
    "#);

    // another cache, another hour: the same image
    let other = repository.userlands("other");
    let again = other.resolve(&spec, &Watch::default()).expect("apt finds them");
    assert_eq!(again.key(), resolved.key());
    let again = other.build(&again, &Watch::default()).expect("it can be made");
    // with the sum over all blocks
    let manifest =
        |image: &Image| fs::read_to_string(image.path.with_file_name("manifest.json")).expect("it is there");
    assert_eq!(manifest(&again), manifest(&image));
    spec.users.clear();
    assert_ne!(other.resolve(&spec, &Watch::default()).expect("apt finds them").key(), resolved.key());
}

#[test]
fn an_image_is_made_once_and_held_against_its_sum() {
    if !have_tools() {
        return;
    }
    let repository = small();
    let userlands = repository.userlands("cache");
    let told = RefCell::new(Vec::new());
    let progress = |progress: Progress<'_>| {
        let word = match progress {
            Progress::Writing { .. } => "written",
            Progress::Verifying => "verified",
            Progress::Notice(text) if text.contains("made again") => "damaged",
            _ => return,
        };
        told.borrow_mut().push(word);
    };
    let watch = Watch { progress: &progress, ..Watch::default() };
    let resolved = userlands.resolve(&packages(&["libx"]), &watch).expect("apt finds it");
    let image = userlands.build(&resolved, &watch).expect("it can be made");
    assert_eq!(userlands.build(&resolved, &watch).expect("it is there"), image);
    let file = fs::File::options().write(true).open(&image.path).expect("it is there");
    std::os::unix::fs::FileExt::write_at(&file, b"x", 5_000_000).expect("it is writable");
    assert_eq!(userlands.build(&resolved, &watch).expect("it can be made"), image);
    assert_eq!(*told.borrow(), ["written", "verified", "verified", "damaged", "written"]);

    let stored = userlands.stored();
    assert_eq!(stored.iter().map(|stored| stored.key.as_str()).collect::<Vec<_>>(), [resolved.key()]);
    assert!(stored[0].bytes < image.size / 8, "the free space is a hole: {stored:?}");

    // as a killed process leaves it, and as one that is at work has it
    let cache = image.path.ancestors().nth(2).expect("it is in the cache").to_path_buf();
    for name in ["dead", "alive"] {
        fs::create_dir(cache.join(format!("{name}.new"))).expect("it is writable");
    }
    let alive = fs::File::create(cache.join("alive.lock")).expect("it is writable");
    alive.lock().expect("nobody has it");
    assert_eq!(userlands.sweep(), 1);
    assert!(cache.join("alive.new").exists() && !cache.join("dead.new").exists());
    assert!(!userlands.remove(resolved.key()).expect("it is writable"), "it is in use");
    let path = image.path.clone();
    drop(image);
    assert!(userlands.remove(resolved.key()).expect("it is writable") && !path.exists());
    userlands.remove_packages(&watch).expect("it is writable");
    assert!(userlands.stored().is_empty());
    let again = userlands.resolve(&packages(&["libx"]), &watch).expect("apt finds it");
    assert_eq!(userlands.build(&again, &watch).expect("it can be fetched again").path, path);
}

#[test]
fn what_apt_or_a_package_lacks_is_said() {
    if !have_tools() {
        return;
    }
    let mut repository = small();
    repository.add("evil", "1", "", "", &[]);
    let userlands = repository.userlands("cache");
    let refused = |names: &[&str]| {
        userlands.resolve(&packages(names), &Watch::default()).expect_err("there is none").to_string()
    };
    let said =
        [refused(&["shel"]), refused(&["shell=9"]), refused(&["broken"]), refused(&["shell", "shell-"])];
    insta::assert_snapshot!(said.join("\n"), @r"
    there is no package `shel` in this host's package lists; did you mean `shell`?
    the package `shell` is not there in version 9; there is 2.0
    apt finds no way to install broken: broken : Depends: not-there but it is not installable
    `shell-` is no name of a Debian package: expected lower-case letters, digits, `+`, `-` and `.`, with `=VERSION` or `:ARCHITECTURE` behind it if need be
    ");

    let resolved = userlands.resolve(&packages(&["evil"]), &Watch::default()).expect("apt finds it");
    fs::write(repository.path("evil_1_amd64.deb"), "another file").expect("it is writable");
    let error = userlands.build(&resolved, &Watch::default()).expect_err("it is another file");
    assert!(matches!(error, UserlandError::Download { .. } | UserlandError::Hash { .. }), "{error}");

    let cancelled = Watch { cancelled: &|| true, ..Watch::default() };
    let resolved = userlands.resolve(&packages(&["libx"]), &Watch::default()).expect("apt finds it");
    assert!(matches!(userlands.build(&resolved, &cancelled), Err(UserlandError::Cancelled)));
    let left = fs::read_dir(repository.path("cache")).expect("it is there").flatten();
    let left: Vec<_> = left.map(|entry| entry.file_name().into_string().expect("a name")).collect();
    assert!(left.iter().all(|name| name == "apt" || name.ends_with(".lock")), "{left:?}");
}

#[test]
fn a_folder_becomes_a_root_file_system_of_roots() {
    if !have_tools() {
        return;
    }
    let repository = small();
    let root = repository.path("root");
    fs::create_dir_all(root.join("bin")).expect("it is writable");
    fs::write(root.join("bin/sh"), "program").expect("it is writable");
    std::os::unix::fs::symlink("/etc/passwd", root.join("link")).expect("it is writable");
    let userlands = repository.userlands("cache");
    let resolved =
        userlands.resolve(&Spec::new(Source::Image(root.clone())), &Watch::default()).expect("it is there");
    let image = userlands.build(&resolved, &Watch::default()).expect("it can be made");
    assert!(is_sound(&image));
    assert_eq!(file(&image.path, "/link"), "/link: symlink 0777 0 links 1 \"/etc/passwd\"");
    assert_eq!(file(&image.path, "/etc/hostname"), "/etc/hostname: regular 0644 0 links 1 kregress");
    fs::write(root.join("bin/sh"), "a new program").expect("it is writable");
    let changed = userlands.resolve(&Spec::new(Source::Image(root)), &Watch::default()).expect("it is there");
    assert_ne!(changed.key(), resolved.key());
    let empty = repository.path("empty");
    fs::create_dir(&empty).expect("it is writable");
    let resolved =
        userlands.resolve(&Spec::new(Source::Image(empty)), &Watch::default()).expect("it is there");
    let error = userlands.build(&resolved, &Watch::default()).expect_err("there is nothing in it");
    assert!(error.to_string().ends_with("expected bin or usr/bin at its top"), "{error}");
}
