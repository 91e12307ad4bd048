//! What is asked for.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// Where the files of a userland come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Debian packages with all that they depend on, as `apt-get install` takes them: a name, `name=version` or
    /// `name:architecture`.
    Packages(Vec<String>),
    /// An OCI image layout or what `docker save` wrote (a tar archive or the folder of one), a tarball of a root file
    /// system (plain, gzip, xz, zstd), or such a folder.
    Image(PathBuf),
}

/// A userland.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// Where its files come from.
    pub source: Source,
    /// More files, or whole folders: the absolute path in the userland, and the file on the host. They belong to root and
    /// come last, in the place of what is there.
    pub files: BTreeMap<String, PathBuf>,
    /// More users, each with a group and a folder below `/home`. They get the numbers from 1000 on.
    pub users: Vec<String>,
    /// Whether all of Debian's essential packages are in it, which any package may use without saying so.
    pub essential: bool,
}

impl Spec {
    /// A userland of this source and nothing more.
    pub fn new(source: Source) -> Spec {
        Spec { source, files: BTreeMap::new(), users: Vec::new(), essential: false }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Packages(names) => f.write_str(&names.join(" "))?,
            Source::Image(file) => {
                f.write_str(&file.file_name().unwrap_or(file.as_os_str()).to_string_lossy())?;
            }
        }
        match self.files.len() {
            0 => Ok(()),
            1 => f.write_str(" and a file"),
            files => write!(f, " and {files} files"),
        }
    }
}
