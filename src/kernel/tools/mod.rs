//! What guests of another architecture take on this host: an emulator, a shell, compilers. What the host has is used;
//! the rest comes from Debian's packages through the host's own apt, unpacked below the cache. Nothing is installed, and
//! nothing of it needs root.

mod apt;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::packages::debian;
use super::packages::source::{Settings, SourceError};
use super::store::Store;
use crate::arch::{Arch, GUEST};
use crate::version::compare_debian;
use apt::{Plan, PrivateApt};

/// The suite whose Rust is new enough for the init of the guests, and has its standard library for every architecture.
const RUST_SUITE: &str = "sid";

/// Hears what takes time.
pub type Tell<'a> = &'a dyn Fn(&str);

/// A program that is wanted for an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// QEMU's system emulator.
    Emulator,
    /// A newer one than the host's release has, out of its backports: for machines that the installed one cannot build.
    NewerEmulator,
    /// A C compiler that links statically.
    Compiler,
    /// A Rust compiler with the target's standard library.
    Rustc,
    /// The guests' shell, a program of theirs.
    Busybox,
}

impl Tool {
    /// What it is called in messages and folders.
    pub fn name(self) -> &'static str {
        match self {
            Tool::Emulator => "qemu",
            Tool::NewerEmulator => "newer-qemu",
            Tool::Compiler => "gcc",
            Tool::Rustc => "rustc",
            Tool::Busybox => "busybox",
        }
    }

    /// The environment variable that names one for an architecture.
    pub fn variable(self, arch: &Arch) -> String {
        arch.variable(match self {
            Tool::Emulator => "KREGRESS_QEMU",
            Tool::NewerEmulator => "KREGRESS_NEWER_QEMU",
            Tool::Compiler => "KREGRESS_CC",
            Tool::Rustc => "KREGRESS_RUSTC",
            Tool::Busybox => "KREGRESS_BUSYBOX",
        })
    }
}

/// The programs of one cache folder.
#[derive(Debug)]
pub struct Tools {
    cache: PathBuf,
    settings: Settings,
}

impl Tools {
    /// Those that are or will be below `cache`.
    pub fn new(cache: &Path) -> Tools {
        let cache = std::path::absolute(cache).unwrap_or_else(|_| cache.to_path_buf());
        Tools { settings: Settings::of_environment(&cache), cache }
    }

    /// The same, with packages from where these say.
    pub(crate) fn with_settings(mut self, settings: Settings) -> Tools {
        self.settings = settings;
        self
    }

    /// What the names of the tools begin with that compile and link for an architecture, `CROSS_COMPILE` of the kernel's
    /// makefiles: those that the host has installed, else Debian's, which are fetched and unpacked where they are not here.
    ///
    /// # Errors
    /// As [`Tools::get`].
    pub fn cross_prefix(&self, arch: &'static Arch, tell: Tell<'_>) -> Result<String, SourceError> {
        let installed = format!("{}-", arch.triplet);
        // for kernels no C library is needed
        if ["gcc", "ld"].iter().all(|tool| which::which(format!("{installed}{tool}")).is_ok()) {
            return Ok(installed);
        }
        let compiler = self.get(Tool::Compiler, arch, tell)?;
        if let Some(named) = compiler.to_str().and_then(|path| path.strip_suffix("-gcc")) {
            return Ok(format!("{named}-"));
        }
        if compiler != self.program(Tool::Compiler, arch) {
            return Ok(installed);
        }
        let folder = self.folder(Tool::Compiler, arch);
        let folder = fs::canonicalize(&folder).map_err(io("find", &folder))?;
        let prefix = folder.join("bin").join(&installed);
        write_binutils(&folder, &installed).map_err(io("write", &folder))?;
        Ok(prefix.display().to_string())
    }

    /// The program that is here: what the environment names, what the host has installed, or what was unpacked before.
    pub fn find(&self, tool: Tool, arch: &Arch) -> Option<PathBuf> {
        let named =
            std::env::var_os(tool.variable(arch)).filter(|value| !value.is_empty()).map(PathBuf::from);
        named.or_else(|| installed(tool, arch)).or_else(|| {
            let path = self.program(tool, arch);
            path.is_file().then_some(path)
        })
    }

