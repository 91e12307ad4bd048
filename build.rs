//! Builds the init of the guests, which the command carries: a small program of its own (`crates/guest-agent`), linked
//! statically because a guest has no shared libraries, in a target folder of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

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
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = env::var("TARGET").expect("cargo sets TARGET");
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

fn build(target: &str, target_dir: &Path, more: &[&str]) -> Output {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR"));
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo
        .args(["build", "--locked", "--profile", "agent", "--bin", "kregress-agent", "--target", target])
        .args(more)
        .arg("--manifest-path")
        .arg(root.join("crates/guest-agent/Cargo.toml"))
        .arg("--target-dir")
        .arg(target_dir)
        .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"));
    // what stands for the compiler when the command is checked or linted only builds no program
    for name in ["RUSTC_WORKSPACE_WRAPPER", "CLIPPY_ARGS", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(name);
    }
    cargo.output().unwrap_or_else(|error| panic!("cargo could not be started: {error}"))
}
