//! Builds the init of the guests, which the command carries: a small program of its own (`crates/guest-agent`), linked
//! statically because a guest has no shared libraries, in a target folder of its own. And lists the suites, machines and
//! catalogues that the command carries.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

// the targets of the agent are those of the guests' architecture
#[path = "src/arch.rs"]
#[allow(dead_code)]
mod arch;

/// What the agent is made of; nothing else has it built again.
const SOURCES: &[&str] = &[
    "Cargo.toml",
    "Cargo.lock",
    "crates/guest-agent/Cargo.toml",
    "crates/guest-agent/src",
    "crates/guest-protocol/Cargo.toml",
    "crates/guest-protocol/src",
];

/// Linked statically, and at fixed addresses: relocations would only be work for every guest.
const RUSTFLAGS: &[&str] = &["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];

fn main() {
    for source in SOURCES {
        println!("cargo::rerun-if-changed={source}");
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/arch.rs");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(out.join("built-in.rs"), built_in()).expect("the target folder can be written");
    fs::write(out.join("agent-sources.rs"), agent_sources(&out)).expect("the target folder can be written");
    let target = agent_target(&env::var("TARGET").expect("cargo sets TARGET"));
    let target_dir = out.join("agent");
    // a build that downloads nothing should not ask the network either, and cargo does not tell whether it may
    let mut built = build(&target, &target_dir, &["--offline"]);
    if !built.status.success() {
        built = build(&target, &target_dir, &[]);
    }
    if !built.status.success() {
        eprintln!("the init of the guests (crates/guest-agent) could not be built:");
        eprintln!("{}", String::from_utf8_lossy(&built.stderr));
        std::process::exit(1);
    }
    let image = target_dir.join(target).join("agent/kregress-agent");
    println!("cargo::rustc-env=KREGRESS_AGENT_IMAGE={}", image.display());
}

/// The files that the command carries, as an expression: their paths and contents.
fn built_in() -> String {
    let root = root();
    let mut files = Vec::new();
    for name in ["kernels", "suites", "vm"] {
        println!("cargo::rerun-if-changed={name}");
        walk(&root.join(name), &mut files);
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = file.strip_prefix(&root).expect("below the root").to_str().expect("names are UTF-8");
        list.push_str(&format!(
            "({name:?}, include_bytes!({:?})),\n",
            file.to_str().expect("a path in UTF-8")
        ));
    }
    list + "]"
}

/// What the agent is made of, as an expression: the command builds it for other architectures when it is asked to. Its two
/// crates are a workspace of their own there, without what only their tests need.
fn agent_sources(out: &Path) -> String {
    let root = root();
    let mut files = Vec::new();
    for source in SOURCES {
        let path = root.join(source);
        if path.is_dir() {
            // the crates' documentation is their page
            files.push(path.with_file_name("README.md"));
            walk(&path, &mut files);
        } else {
            files.push(path);
        }
    }
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name =
            file.strip_prefix(&root).expect("below the root").to_str().expect("names are UTF-8").to_owned();
        let mut carried = file.clone();
        if name.ends_with("Cargo.toml") {
            carried = out.join("agent-sources").join(&name);
            let text = fs::read_to_string(&file).expect("a manifest can be read");
            fs::create_dir_all(carried.parent().expect("it has a folder"))
                .expect("the target folder can be written");
            fs::write(&carried, manifest_of_agent(&text)).expect("the target folder can be written");
        }
        list.push_str(&format!(
            "({name:?}, include_bytes!({:?})),\n",
            carried.to_str().expect("a path in UTF-8")
        ));
    }
    list + "]"
}

/// A manifest without the sections that the agent does not need, and with its crates as the workspace's members.
fn manifest_of_agent(text: &str) -> String {
    let mut kept = String::new();
    let mut wanted = true;
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_start_matches('[').split(']').next().unwrap_or_default();
            let of_workspace = section.starts_with("workspace");
            // the root's own package is the command
            let of_agent = !text.contains("[workspace]") && section != "dev-dependencies";
            wanted = of_workspace || of_agent || section == "profile.agent";
        }
        if !wanted || line.starts_with("default-members") || line.starts_with("readme") {
            continue;
        }
        if line.starts_with("members") {
            kept.push_str("members = [\"crates/guest-agent\", \"crates/guest-protocol\"]\n");
        } else {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("the folder can be read").path();
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if path.is_dir() {
            walk(&path, files);
        } else if !is_hidden && path.extension().is_none_or(|extension| extension != "md") {
            files.push(path);
        }
    }
}

fn root() -> PathBuf {
    PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"))
}

/// What the agent is built for. With musl it is half as large as with glibc; where the toolchain has no standard library
/// for that, the command's own target will do, if it is of the guests' architecture.
fn agent_target(own: &str) -> String {
    let rustc = env::var_os("RUSTC").expect("cargo sets RUSTC");
    let is_there = |target: &str| {
        let asked = Command::new(&rustc).args(["--print", "target-libdir", "--target", target]).output();
        let folder = asked.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        folder.is_ok_and(|folder| Path::new(&folder).is_dir())
    };
    let guest = arch::GUEST;
    if let Some(target) = guest.agent_targets.iter().find(|target| is_there(target)) {
        return (*target).to_owned();
    }
    if own.split('-').next() == Some(guest.name) {
        return own.to_owned();
    }
    eprintln!("the init of the guests, which are {}, needs one of Rust's targets for them:", guest.name);
    guest.agent_targets.iter().for_each(|target| eprintln!("  rustup target add {target}"));
    std::process::exit(1);
}

fn build(target: &str, target_dir: &Path, more: &[&str]) -> Output {
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo
        .args(["build", "--locked", "--profile", "agent", "--bin", "kregress-agent", "--target", target])
        .args(more)
        .arg("--manifest-path")
        .arg(root().join("crates/guest-agent/Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    // what stands for the compiler when the command is checked or linted only builds no program
    for name in ["RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.output().unwrap_or_else(|error| panic!("cargo could not be started: {error}"))
}
