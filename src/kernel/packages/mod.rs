//! Where kernels come from, and what is in their packages.
//!
//! [`source`] is the seam for distributions: which kernels they have, and how a package comes here. [`files`] are kernels
//! as people have them. [`container`] is the table of what files come packed in, [`unpack`] takes a kernel out of them.

pub(crate) mod container;
mod deb;
pub(crate) mod debian;
pub(crate) mod files;
pub(crate) mod local;
mod rpm;
pub(crate) mod source;
pub(crate) mod unpack;

use std::path::Path;

/// Takes what a file that `-k` may name holds of a kernel into a folder: image, configuration, modules. Answers with the
/// kernel's release, where a path in it has one.
///
/// # Errors
/// The file cannot be read or is damaged, or the folder cannot be written.
pub fn unpack_file(
    file: &Path,
    into: &Path,
) -> Result<Option<String>, Box<dyn std::error::Error + Send + Sync>> {
    let parts = files::parts(file, None)?;
    let mut release = None;
    for part in &parts {
        release = release.or(files::release_of(part)?);
    }
    unpack::unpack_parts(&parts, release.as_deref().unwrap_or_default(), into)?;
    Ok(release)
}