    /// The program, which is fetched and unpacked where it is not here.
    ///
    /// # Errors
    /// apt is not there, or has no such package; in its words.
    pub fn get(&self, tool: Tool, arch: &'static Arch, tell: Tell<'_>) -> Result<PathBuf, SourceError> {
        if let Some(found) = self.find(tool, arch) {
            return Ok(found);
        }
        let name = format!("tools-{}-{}", tool.name(), arch.debian);
        let waiting = || tell(&format!("another kregress unpacks {} for {}", tool.name(), arch.debian));
        let failed = |error: super::StoreError| SourceError::Failed {
            what: format!("waiting for {name}"),
            said: error.to_string(),
        };
        let _lock = Store::open(&self.cache).lock(&name, waiting).map_err(failed)?;
        let program = self.program(tool, arch);
        if program.is_file() {
            return Ok(program);
        }
        tell(&format!("fetching {} for {} from Debian's packages", tool.name(), arch.debian));
        let folder = self.folder(tool, arch);
        // whole or not at all: the program, which is looked for, is written last
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(folder.join("root")).map_err(io("create", &folder))?;
        // scripts name it, and a cache may be a link to another
        let folder = fs::canonicalize(&folder).map_err(io("find", &folder))?;
        let root = folder.join("root");
        match tool {
            Tool::Busybox => self.unpack_busybox(arch, &folder)?,
            Tool::Emulator => {
                let mut plan = self.host_plan();
                plan.own = is_of_qemu;
                let names = [Some(arch.qemu.package), arch.qemu.old_package];
                let candidates: Vec<Vec<String>> =
                    names.into_iter().flatten().map(|name| emulator_packages(arch, name, "")).collect();
                PrivateApt::new(&folder, &self.settings, &plan)?.unpack_first(&candidates, &root)?;
            }
            Tool::NewerEmulator => {
                let mut plan = self.host_plan();
                plan.own = is_of_qemu;
                let packages = emulator_packages(arch, arch.qemu.package, &format!("/{}", backports()));
                plan.suites.push(backports());
                PrivateApt::new(&folder, &self.settings, &plan)?.unpack_first(&[packages], &root)?;
            }
            Tool::Compiler => {
                let mut plan = self.host_plan();
                plan.own = |name| name.contains("-linux-gnu") || name.ends_with("-cross");
                let packages = vec![
                    format!("gcc-{}", arch.triplet.replace('_', "-")),
                    format!("libc6-dev-{}-cross", arch.debian),
                ];
                PrivateApt::new(&folder, &self.settings, &plan)?.unpack_first(&[packages], &root)?;
            }
            Tool::Rustc => {
                let plan = Plan {
                    suites: vec![RUST_SUITE.to_owned()],
                    arches: vec![host_arch(), arch.debian.to_owned()],
                    own: |_| true,
                    unwanted: is_c_compiler,
                };
                let apt = PrivateApt::new(&folder, &self.settings, &plan)?;
                let packages = apt.unpack_first(&[vec!["rustc".to_owned()]], &root)?;
                let version = packages.iter().find_map(|package| package.strip_prefix("rustc="));
                // compiler and library have to be of one build
                let library = format!("libstd-rust-dev:{}={}", arch.debian, version.unwrap_or_default());
                apt.unpack(&[library], &root)?;
            }
        }
        let text = wrapper(tool, arch, &root);
        write_program(&program, &text, tool).map_err(io("write", &program))?;
        let _ = fs::remove_dir_all(folder.join("apt"));
        thin(&root, tool, arch);
        Ok(program)
    }

    /// Removes what was unpacked and is not needed again for a while.
    pub fn forget(&self, tool: Tool, arch: &Arch) {
        let _ = fs::remove_dir_all(self.folder(tool, arch));
    }

    fn folder(&self, tool: Tool, arch: &Arch) -> PathBuf {
        self.cache.join("tools").join(format!("{}-{}", tool.name(), arch.debian))
    }

    fn program(&self, tool: Tool, arch: &Arch) -> PathBuf {
        let folder = self.folder(tool, arch);
        match tool {
            Tool::Busybox => folder.join("busybox"),
            _ => folder.join(tool.name()),
        }
    }

    /// Packages of the host's own release, without what is installed.
    fn host_plan(&self) -> Plan {
        let codename = codename();
        let suites = vec![codename.clone(), format!("{codename}-updates"), format!("{codename}-security")];
        Plan { suites, arches: vec![host_arch()], own: |_| false, unwanted: |_| false }
    }

