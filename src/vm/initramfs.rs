//! The guest's first file system: the agent, a static shell, the drivers of the agent's channel.
//!
//! It holds nothing of a test, so that one serves every attempt on a kernel.

use std::io::Write;
use std::path::{Path, PathBuf};

use cpio::newc;
use sha2::{Digest, Sha256};

use super::VmError;
use crate::guest::{LAST_WORDS, layout};

/// A driver to be loaded by the agent before it can speak.
#[derive(Clone, Debug)]
pub struct ChannelModule {
    /// Its name.
    pub name: String,
    /// The uncompressed module.
    pub contents: Vec<u8>,
}

/// What an initramfs is made of.
#[derive(Debug)]
pub struct Contents<'a> {
    /// The static program that becomes PID 1.
    pub agent: &'a [u8],
    /// The static busybox.
    pub busybox: &'a [u8],
    /// Names of its applets.
    pub applets: &'a [String],
    /// Drivers, in load order.
    pub modules: &'a [ChannelModule],
}

const DIRECTORIES: &[&str] = &[
    "bin",
    "sbin",
    "usr",
    "usr/bin",
    "usr/sbin",
    "etc",
    "proc",
    "sys",
    "dev",
    "tmp",
    "run",
    "mnt",
    "root",
    "lib",
    "kregress",
    "kregress/channel",
    "kregress/inbox",
];

/// The accounts that programs look up: those that POSIX's tests and LTP's `IDcheck` want (root, bin, daemon, nobody), with
/// Debian's numbers.
const ACCOUNTS: &[(&str, &str)] = &[
    (
        "etc/passwd",
        "root:x:0:0:root:/root:/bin/sh\n\
         daemon:x:1:1:daemon:/usr/sbin:/bin/sh\n\
         bin:x:2:2:bin:/bin:/bin/sh\n\
         sys:x:3:3:sys:/dev:/bin/sh\n\
         nobody:x:65534:65534:nobody:/nonexistent:/bin/sh\n",
    ),
    (
        "etc/group",
        "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nusers:x:100:\nnogroup:x:65534:\nnobody:x:65534:\n",
    ),
    ("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n"),
];

/// Writes the archive.
///
/// # Errors
/// What `out` says.
pub fn write(contents: &Contents<'_>, out: &mut impl Write) -> std::io::Result<()> {
    let mut archive = Archive { out, inode: 0 };
    for directory in DIRECTORIES {
        archive.entry(directory, 0o040755, b"")?;
    }
    // the kernel opens /dev/console for PID 1 before anything is mounted
    archive.device("dev/console", 0o020600, 5, 1)?;
    // links, because what they lead to has a place that a guest keeps when it enters a userland
    archive.entry("init", 0o120777, layout::AGENT.as_bytes())?;
    archive.entry(relative(layout::AGENT), 0o100755, contents.agent)?;
    archive.entry("bin/busybox", 0o120777, layout::BUSYBOX.as_bytes())?;
    archive.entry(relative(layout::BUSYBOX), 0o100755, contents.busybox)?;
    // modprobe is the agent's
    let own = |applet: &&String| matches!(applet.as_str(), "busybox" | "modprobe");
    for applet in contents.applets.iter().filter(|applet| !own(applet)) {
        archive.entry(&format!("bin/{applet}"), 0o120777, b"busybox")?;
    }
    for (name, contents) in ACCOUNTS {
        archive.entry(name, 0o100644, contents.as_bytes())?;
    }
    let mut list = String::new();
    for module in contents.modules {
        list.push_str(&format!("{}.ko\n", module.name));
        let path = format!("{}/{}.ko", relative(layout::CHANNEL_MODULES_DIR), module.name);
        archive.entry(&path, 0o100644, &module.contents)?;
    }
    archive.entry(relative(layout::CHANNEL_MODULES), 0o100644, list.as_bytes())?;
    newc::trailer(archive.out)?;
    Ok(())
}

fn relative(path: &str) -> &str {
    path.trim_start_matches('/')
}

struct Archive<'w, W> {
    out: &'w mut W,
    inode: u32,
}

impl<W: Write> Archive<'_, W> {
    fn entry(&mut self, name: &str, mode: u32, data: &[u8]) -> std::io::Result<()> {
        self.inode += 1;
        let builder = newc::Builder::new(name).ino(self.inode).mode(mode).nlink(1);
        let mut writer = builder.write(&mut *self.out, data.len() as u32);
        writer.write_all(data)?;
        writer.finish()?;
        Ok(())
    }

    fn device(&mut self, name: &str, mode: u32, major: u32, minor: u32) -> std::io::Result<()> {
        self.inode += 1;
        newc::Builder::new(name)
            .ino(self.inode)
            .mode(mode)
            .nlink(1)
            .rdev_major(major)
            .rdev_minor(minor)
            .write(&mut *self.out, 0)
            .finish()?;
        Ok(())
    }
}

