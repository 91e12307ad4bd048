//! Kernels with names of their own: how each is obtained, and how it is compiled if it is.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::arch::{Arch, GUEST};
use crate::kernel::architecture;
use crate::kernel::compile::{BuildRequest, BuildSource, Patch, PatchError};
use crate::kernel::packages::debian::Archive;
use crate::kernel::packages::source::Package;

/// A kernel with a name of its own.
#[derive(Debug, Clone)]
pub(crate) struct NamedKernel {
    /// How it is obtained.
    pub source: NamedSource,
    /// How it is compiled, if its source is.
    pub(super) recipe: Option<Recipe>,
    /// The catalogue that has it.
    pub(super) file: PathBuf,
}

/// How a kernel is compiled.
#[derive(Debug, Clone)]
pub(super) struct Recipe {
    source: BuildSource,
    config: String,
    patches: Vec<PathBuf>,
    compiler: Option<String>,
    arch: &'static Arch,
}

impl NamedKernel {
    /// Whether it is compiled here.
    pub(crate) fn is_to_build(&self) -> bool {
        self.recipe.is_some()
    }

    /// What is to be built, if this is a kernel to build. Reads its patches.
    pub(crate) fn request(&self, name: &str) -> Option<Result<BuildRequest, PatchError>> {
        let Recipe { source, config, patches, compiler, arch } = self.recipe.clone()?;
        let patches = patches.iter().map(|path| Patch::read(path)).collect::<Result<Vec<_>, _>>();
        Some(patches.map(|patches| BuildRequest {
            name: name.to_string(),
            source,
            patches,
            config,
            compiler,
            arch,
            jobs: None,
        }))
    }
}

/// How a named kernel is obtained.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum NamedSource {
    /// A version among Debian's, as a spec.
    Debian(String),
    /// Files, relative to the catalogue's folder.
    Local {
        image: PathBuf,
        #[serde(default)]
        modules: Option<PathBuf>,
    },
    /// A package, an archive, or a folder that a build has filled, relative to the catalogue's folder.
    Package(PathBuf),
    /// A folder with a source, relative to the catalogue's.
    Folder(PathBuf),
    /// A commit of a repository, whose path is relative to the catalogue's folder.
    Git(GitCommit),
    /// A packed source, relative to the catalogue's folder.
    Tarball(PathBuf),
    /// A source package of Debian's.
    DebianSource(SourcePackage),
}

/// A commit of a repository.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "`{repository: FOLDER, ref: COMMIT}`")]
pub(crate) struct GitCommit {
    repository: PathBuf,
    #[serde(rename = "ref")]
    reference: String,
}

/// A source package. The last three are for one that has left the index.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "`{package: linux-source-LINE, version: DEBIAN-VERSION}`")]
pub(crate) struct SourcePackage {
    package: String,
    version: String,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    size: Option<u64>,
    #[serde(default)]
    sha256: Option<String>,
}

impl NamedSource {
    /// The source to compile, with paths below `folder`; `None` for kernels that are compiled already.
    fn to_build(&self, folder: &Path) -> Result<Option<BuildSource>, &'static str> {
        Ok(Some(match self {
            NamedSource::Debian(_) | NamedSource::Local { .. } | NamedSource::Package(_) => return Ok(None),
            NamedSource::Folder(source) => BuildSource::Folder(folder.join(source)),
            NamedSource::Tarball(file) => BuildSource::Tarball(folder.join(file)),
            NamedSource::Git(GitCommit { repository, reference }) => {
                BuildSource::Git { repository: folder.join(repository), reference: reference.clone() }
            }
            NamedSource::DebianSource(SourcePackage { package, version, path, size, sha256 }) => {
                let pinned = match (path, size, sha256) {
                    (None, None, None) => None,
                    (Some(path), Some(size), Some(sha256)) if sha256.len() == 64 => Some(Package {
                        name: package.clone(),
                        version: version.clone(),
                        archive: if path.starts_with("pool/updates/") {
                            Archive::Security
                        } else {
                            Archive::Main
                        },
                        path: path.clone(),
                        size: *size,
                        sha256: sha256.clone(),
                        suites: Vec::new(),
                    }),
                    _ => {
                        return Err(
                            "`path`, `size` and `sha256` (64 digits) pin a package together; write all of them or none",
                        );
                    }
                };
                BuildSource::Debian { package: package.clone(), version: version.clone(), pinned }
            }
        }))
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct NamedEntry {
    pub name: String,
    /// For the reader of the file.
    #[serde(default)]
    #[allow(dead_code)]
    summary: Option<String>,
    // `source: {local: …}` instead of YAML's tags, which few know
    #[serde(with = "serde_yaml::with::singleton_map")]
    #[schemars(with = "NamedSource")]
    pub source: NamedSource,
    /// For sources that are compiled: fragments joined by `+`.
    #[serde(default)]
    config: Option<String>,
    #[serde(default)]
    patches: Vec<PathBuf>,
    #[serde(default)]
    compiler: Option<String>,
    /// For sources that are compiled: what for, as `uname -m` or Debian says it.
    #[serde(default, deserialize_with = "named_arch")]
    #[schemars(with = "String")]
    arch: Option<&'static Arch>,
}

fn named_arch<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'static Arch>, D::Error> {
    architecture::deserialize(deserializer).map(Some)
}

impl NamedEntry {
    /// How the kernel is compiled, if it is; the error says what does not fit together.
    pub(super) fn recipe(&self, folder: &Path) -> Result<Option<Recipe>, &'static str> {
        let patches = self.patches.iter().map(|patch| folder.join(patch)).collect();
        let source = self.source.to_build(folder)?;
        match (source, &self.config) {
            (Some(source), Some(config)) => {
                let (config, compiler) = (config.clone(), self.compiler.clone());
                Ok(Some(Recipe { source, config, patches, compiler, arch: self.arch.unwrap_or(GUEST) }))
            }
            (Some(_), None) => Err("a kernel that is compiled needs a `config`, such as `config: small`"),
            (None, None) if self.patches.is_empty() && self.compiler.is_none() && self.arch.is_none() => {
                Ok(None)
            }
            (None, _) => Err(
                "`config`, `patches`, `compiler` and `arch` are for sources that are compiled, and this kernel is compiled already",
            ),
        }
    }
}

/// The line, from 1, on which a catalogue names the kernel `name`.
pub(super) fn line_of(text: &str, name: &str) -> usize {
    let names = |line: &str| {
        let value =
            line.split_once("name:").map(|(_, value)| value.trim_start().trim_start_matches(['"', '\'']));
        let behind = value.and_then(|value| value.strip_prefix(name));
        behind.is_some_and(|behind| !behind.starts_with(|c: char| c.is_alphanumeric() || "-._".contains(c)))
    };
    text.lines().position(names).map_or(1, |at| at + 1)
}
