//! The debug information of a kernel that was built with some, kept in the cache beside the kernel.

use std::fs::File;
use std::path::Path;

use super::error::BuildError;
use super::install::modules;
use crate::kernel::store::Store;
use crate::kernel::store::debug::{AddError, DebugOrigin};

/// Whether the build folder `output` is of a kernel with DWARF.
pub(super) fn has_some(output: &Path) -> bool {
    let config = std::fs::read_to_string(output.join(".config")).unwrap_or_default();
    config.lines().any(|line| line == "CONFIG_DEBUG_INFO=y")
}

/// Packs `vmlinux`, `System.map` and the modules of the build folder `output`.
pub(super) fn keep(store: &Store, output: &Path, release: &str, key: &str) -> Result<(), BuildError> {
    let name = format!("built-{}", &key[..12]);
    let lock = store.lock(&Store::debug_lock_name(&name), || {})?;
    let folder = store.begin_debug(&name, &lock)?;
    let add = |path: &Path, name: &str| {
        let mut file = File::open(path).map_err(BuildError::io("read", path))?;
        folder.add(name, &mut file).map_err(|error| match error {
            AddError::Read(error) => BuildError::io("read", path)(error),
            AddError::Store(error) => error.into(),
        })
    };
    for name in ["vmlinux", "System.map"] {
        add(&output.join(name), name)?;
    }
    for module in modules(output) {
        let path = output.join(&module);
        add(&path, module.rsplit('/').next().unwrap_or(&module))?;
    }
    folder.commit(release, DebugOrigin::Built { key: key.to_owned() })?;
    Ok(())
}