/// The init that was built with this program (`build.rs`).
const BUILT_IN: &[u8] = include_bytes!(env!("KREGRESS_AGENT_IMAGE"));

/// The program that becomes PID 1, as the guest needs it.
pub struct Agent {
    /// Its loadable part: the file without what lies behind the last segment (symbols, debug information).
    pub image: Vec<u8>,
    /// Where it was read from; absent: it is the built-in one.
    pub path: Option<PathBuf>,
}

/// The built-in agent, or the one that `KREGRESS_AGENT` names.
///
/// # Errors
/// [`VmError::Agent`] tells why the named one will not do.
pub fn find_agent() -> Result<Agent, VmError> {
    let path = std::env::var_os("KREGRESS_AGENT").filter(|path| !path.is_empty()).map(PathBuf::from);
    let image = match &path {
        Some(path) => read_agent(path).map_err(|why| {
            let shown = path.display();
            VmError::Agent(format!("{shown}: {why}; KREGRESS_AGENT must name a static kregress-agent"))
        })?,
        None => loadable_part(BUILT_IN.to_vec()).map_err(VmError::Agent)?,
    };
    Ok(Agent { image, path })
}

pub(super) fn read_agent(path: &Path) -> Result<Vec<u8>, String> {
    let image = loadable_part(std::fs::read(path).map_err(|e| e.to_string())?)?;
    // any other static program would be an init that says nothing
    match memchr::memmem::find(&image, LAST_WORDS.as_bytes()) {
        Some(_) => Ok(image),
        None => Err("it is no kregress-agent".to_owned()),
    }
}

/// Cuts an ELF program behind its last loadable byte and removes its section table: the kernel reads program headers
/// only (`elf(5)`).
fn loadable_part(mut image: Vec<u8>) -> Result<Vec<u8>, String> {
    use object::elf::{FileHeader64, PT_INTERP};
    use object::read::elf::{FileHeader, ProgramHeader};
    let header = FileHeader64::<object::Endianness>::parse(&*image)
        .map_err(|e| format!("not a 64-bit ELF program: {e}"))?;
    let endian = header.endian().map_err(|e| e.to_string())?;
    let segments = header.program_headers(endian, &*image).map_err(|e| e.to_string())?;
    if segments.iter().any(|s| s.p_type(endian) == PT_INTERP) {
        return Err("linked dynamically; the guest has no shared libraries".to_owned());
    }
    let end = segments.iter().map(|s| s.p_offset(endian) + s.p_filesz(endian)).max().unwrap_or(0) as usize;
    if end == 0 || end > image.len() {
        return Err("no loadable segments".to_owned());
    }
    image.truncate(end);
    // e_shoff, and e_shnum with e_shstrndx: offsets of the 64-bit ELF header
    image[0x28..0x30].fill(0);
    image[0x3c..0x40].fill(0);
    Ok(image)
}

/// A static busybox and the names of its applets.
#[derive(Clone)]
pub struct Busybox {
    /// The program.
    pub image: Vec<u8>,
    /// The applets it has.
    pub applets: Vec<String>,
}

/// Reads the busybox that `KREGRESS_BUSYBOX` names, else the one in `PATH`.
///
/// # Errors
/// [`VmError::Busybox`] says what is wrong and what to install.
pub fn find_busybox() -> Result<Busybox, VmError> {
    let remedy = "install it (Debian: apt-get install busybox-static) or name one in KREGRESS_BUSYBOX";
    let path =
        std::env::var_os("KREGRESS_BUSYBOX").map(PathBuf::from).or_else(|| which::which("busybox").ok());
    let path = path.ok_or_else(|| VmError::Busybox(format!("busybox was not found; {remedy}")))?;
    let shown = path.display().to_string();
    let image = std::fs::read(&path).map_err(|e| VmError::Busybox(format!("{shown}: {e}; {remedy}")))?;
    let image = loadable_part(image)
        .map_err(|why| VmError::Busybox(format!("{shown}: {why}; a static one is needed: {remedy}")))?;
    let list = duct::cmd!(&path, "--list")
        .stderr_null()
        .read()
        .map_err(|e| VmError::Busybox(format!("{shown} --list failed: {e}; {remedy}")))?;
    let applets =
        list.lines().map(|l| l.trim().to_owned()).filter(|l| !l.is_empty() && !l.contains('/')).collect();
    Ok(Busybox { image, applets })
}

/// Reads a busybox of another architecture, which cannot be asked for its applets.
///
/// # Errors
/// [`VmError::Busybox`] says what is wrong.
pub fn foreign_busybox(path: &Path) -> Result<Busybox, VmError> {
    let failed = |why: String| VmError::Busybox(format!("{}: {why}", path.display()));
    let image = loadable_part(std::fs::read(path).map_err(|e| failed(e.to_string()))?).map_err(failed)?;
    let applets = applets_in(&image);
    match applets.iter().any(|applet| applet == "sh") {
        true => Ok(Busybox { image, applets }),
        false => Err(failed("no list of applets is in it, or none with sh".to_owned())),
    }
}

