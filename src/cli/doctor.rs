//! `kregress doctor`: what this host has, and the command that installs what is missing.

use std::path::Path;

use duct::cmd;

use super::error::CliError;
use super::paths::PathArgs;
use super::selection::named_arch;
use crate::arch::{Arch, GUEST};
use crate::kernel::tools::{Tool, Tools, backports};
use crate::machine::Machines;
use crate::report::ExitStatus;
use crate::vm::qemu::Qemu;
use crate::vm::qemu::capabilities::Capabilities;
use crate::vm::{accel, agent, initramfs};

/// Check what this host has, and print the command that installs what is missing.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// Forget whether KVM works here, so that the next run tries again
    #[arg(long)]
    forget_accel: bool,
    /// Unpack a newer QEMU from Debian's backports below the cache where machines need one; nothing is installed
    #[arg(long)]
    fix: bool,
    /// Check what guests of this architecture take besides, such as arm64 or s390x; nothing is fetched
    #[arg(long, value_name = "ARCH", value_parser = named_arch)]
    arch: Option<&'static Arch>,
}

const MACHINES: &str = "machines";
const AGENT: &str = "the guest's init";

/// One thing that was looked at.
struct Finding {
    what: &'static str,
    state: CheckResult,
    detail: String,
    /// Debian's packages that would mend it.
    packages: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum CheckResult {
    Good,
    /// Some tests, or some comfort, are not available.
    Limited,
    /// No run is possible.
    Missing,
}

/// Looks at everything and prints it.
pub fn run(args: &DoctorArgs, paths: &PathArgs) -> Result<ExitStatus, CliError> {
    let cache = paths.cache()?;
    if args.forget_accel {
        accel::forget(&cache);
    }
    if let Some(arch) = args.arch.filter(|arch| **arch != *GUEST) {
        return show(&foreign(arch, &cache));
    }
    if args.fix {
        fix(&cache, &paths.machines()?)?;
    }
    let findings = [
        qemu(),
        acceleration(&cache),
        agent(),
        busybox(),
        compiler(),
        tools_of_host(
            "mke2fs and debugfs",
            &["mke2fs", "debugfs"],
            "tests that make ext4 images",
            &["e2fsprogs"],
        ),
        packages(),
        compiling(),
        tools_of_host("ccache", &["ccache"], "compiling the same file only once", &["ccache"]),
        machines(paths.machines(), &cache),
        space(&cache),
    ];
    show(&findings)
}

/// What guests of another architecture take besides what those of this one do. What is not here comes from Debian's
/// packages when it is wanted first, unpacked below the cache.
fn foreign(arch: &'static Arch, cache: &Path) -> Vec<Finding> {
    let tools = Tools::new(cache);
    let lacking =
        |what, text: String| Finding { what, state: CheckResult::Limited, detail: text, packages: &[] };
    let here = |what, path: &Path| Finding {
        what,
        state: CheckResult::Good,
        detail: path.display().to_string(),
        packages: &[],
    };
    let found = |what, tool: Tool, purpose: &str| match tools.find(tool, arch) {
        Some(path) => here(what, &path),
        None => lacking(
            what,
            format!("not here: {purpose} is fetched when it is wanted; {} can name one", tool.variable(arch)),
        ),
    };
    let agent = match (agent::is_here(arch, cache), agent::target_of_user(arch)) {
        (Some(path), _) => here(AGENT, &path),
        (None, Some(target)) => {
            lacking(AGENT, format!("not here: built when it is wanted, with Rust's target {target}"))
        }
        (None, None) => lacking(
            AGENT,
            format!(
                "not here: built when it is wanted, with Debian's Rust (240 MB, removed afterwards), or with `rustup target add {}`; {} can name one",
                arch.agent_targets.join("` or `"),
                arch.variable("KREGRESS_AGENT")
            ),
        ),
    };
    let old = arch.qemu.old_package.map_or(String::new(), |old| format!(" (up to bookworm {old})"));
    let accel = match arch.is_hosts() {
        true => acceleration(cache),
        false => Finding {
            what: "acceleration",
            state: CheckResult::Good,
            detail: format!("tcg: this host is {}, so QEMU translates", std::env::consts::ARCH),
            packages: &[],
        },
    };
    vec![
        found("QEMU", Tool::Emulator, &format!("Debian's {}{old}", arch.qemu.package)),
        accel,
        agent,
        found("the guests' shell", Tool::Busybox, &format!("busybox-static of {}", arch.debian)),
        found(
            "compiler",
            Tool::Compiler,
            &format!("Debian's cross compiler for {}, for tests in C and kernels,", arch.triplet),
        ),
        compiling(),
        tools_of_host("cargo", &["cargo"], "building the guest's init for another architecture", &["cargo"]),
        packages(),
        space(cache),
    ]
}

fn show(findings: &[Finding]) -> Result<ExitStatus, CliError> {
    let mut packages: Vec<&str> = Vec::new();
    for finding in findings {
        let word = match finding.state {
            CheckResult::Good => console::style("ok     ").green(),
            CheckResult::Limited => console::style("limited").yellow(),
            CheckResult::Missing => console::style("missing").red().bold(),
        };
        println!("{word}  {:<22}  {}", finding.what, finding.detail);
        if finding.state != CheckResult::Good {
            packages.extend(finding.packages);
        }
    }
    if !packages.is_empty() {
        println!(
            "\nThis installs what is missing:\n  sudo apt-get install --no-install-recommends {}",
            packages.join(" ")
        );
    }
    if findings.iter().any(|f| f.what == MACHINES && f.state == CheckResult::Limited) {
        println!("\n{}", newer_qemu(&backports()));
    }
    let missing = findings.iter().any(|f| f.state == CheckResult::Missing);
    Ok(if missing { ExitStatus::SetupFailed } else { ExitStatus::Success })
}

/// How to get a newer QEMU, for machines that the installed one cannot build.
fn newer_qemu(suite: &str) -> String {
    format!(
        "A newer QEMU comes from Debian's {suite}. Below the cache, without root, for the machines that need it:
  kregress doctor --fix    (or `kregress run --fetch-qemu`)
Installed, where {suite} is among apt's sources:
  sudo apt-get install -t {suite} {}",
        GUEST.qemu.package
    )
}

fn qemu() -> Finding {
    const PACKAGES: &[&str] = &[GUEST.qemu.package];
    let packages = PACKAGES;
    let found = |state, detail| Finding { what: "QEMU", state, detail, packages };
    match Qemu::find() {
        Ok(qemu) => match cmd!(qemu.path.as_os_str(), "-sandbox", "help")
            .stdout_null()
            .stderr_capture()
            .unchecked()
            .run()
        {
            Ok(_) => {
                let text = format!("{} at {}", qemu.version, qemu.path.display());
                match qemu.version.may_run_stale_code() {
                    true => found(
                        CheckResult::Good,
                        format!(
                            "{text}; emulating several processors (tcg), it makes a guest crash now and then, which is seen and made again; 8.1 does not"
                        ),
                    ),
                    false => found(CheckResult::Good, text),
                }
            }
            Err(error) => found(CheckResult::Missing, error.to_string()),
        },
        Err(error) => found(CheckResult::Missing, error.to_string()),
    }
}

fn acceleration(cache: &Path) -> Finding {
    let found = |state, detail| Finding { what: "acceleration", state, detail, packages: &[] };
    let Ok(qemu) = Qemu::find() else { return found(CheckResult::Limited, "not known without QEMU".into()) };
    match accel::remembered(cache, &qemu.version.to_string()) {
        Some(choice) => {
            let state = if choice.accel == crate::vm::spec::Accel::Kvm {
                CheckResult::Good
            } else {
                CheckResult::Limited
            };
            found(state, format!("{}: {}", choice.accel, choice.reason))
        }
        None => match std::fs::File::options().read(true).write(true).open("/dev/kvm") {
            Ok(_) => {
                found(CheckResult::Good, "/dev/kvm opens; the first run will try whether it works".into())
            }
            Err(error) => found(
                CheckResult::Limited,
                format!("tcg, slower: /dev/kvm: {error} (a member of the group kvm may use it)"),
            ),
        },
    }
}

/// Unpacks a newer QEMU if the installed one cannot build some machine.
fn fix(cache: &Path, machines: &Machines) -> Result<(), CliError> {
    // without a QEMU the findings say so
    let Ok(qemu) = Qemu::find() else { return Ok(()) };
    let capabilities = Capabilities::of(GUEST, &qemu);
    if machines.iter().any(|machine| capabilities.missing(machine, None).is_some()) {
        Qemu::newer(&Tools::new(cache), &|text| eprintln!("{:>12} {text}", "Preparing"))
            .map_err(CliError::setup)?;
    }
    Ok(())
}

/// Which of the machines this QEMU can build, or the newer one that was unpacked.
fn machines(machines: Result<Machines, CliError>, cache: &Path) -> Finding {
    let found = |state, detail| Finding { what: MACHINES, state, detail, packages: &[] };
    let machines = match machines {
        Ok(machines) => machines,
        Err(error) => return found(CheckResult::Missing, error.to_string()),
    };
    // without a QEMU there is another finding that says so
    let Ok(qemu) = Qemu::find() else { return found(CheckResult::Good, "not known without QEMU".into()) };
    let capabilities = Capabilities::of(GUEST, &qemu);
    let tools = Tools::new(cache);
    let newer = tools.find(Tool::NewerEmulator, GUEST).and_then(|_| Qemu::newer(&tools, &|_| {}).ok());
    let newers = newer.as_ref().map(|newer| Capabilities::of(GUEST, newer));
    let (mut built, mut by_newer, mut lacking) = (Vec::new(), Vec::new(), Vec::new());
    for machine in machines.iter() {
        let newers = newers.as_ref().map(|newer| newer.missing(machine, None));
        match (capabilities.missing(machine, None), newers) {
            (None, _) => built.push(machine.name.as_str()),
            (Some(_), Some(None)) => by_newer.push(machine.name.as_str()),
            (Some(why), _) => lacking.push(format!("{}: {why}", machine.name)),
        }
    }
    let mut can = format!("QEMU builds {}", built.join(", "));
    if let Some(newer) = newer.filter(|_| !by_newer.is_empty()) {
        can += &format!("; the unpacked {} builds {}", newer.version, by_newer.join(", "));
    }
    match lacking.as_slice() {
        [] => found(CheckResult::Good, can),
        lacking => found(CheckResult::Limited, format!("{}; {can}", lacking.join("; "))),
    }
}

fn agent() -> Finding {
    let found = |state, detail| Finding { what: AGENT, state, detail, packages: &[] };
    match initramfs::find_agent() {
        Ok(agent) => {
            let kib = agent.image.len() / 1024;
            let from = agent.path.map_or("built in".to_owned(), |path| path.display().to_string());
            found(CheckResult::Good, format!("{from} ({kib} KiB, static)"))
        }
        Err(error) => found(CheckResult::Missing, error.to_string()),
    }
}

fn busybox() -> Finding {
    let packages: &[&str] = &["busybox-static"];
    let found = |state, detail| Finding { what: "the guests' shell", state, detail, packages };
    match initramfs::find_busybox() {
        Ok(busybox) => {
            found(CheckResult::Good, format!("busybox, static, {} applets", busybox.applets.len()))
        }
        Err(error) => found(CheckResult::Missing, error.to_string()),
    }
}

fn compiler() -> Finding {
    let packages: &[&str] = &["gcc", "libc6-dev"];
    let found = |state, detail| Finding { what: "C compiler", state, detail, packages };
    let compiler = std::env::var("CC").ok().filter(|c| !c.is_empty()).unwrap_or_else(|| "cc".to_owned());
    let Ok(folder) = tempfile::tempdir() else {
        return found(CheckResult::Limited, "not tried: no temporary folder can be made".into());
    };
    let program = folder.path().join("a.out");
    let run = cmd!(&compiler, "-static", "-x", "c", "-o", &program, "-")
        .stdin_bytes("int main(void) { return 0; }\n")
        .stderr_to_stdout()
        .stdout_capture()
        .unchecked()
        .run();
    match run {
        Ok(output) if output.status.success() => {
            found(CheckResult::Good, format!("{compiler} makes static programs"))
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stdout);
            let line = text.lines().next().unwrap_or("it failed silently").to_owned();
            found(CheckResult::Limited, format!("{compiler} cannot make a static program: {line}"))
        }
        Err(error) => found(CheckResult::Limited, format!("{compiler}: {error}; tests in C cannot be built")),
    }
}