    /// The shell of the guests is one package of theirs, which the lists of their kernels have.
    fn unpack_busybox(&self, arch: &'static Arch, folder: &Path) -> Result<(), SourceError> {
        const PACKAGE: &str = "busybox-static";
        let source = self.settings.of(arch).open(debian::NAME)?;
        let newest = || -> Result<_, SourceError> {
            Ok(source
                .packages_named(PACKAGE)?
                .into_iter()
                .max_by(|a, b| compare_debian(&a.version, &b.version)))
        };
        let package = match newest() {
            Ok(Some(package)) => package,
            _ => {
                source.update()?;
                newest()?.ok_or_else(|| SourceError::Failed {
                    what: format!("looking for {PACKAGE} of {}", arch.debian),
                    said: "no package list has it".to_owned(),
                })?
            }
        };
        let file = folder.join("package.deb");
        source.download(&package, &file, &|_| {}, None)?;
        apt::unpack_deb(&file, &folder.join("root"))?;
        let _ = fs::remove_file(file);
        Ok(())
    }
}

/// The suite of the host's release that has newer packages, as Debian names it.
pub fn backports() -> String {
    format!("{}-backports", codename())
}

/// The name of the host's release; one that has none is taken for Debian's unstable.
fn codename() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    codename_in(&release).unwrap_or("sid").to_owned()
}

/// The same in the text of os-release(5).
fn codename_in(release: &str) -> Option<&str> {
    let value = release.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="))?;
    Some(value.trim().trim_matches('"')).filter(|name| !name.is_empty())
}

/// QEMU's packages; `suite` stands behind each name (`/bookworm-backports`).
fn emulator_packages(arch: &Arch, package: &str, suite: &str) -> Vec<String> {
    [package].iter().chain(arch.qemu.with).map(|package| format!("{package}{suite}")).collect()
}

fn is_of_qemu(name: &str) -> bool {
    ["qemu-", "seabios", "opensbi", "ipxe-"].iter().any(|start| name.starts_with(start))
}

/// A failed use of `path`, for `map_err`.
fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> SourceError {
    let path = path.to_path_buf();
    move |source| SourceError::Io { what, path, source }
}

/// Writes a script for each unpacked program whose name begins so into `bin`.
fn write_binutils(folder: &Path, start: &str) -> std::io::Result<()> {
    let (root, bin) = (folder.join("root"), folder.join("bin"));
    fs::create_dir_all(&bin)?;
    for program in fs::read_dir(root.join("usr/bin"))?.flatten().map(|entry| entry.file_name()) {
        let Some(name) = program.to_str().filter(|name| name.starts_with(start)) else { continue };
        let script = bin.join(name);
        let text = with_libraries(&root, name);
        // a program that is being run is left alone
        if fs::read_to_string(&script).is_ok_and(|found| found == text) {
            continue;
        }
        write_script(&script, &text)?;
    }
    Ok(())
}

/// What Debian calls this host's architecture.
fn host_arch() -> String {
    Arch::named(std::env::consts::ARCH).map_or(std::env::consts::ARCH, |arch| arch.debian).to_owned()
}

/// A program of the host's own that will do.
fn installed(tool: Tool, arch: &Arch) -> Option<PathBuf> {
    match tool {
        Tool::Emulator => which::which(arch.qemu.program).ok(),
        Tool::Compiler => {
            let compiler = which::which(format!("{}-gcc", arch.triplet)).ok()?;
            // Debian's cross compilers are there without a C library, too, for kernels
            links_statically(&compiler).then_some(compiler)
        }
        // its own targets are looked at where it is used
        Tool::Rustc | Tool::Busybox | Tool::NewerEmulator => None,
    }
}

fn links_statically(compiler: &Path) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let source = folder.path().join("a.c");
    let written = fs::write(&source, "int main(void) { return 0; }\n").is_ok();
    let mut command = Command::new(compiler);
    command.arg("-static").arg("-o").arg(folder.path().join("a.out")).arg(&source);
    written
        && command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// What rustc depends on to link programs of the host, which is not done with it.
fn is_c_compiler(name: &str) -> bool {
    const STARTS: &[&str] = &[
        "gcc",
        "cpp",
        "g++",
        "binutils",
        "libbinutils",
        "libc6-dev",
        "libc-dev",
        "linux-libc",
        "libcc1",
        "libctf",
        "libgprofng",
        "libsframe",
        "libitm",
        "libgomp",
        "libasan",
        "liblsan",
        "libtsan",
        "libubsan",
        "libhwasan",
        "libquadmath",
        "libisl",
        "libmpc",
        "libmpfr",
        "libgmp",
        "libjansson",
        "perl",
        "dpkg",
        "debconf",
    ];
    STARTS.iter().any(|start| name.starts_with(start))
        || name.starts_with("libgcc-") && name.ends_with("-dev")
}