/// The applets of a busybox by its own table, where each name ends with a zero byte and all are in order
/// (busybox's `applet_tables.c`). `[` and `[[` are the first two.
fn applets_in(image: &[u8]) -> Vec<String> {
    const BEGIN: &[u8] = b"[\0[[\0";
    let names_from = |at: usize| -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for name in image[at..].split(|byte| *byte == 0) {
            let name = std::str::from_utf8(name).unwrap_or_default();
            let plain = |c: char| c.is_ascii_graphic() && c != '/';
            let in_order = names.last().is_none_or(|last| last.as_str() < name);
            if name.is_empty() || !name.chars().all(plain) || !in_order {
                break;
            }
            names.push(name.to_owned());
        }
        names
    };
    memchr::memmem::find_iter(image, BEGIN).map(names_from).max_by_key(Vec::len).unwrap_or_default()
}

/// Places the archive in the cache folder under its content's name and returns its path; one that is there already
/// is used again.
///
/// # Errors
/// The cache folder cannot be written.
pub fn store(contents: &Contents<'_>, folder: &Path) -> Result<PathBuf, VmError> {
    let mut bytes = Vec::with_capacity(contents.agent.len() + contents.busybox.len() + (1 << 16));
    write(contents, &mut bytes).map_err(VmError::io("the initramfs"))?;
    let digest = Sha256::digest(&bytes);
    let name: String = digest.iter().take(16).map(|b| format!("{b:02x}")).collect();
    let path = folder.join(format!("{name}.cpio"));
    let is_there = || std::fs::metadata(&path).is_ok_and(|m| m.len() == bytes.len() as u64);
    if is_there() {
        return Ok(path);
    }
    let shown = path.display().to_string();
    let place = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = crate::atomic_file::begin(folder)?;
        crate::atomic_file::fill(&mut file, &bytes)?;
        // one that another process has placed meanwhile stays: guests were saved with that very file
        match file.persist_noclobber(&path) {
            Err(error) if !is_there() => error.file.persist(&path).map(drop).map_err(|e| e.error),
            _ => Ok(()),
        }
    };
    place().map_err(VmError::io(shown))?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_reads_back() {
        let applets = ["sh".to_owned(), "busybox".to_owned()];
        let modules = [ChannelModule { name: "virtio_console".into(), contents: b"ko".to_vec() }];
        let contents = Contents { agent: b"agent", busybox: b"bb", applets: &applets, modules: &modules };
        let mut bytes = Vec::new();
        write(&contents, &mut bytes).unwrap();
        let mut rest = &bytes[..];
        let mut names = Vec::new();
        loop {
            let reader = newc::Reader::new(rest).unwrap();
            if reader.entry().is_trailer() {
                break;
            }
            names.push(format!(
                "{} {:o} {}",
                reader.entry().name(),
                reader.entry().mode(),
                reader.entry().file_size()
            ));
            rest = reader.finish().unwrap();
        }
        assert!(names.contains(&"init 120777 15".to_owned()));
        assert!(names.contains(&"bin/sh 120777 7".to_owned()));
        assert!(names.contains(&"dev/console 20600 0".to_owned()));
        assert!(names.contains(&"kregress/channel/virtio_console.ko 100644 2".to_owned()));
        assert!(names.contains(&"kregress/channel-modules 100644 18".to_owned()));
        assert_eq!(names.iter().filter(|n| n.starts_with("bin/busybox ")).count(), 1);
    }

    #[test]
    fn the_agent_is_static_and_small() {
        let image = loadable_part(BUILT_IN.to_vec()).unwrap();
        assert!(image.len() <= BUILT_IN.len());
        assert!(memchr::memmem::find(&image, LAST_WORDS.as_bytes()).is_some());
        // with glibc; with musl it is half of it
        assert!(image.len() < 1_700_000, "every guest unpacks its {} bytes", image.len());
    }

    #[test]
    fn a_busybox_that_cannot_be_run_says_its_applets() {
        let Ok(busybox) = find_busybox() else {
            return loud_skip::optional(format_args!("there is no static busybox"));
        };
        let mut listed = busybox.applets;
        listed.sort();
        let read: Vec<String> = applets_in(&busybox.image).into_iter().filter(|a| a != "busybox").collect();
        assert_eq!(read, listed.into_iter().filter(|a| a != "busybox").collect::<Vec<_>>());
        assert!(applets_in(b"nothing").is_empty());
    }

    #[test]
    fn what_cannot_be_an_init_is_refused() {
        assert!(loadable_part(b"#!/bin/sh\n".to_vec()).unwrap_err().contains("not a 64-bit ELF"));
        // the test itself is linked to shared libraries
        let dynamic = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(loadable_part(dynamic).unwrap_err().contains("linked dynamically"));
    }
}