fn tools_of_host(
    what: &'static str,
    names: &[&str],
    purpose: &str,
    packages: &'static [&'static str],
) -> Finding {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    let there = |name: &&&str| {
        which::which_in_global(name, Some(&path)).is_ok_and(|mut found| found.next().is_some())
    };
    let missing: Vec<&str> = names.iter().filter(|n| !there(n)).copied().collect();
    let (state, detail) = if missing.is_empty() {
        (CheckResult::Good, "found".to_owned())
    } else {
        (CheckResult::Limited, format!("{} not found; needed for {purpose}", missing.join(" and ")))
    };
    Finding { what, state, detail, packages }
}

/// What every kernel that is compiled takes besides its compiler.
fn compiling() -> Finding {
    tools_of_host(
        "make, flex, bison, bc",
        &["make", "flex", "bison", "bc", "patch", "git"],
        "compiling kernels",
        &["make", "flex", "bison", "bc", "patch", "git", "libelf-dev", "libssl-dev"],
    )
}

/// What brings Debian's kernels: a mirror that the user names, or apt.
fn packages() -> Finding {
    match std::env::var("KREGRESS_DEBIAN_MIRROR").ok().filter(|mirror| !mirror.trim().is_empty()) {
        Some(mirror) => Finding {
            what: "Debian's packages",
            state: CheckResult::Good,
            detail: format!("from {mirror}"),
            packages: &[],
        },
        None => tools_of_host(
            "apt-get and dpkg-deb",
            &["apt-get", "dpkg-deb"],
            "fetching Debian's kernels",
            &["apt", "dpkg"],
        ),
    }
}

fn space(cache: &Path) -> Finding {
    let found = |state, detail| Finding { what: "cache", state, detail, packages: &[] };
    if let Err(error) = std::fs::create_dir_all(cache) {
        return found(CheckResult::Missing, format!("{}: {error}", cache.display()));
    }
    match rustix::fs::statvfs(cache) {
        Ok(stat) => {
            let gib = (stat.f_bavail * stat.f_frsize) as f64 / f64::from(1 << 30);
            let state = if gib < 2.0 { CheckResult::Limited } else { CheckResult::Good };
            found(state, format!("{} ({gib:.0} GiB free)", cache.display()))
        }
        Err(error) => found(CheckResult::Limited, format!("{}: {error}", cache.display())),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn both_ways_to_a_newer_qemu_are_told() {
        insta::assert_snapshot!(super::newer_qemu("bookworm-backports"), @r#"
        A newer QEMU comes from Debian's bookworm-backports. Below the cache, without root, for the machines that need it:
          kregress doctor --fix    (or `kregress run --fetch-qemu`)
        Installed, where bookworm-backports is among apt's sources:
          sudo apt-get install -t bookworm-backports qemu-system-x86
        "#);
    }
}
