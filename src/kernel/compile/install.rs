//! From a build folder to a kernel in the store.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use parking_lot::Mutex;

use super::error::BuildError;
use kernel_modules::Image;
use kernel_modules::{IndexEntry, ModuleIndex};
use kernel_modules::{Job, add_builtin, add_builtin_modinfo, index_modules};

/// What a build left.
pub(super) struct Built<'a> {
    /// The build folder.
    pub output: &'a Path,
    /// The image, relative to it.
    pub image: &'a str,
    /// The kernel's release.
    pub release: &'a str,
    /// The program `objcopy` of the kernel's architecture.
    pub objcopy: &'a str,
}

/// Copies what a kernel consists of from the build folder to `into`: `vmlinuz`, `config`, `System.map`, `modules.pack`, and
/// `vmlinux` where the image is packed.
pub(super) fn install(built: &Built, into: &Path) -> Result<ModuleIndex, BuildError> {
    let Built { output, image, release, .. } = *built;
    let from = output.join(image);
    let to = into.join("vmlinuz");
    let is_elf = image == "vmlinux";
    if is_elf {
        strip(built.objcopy, &from, &to, &["--strip-all", "--remove-section=.comment"])?;
    } else {
        fs::copy(&from, &to).map_err(BuildError::io("write", &to))?;
        let data = fs::read(&to).map_err(BuildError::io("read", &to))?;
        let failed =
            |error| BuildError::source(image, format!("the image that was built cannot be read: {error}"));
        if let Some(elf) = Image::parse(&data).map_err(failed)?.uncompressed().map_err(failed)? {
            write(&into.join("vmlinux"), &elf)?;
        }
    }
    copy(&output.join(".config"), &into.join("config"))?;
    copy(&output.join("System.map"), &into.join("System.map"))?;
    sync(&to)?;

    let mut index = ModuleIndex { release: release.to_string(), ..ModuleIndex::default() };
    let builtin = output.join("modules.builtin");
    let text = fs::read_to_string(&builtin).map_err(BuildError::io("read", &builtin))?;
    add_builtin(&mut index, &text);
    if let Ok(file) = fs::read(output.join("modules.builtin.modinfo")) {
        add_builtin_modinfo(&mut index, &file);
    }
    index.modules = pack_modules(built, &into.join("modules.pack"))?;
    Ok(index)
}

/// Puts the modules that `modules.order` lists into one file, without what only a debugger reads.
fn pack_modules(built: &Built, pack: &Path) -> Result<BTreeMap<String, IndexEntry>, BuildError> {
    let Built { output, release, .. } = *built;
    let file = BufWriter::new(File::create(pack).map_err(BuildError::io("write", pack))?);
    let file = Mutex::new((file, 0));
    let keep = |bytes: Vec<u8>| {
        let mut file = file.lock();
        let (offset, length) = (file.1, bytes.len() as u64);
        file.0.write_all(&bytes).map_err(BuildError::io("write", pack))?;
        file.1 += length;
        Ok((offset, length))
    };
    let modules = index_modules::<BuildError>(release, &keep, |submit| {
        for name in modules(output) {
            let module = output.join(&name);
            let bytes = match fs::metadata(&module).map(|meta| meta.len()) {
                // a hundred times the largest without debug information would take long to keep and to send
                Ok(size) if size > 8 << 20 => {
                    let stripped = pack.with_file_name(".stripped.ko");
                    strip(built.objcopy, &module, &stripped, &["--strip-debug"])?;
                    let bytes = fs::read(&stripped).map_err(BuildError::io("read", &stripped))?;
                    fs::remove_file(&stripped).map_err(BuildError::io("remove", &stripped))?;
                    bytes
                }
                _ => fs::read(&module).map_err(BuildError::io("read", &module))?,
            };
            submit(Job { path: format!("kernel/{name}"), bytes });
        }
        Ok(())
    })?;
    let (file, _) = file.into_inner();
    let file = file.into_inner().map_err(|error| BuildError::io("write", pack)(error.into_error()))?;
    file.sync_all().map_err(BuildError::io("write", pack))?;
    Ok(modules)
}

/// The modules that `modules.order` lists, relative to the build folder.
pub(super) fn modules(output: &Path) -> Vec<String> {
    // a kernel without modules has no such file
    let order = fs::read_to_string(output.join("modules.order")).unwrap_or_default();
    let name = |line: &str| {
        // up to 6.2 the list names .ko files, later on .o files
        let name = line.rsplit_once('.').map_or(line, |(name, _)| name);
        format!("{}.ko", name.strip_prefix("kernel/").unwrap_or(name))
    };
    order.lines().map(str::trim).filter(|line| !line.is_empty()).map(name).collect()
}

fn strip(objcopy: &str, from: &Path, to: &Path, options: &[&str]) -> Result<(), BuildError> {
    let failed = |reason: String| BuildError::source(format!("objcopy of {}", from.display()), reason);
    let output = Command::new(objcopy)
        .args(options)
        .args([from, to])
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(format!("{error}; install binutils (sudo apt-get install binutils)")))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_string())),
    }
}

fn copy(from: &Path, to: &PathBuf) -> Result<(), BuildError> {
    fs::copy(from, to).map_err(BuildError::io("write", to))?;
    sync(to)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BuildError> {
    fs::write(path, bytes).map_err(BuildError::io("write", path))?;
    sync(path)
}

fn sync(path: &Path) -> Result<(), BuildError> {
    File::open(path).and_then(|file| file.sync_all()).map_err(BuildError::io("write", path))
}
