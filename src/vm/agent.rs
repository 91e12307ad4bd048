//! The init of guests of another architecture than the command's own: built when it is wanted first, from the sources that
//! the command carries, and kept in the cache.
//!
//! The compiler is the user's where it has the target's standard library (`rustup target add`), else Debian's, unpacked
//! below the cache with that library; a C compiler for the target links it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::VmError;
use super::initramfs::read_agent;
use crate::arch::Arch;
use crate::kernel::tools::{Tell, Tool, Tools};
use crate::scratch::Scratch;

/// The agent's sources as `build.rs` found them: paths and contents, with a manifest that has nothing else in its workspace.
const SOURCES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/agent-sources.rs"));

/// As `build.rs` has them.
const RUSTFLAGS: &[&str] = &["-Ctarget-feature=+crt-static", "-Crelocation-model=static"];

/// The environment variable that names an agent that was built elsewhere.
const VARIABLE: &str = "KREGRESS_AGENT";

/// The agent for guests of this architecture: the one that its variable names (`KREGRESS_AGENT_ARM64`), the one in the
/// cache, or one that is built now.
///
/// # Errors
/// [`VmError::Agent`], [`VmError::Tools`]: why there is none, and what to do.
pub fn for_arch(
    arch: &'static Arch,
    cache: &Path,
    tools: &Tools,
    tell: Tell<'_>,
) -> Result<Vec<u8>, VmError> {
    let variable = arch.variable(VARIABLE);
    if let Some(path) = std::env::var_os(&variable).filter(|path| !path.is_empty()).map(PathBuf::from) {
        return read_agent(&path).map_err(|why| {
            VmError::Agent(format!("{}: {why}; {variable} must name a static kregress-agent", path.display()))
        });
    }
    let kept = kept(arch, cache);
    if let Ok(image) = read_agent(&kept) {
        return Ok(image);
    }
    let built = build(arch, cache, tools, tell)?;
    let folder = kept.parent().unwrap_or(cache);
    let io = || VmError::io(kept.display().to_string());
    fs::create_dir_all(folder).map_err(io())?;
    let image = fs::read(&built.0).map_err(io())?;
    crate::atomic_file::write(&kept, &image).map_err(io())?;
    // half a gigabyte that is wanted again when the agent's sources change
    tools.forget(Tool::Rustc, arch);
    read_agent(&kept).map_err(|why| VmError::Agent(format!("{}: {why}", kept.display())))
}

/// Where the agent for this architecture is kept: under its sources' digest.
pub fn kept(arch: &Arch, cache: &Path) -> PathBuf {
    let mut hash = Sha256::new();
    for (path, contents) in SOURCES {
        hash.update(path.as_bytes());
        hash.update((contents.len() as u64).to_le_bytes());
        hash.update(contents);
    }
    let name: String = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    cache.join("agents").join(format!("{name}-{}", arch.debian))
}

/// The agent that is here already, if there is one.
pub fn is_here(arch: &Arch, cache: &Path) -> Option<PathBuf> {
    let named = std::env::var_os(arch.variable(VARIABLE)).filter(|path| !path.is_empty()).map(PathBuf::from);
    named.or_else(|| Some(kept(arch, cache)).filter(|path| path.is_file()))
}

/// The user's Rust target for the agent, if its standard library is there.
pub fn target_of_user(arch: &Arch) -> Option<&'static str> {
    arch.agent_targets.iter().copied().find(|target| {
        let asked = Command::new("rustc")
            .args(["--print", "target-libdir", "--target", target])
            .stderr(Stdio::null())
            .output();
        let folder = asked.map(|answer| String::from_utf8_lossy(&answer.stdout).trim().to_owned());
        folder.is_ok_and(|folder| !folder.is_empty() && Path::new(&folder).is_dir())
    })
}

/// Keeps the scratch folder until the program was read.
struct Built(PathBuf, #[allow(dead_code)] crate::scratch::ScratchDir);

fn build(arch: &'static Arch, cache: &Path, tools: &Tools, tell: Tell<'_>) -> Result<Built, VmError> {
    let get =
        |tool| tools.get(tool, arch, tell).map_err(|source| VmError::Tools { name: arch.debian, source });
    let linker = get(Tool::Compiler)?;
    let (rustc, target) = match target_of_user(arch) {
        Some(target) => (None, target),
        // Debian's library is of the GNU target
        None => (Some(get(Tool::Rustc)?), arch.agent_targets.last().copied().unwrap_or_default()),
    };
    let folder = Scratch::new(cache).folder().map_err(VmError::io(cache.display().to_string()))?;
    for (path, contents) in SOURCES {
        let place = folder.path().join(path);
        let write = || {
            fs::create_dir_all(place.parent().unwrap_or(folder.path()))?;
            fs::write(&place, contents)
        };
        write().map_err(VmError::io(place.display().to_string()))?;
    }
    tell(&format!("building the init of the guests for {}", arch.debian));
    let mut said = String::new();
    // a build that downloads nothing should not ask the network either
    for offline in [&["--offline"][..], &[]] {
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--profile", "agent", "--bin", "kregress-agent", "--target", target])
            .args(offline)
            .arg("--target-dir")
            .arg(folder.path().join("target"))
            .current_dir(folder.path().join("crates/guest-agent"))
            .env("CARGO_ENCODED_RUSTFLAGS", RUSTFLAGS.join("\x1f"))
            .env(format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_")), &linker)
            .envs(rustc.iter().map(|rustc| ("RUSTC", OsString::from(rustc))))
            .stdin(Stdio::null());
        for name in ["RUSTC_WRAPPER", "RUSTC_WORKSPACE_WRAPPER", "RUSTFLAGS", "CARGO_BUILD_TARGET"] {
            cargo.env_remove(name);
        }
        let output =
            cargo.output().map_err(|source| VmError::Start { program: "cargo".to_owned(), source })?;
        if output.status.success() {
            let program = folder.path().join("target").join(target).join("agent/kregress-agent");
            return Ok(Built(program, folder));
        }
        said = String::from_utf8_lossy(&output.stderr).into_owned();
    }
    let lines: Vec<&str> =
        said.lines().filter(|line| line.starts_with("error") || line.starts_with("  ")).take(6).collect();
    Err(VmError::Agent(format!(
        "the init of the guests could not be built for {}; {} can name one that was built elsewhere (crates/guest-agent, target {target}): {}",
        arch.debian,
        arch.variable(VARIABLE),
        lines.join("; ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::AARCH64;

    #[test]
    fn the_sources_are_a_workspace_of_their_own() {
        let text = |name: &str| {
            let found = SOURCES.iter().find(|(path, _)| *path == name).unwrap_or_else(|| panic!("{name}"));
            std::str::from_utf8(found.1).unwrap()
        };
        let manifest = text("Cargo.toml");
        assert!(
            manifest.contains("members = [\"crates/guest-agent\", \"crates/guest-protocol\"]"),
            "{manifest}"
        );
        assert!(manifest.contains("[profile.agent]") && !manifest.contains("[package]"), "{manifest}");
        assert!(!text("crates/guest-agent/Cargo.toml").contains("dev-dependencies"));
        assert!(text("Cargo.lock").contains("name = \"guest-agent\""));
        for source in ["src/main.rs", "README.md"] {
            assert!(
                SOURCES.iter().any(|(path, _)| *path == format!("crates/guest-agent/{source}")),
                "{source}"
            );
        }
        let (one, other) = (kept(&AARCH64, Path::new("/c")), kept(crate::arch::GUEST, Path::new("/c")));
        assert!(one.display().to_string().ends_with("-arm64") && one != other);
    }
}