/// Removes documentation, and emulators of other architectures: one package has twenty.
fn thin(root: &Path, tool: Tool, arch: &Arch) {
    for folder in ["doc", "man", "lintian", "locale"] {
        let _ = fs::remove_dir_all(root.join("usr/share").join(folder));
    }
    let is_emulator = matches!(tool, Tool::Emulator | Tool::NewerEmulator);
    let programs = is_emulator.then(|| fs::read_dir(root.join("usr/bin")).ok()).flatten();
    for program in programs.into_iter().flatten().flatten() {
        if program.file_name() != arch.qemu.program {
            let _ = fs::remove_file(program.path());
        }
    }
}

/// A path for a shell.
fn quoted(path: PathBuf) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

/// The host's folder of libraries below a root.
fn libraries() -> String {
    let host = Arch::named(std::env::consts::ARCH).map_or(GUEST.triplet, |arch| arch.triplet);
    format!("usr/lib/{host}")
}

/// A script that runs a program of `usr/bin` below `root` with the libraries there.
fn with_libraries(root: &Path, program: &str) -> String {
    let (libraries, program) = (root.join(libraries()), root.join("usr/bin").join(program));
    format!("#!/bin/sh\nexport LD_LIBRARY_PATH={}\nexec {} \"$@\"\n", quoted(libraries), quoted(program))
}

/// A script that runs what was unpacked with its own libraries; of the shell it is the program itself, which is copied.
fn wrapper(tool: Tool, arch: &Arch, root: &Path) -> String {
    let at = |below: &str| quoted(root.join(below));
    let libraries = libraries();
    match tool {
        Tool::Busybox => String::new(),
        Tool::Emulator | Tool::NewerEmulator => {
            let firmware: Vec<String> = arch
                .qemu
                .firmware
                .iter()
                .map(|folder| format!("-L {}", at(&format!("usr/share/{folder}"))))
                .collect();
            format!(
                "#!/bin/sh\nexport QEMU_MODULE_DIR={} LD_LIBRARY_PATH={}\nexec {} {} \"$@\"\n",
                at(&format!("{libraries}/qemu")),
                at(&libraries),
                at(&format!("usr/bin/{}", arch.qemu.program)),
                firmware.join(" ")
            )
        }
        Tool::Compiler => with_libraries(root, &format!("{}-gcc", arch.triplet)),
        // its C library may be younger than the host's
        Tool::Rustc => {
            let loader = ["lib64/ld-linux-x86-64.so.2", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"];
            let places =
                loader.iter().flat_map(|name| [format!("usr/{name}"), format!("{libraries}/{name}")]);
            let loader = places.into_iter().find(|place| root.join(place).is_file()).unwrap_or_default();
            format!(
                "#!/bin/sh\nexec {} --library-path {} {} --sysroot {} \"$@\"\n",
                at(&loader),
                at(&libraries),
                at("usr/bin/rustc"),
                at("usr")
            )
        }
    }
}

fn write_program(program: &Path, text: &str, tool: Tool) -> std::io::Result<()> {
    if tool == Tool::Busybox {
        let root = program.with_file_name("root");
        let places = ["bin/busybox", "usr/bin/busybox"].map(|place| root.join(place));
        let there = places.iter().find(|place| place.is_file());
        let there = there.ok_or_else(|| std::io::Error::other("the package has no busybox"))?;
        return crate::atomic_file::write(program, &fs::read(there)?);
    }
    write_script(program, text)
}

fn write_script(path: &Path, text: &str) -> std::io::Result<()> {
    crate::atomic_file::write(path, text.as_bytes())?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o755))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_releases_name_is_read() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_CODENAME=bookworm\nID=debian\n";
        assert_eq!(codename_in(debian), Some("bookworm"));
        assert_eq!(codename_in("VERSION_CODENAME=\"trixie\"\n"), Some("trixie"));
        assert_eq!(codename_in("ID=debian\n"), None);
    }

    #[test]
    fn all_packages_of_a_newer_emulator_are_of_one_suite() {
        let packages = emulator_packages(GUEST, GUEST.qemu.package, "/bookworm-backports");
        assert!(packages.iter().all(|package| package.ends_with("/bookworm-backports")), "{packages:?}");
        assert!(packages.len() > 1);
    }
}
