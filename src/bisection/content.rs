//! Whether two kernels can differ at all.

use sha2::{Digest, Sha256};

use crate::kernel::{Kernel, KernelOrigin, ModuleError};

/// A digest of everything that boots, 64 hexadecimal digits: equal for two builds that cannot differ. Modules are read
/// for kernels that were compiled here only; packages of two versions always differ.
///
/// # Errors
/// A module cannot be read.
pub fn of(kernel: &Kernel) -> Result<String, ModuleError> {
    if !matches!(kernel.origin, KernelOrigin::Built { .. }) || kernel.modules.is_empty() {
        return Ok(kernel.digest.clone());
    }
    let mut hash = Sha256::new();
    hash.update(&kernel.digest);
    for name in kernel.modules.names() {
        let files = kernel.modules.load_order(&[name])?;
        for file in files.iter().filter(|file| file.name == name) {
            let bytes = kernel.modules.read(file)?;
            hash.update(name.as_bytes());
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
