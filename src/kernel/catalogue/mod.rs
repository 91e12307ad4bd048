//! Catalogues: files under `kernels/` that say which kernels exist and how each is obtained.
//!
//! A file has two lists, both optional: `debian`, kernels in Debian's packages with the hash of every file (made by
//! `kregress kernels update`), and `kernels`, other kernels by name.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use super::Flavour;
use super::packages::debian::{self, Archive};
use super::packages::source::{Package, PackagedKernel};
use crate::arch::GUEST;
use crate::version::KernelVersion;

mod named;
pub(crate) mod select;
pub(crate) mod spec;
pub(crate) mod wanted;

use spec::{KernelSpec, Selector};

use named::NamedEntry;
pub(crate) use named::{NamedKernel, NamedSource};

/// Name of the file with Debian's kernels.
pub(crate) const DEBIAN_FILE: &str = "debian.yaml";

/// Debian's kernels as they were when this program was built; a `debian.yaml` in a catalogue folder replaces it.
const EMBEDDED: &str = include_str!("../../../kernels/debian.yaml");

/// A catalogue with all of Debian's kernels has some 150 KB.
const MAX_FILE: u64 = 16 << 20;

/// What is wrong with a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The file cannot be read or written.
    #[error("cannot {what} the catalogue {path}: {source}")]
    Io {
        /// Read or write.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is larger than any catalogue is.
    #[error("the catalogue {path} has {bytes} bytes, more than any catalogue needs; is it the right file?")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is no YAML, or not what a catalogue looks like.
    #[error("the catalogue {path}: {source}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        source: serde_yaml::Error,
    },
    /// A kernel's name cannot be used as a spec.
    #[error(
        "the catalogue {path}: `{name}` cannot name a kernel, because as a spec it means something else; use a word that starts with a letter"
    )]
    Name {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// Two kernels have one name.
    #[error("the catalogue {path}: `{name}` is a kernel in {other} already; names have to be different")]
    Duplicate {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
        /// Where the name is taken.
        other: PathBuf,
    },
    /// An entry makes no sense as a whole.
    #[error("{path}:{line}: the kernel `{name}`: {reason}")]
    Entry {
        /// The file.
        path: PathBuf,
        /// The line of its name, from 1.
        line: usize,
        /// The kernel.
        name: String,
        /// What is wrong and what to write.
        reason: &'static str,
    },
    /// A package's path is not of the form that Debian's pool has.
    #[error("the catalogue {path}: the package path `{package}` does not end in NAME_VERSION_{}.deb", GUEST.debian)]
    Package {
        /// The file.
        path: PathBuf,
        /// The package's path.
        package: String,
    },
}

/// The keys that a catalogue may have, as paths: `kernels.source.git.ref`.
pub fn keys() -> BTreeSet<String> {
    crate::yaml::keys::keys::<File>()
}

/// The JSON Schema of a catalogue.
pub fn schema() -> serde_json::Value {
    crate::yaml::schema::of_values::<File>("a catalogue of kernels of kregress")
}

/// What all catalogues together say.
#[derive(Debug, Default)]
pub(crate) struct Catalogue {
    /// Kernels in Debian's packages.
    pub builds: Vec<PackagedKernel>,
    /// Other kernels by name.
    pub named: BTreeMap<String, NamedKernel>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct File {
    #[serde(default)]
    debian: Vec<Entry>,
    #[serde(default)]
    kernels: Vec<NamedEntry>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Entry {
    #[schemars(with = "String")]
    version: KernelVersion,
    #[schemars(with = "String", extend("enum" = ["cloud", "plain"]))]
    flavour: Flavour,
    release: String,
    package_version: String,
    packages: Vec<Pinned>,
    #[serde(default)]
    missing: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Pinned {
    path: String,
    #[schemars(with = "String", extend("enum" = ["main", "security"]))]
    archive: Archive,
    size: u64,
    sha256: String,
    #[serde(default)]
    suites: Vec<String>,
}

impl Catalogue {
    /// Reads every catalogue in these folders, of which some may not exist.
    pub(crate) fn load(folders: &[PathBuf]) -> Result<Catalogue, CatalogueError> {
        let mut catalogue = Catalogue::default();
        // a file hides those of its name in later folders
        let mut seen = BTreeSet::new();
        for folder in folders {
            let Ok(entries) = fs::read_dir(folder) else { continue };
            let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
            files.retain(|file| file.extension().is_some_and(|extension| extension == "yaml"));
            files.sort();
            for file in files {
                if file.file_name().is_some_and(|name| seen.insert(name.to_owned())) {
                    catalogue.read(&file)?;
                }
            }
        }
        if !seen.contains(OsStr::new(DEBIAN_FILE)) {
            catalogue.add(Path::new(DEBIAN_FILE), EMBEDDED)?;
        }
        Ok(catalogue)
    }

    /// Reads one catalogue.
    pub(crate) fn read(&mut self, file: &Path) -> Result<(), CatalogueError> {
        let io = |source| CatalogueError::Io { what: "read", path: file.to_path_buf(), source };
        let bytes = fs::metadata(file).map_err(io)?.len();
        if bytes > MAX_FILE {
            return Err(CatalogueError::TooLarge { path: file.to_path_buf(), bytes });
        }
        self.add(file, &fs::read_to_string(file).map_err(io)?)
    }

    fn add(&mut self, file: &Path, text: &str) -> Result<(), CatalogueError> {
        let path = || file.to_path_buf();
        let read: File = match text.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
            true => File { debian: Vec::new(), kernels: Vec::new() },
            false => serde_yaml::from_str(text)
                .map_err(|source| CatalogueError::Syntax { path: path(), source })?,
        };
        for entry in read.debian {
            let packages = entry.packages.into_iter().map(|pinned| {
                pinned.package().map_err(|package| CatalogueError::Package { path: path(), package })
            });
            self.builds.push(PackagedKernel {
                distribution: debian::NAME.to_string(),
                arch: GUEST,
                packages: packages.collect::<Result<_, _>>()?,
                version: entry.version,
                release: entry.release,
                flavour: entry.flavour,
                package_version: entry.package_version,
                missing: entry.missing,
            });
        }
        let folder = file.parent().unwrap_or(Path::new("."));
        for entry in read.kernels {
            let recipe = entry.recipe(folder).map_err(|reason| {
                let line = named::line_of(text, &entry.name);
                CatalogueError::Entry { path: path(), line, name: entry.name.clone(), reason }
            })?;
            let NamedEntry { name, mut source, .. } = entry;
            let as_spec = name.parse::<KernelSpec>();
            let usable = matches!(&as_spec, Ok(KernelSpec { selector: Selector::Name(n), .. }) if *n == name);
            if !usable {
                return Err(CatalogueError::Name { path: path(), name });
            }
            match &mut source {
                NamedSource::Local { image, modules } => {
                    *image = folder.join(&image);
                    *modules = modules.as_ref().map(|modules| folder.join(modules));
                }
                NamedSource::Package(file) => *file = folder.join(&file),
                _ => {}
            }
            let taken = self.named.insert(name.clone(), NamedKernel { source, recipe, file: path() });
            if let Some(other) = taken {
                return Err(CatalogueError::Duplicate { path: path(), name, other: other.file });
            }
        }
        Ok(())
    }
}

impl Pinned {
    fn package(self) -> Result<Package, String> {
        let file = self.path.rsplit('/').next().unwrap_or_default();
        let end = format!("_{}.deb", GUEST.debian);
        let parts = file.strip_suffix(&end).and_then(|rest| rest.split_once('_'));
        let Some((name, version)) = parts else { return Err(self.path) };
        Ok(Package {
            name: name.to_string(),
            version: version.to_string(),
            archive: self.archive,
            size: self.size,
            sha256: self.sha256,
            suites: self.suites,
            path: self.path,
        })
    }
}

/// The text of a catalogue with these kernels.
pub(crate) fn debian_text(builds: &[PackagedKernel]) -> String {
    let mut text = String::from(
        "# Kernels in Debian's packages, made by `kregress kernels update`. Paths are below the base address of the archive,\n\
         # which is taken from the host's own apt sources. A package without suites is in no index any more: it was found\n\
         # beside its siblings in the pool, and the hash says that it is still the one that was found.\n\
         debian:\n",
    );
    for build in builds {
        let PackagedKernel { version, flavour, release, package_version, .. } = build;
        // writing to a string cannot fail
        let _ = write!(
            text,
            "  - version: \"{version}\"\n    flavour: {flavour}\n    release: \"{release}\"\n    package-version: \"{package_version}\"\n"
        );
        if let Some(missing) = &build.missing {
            let _ = writeln!(text, "    missing: \"{}\"", missing.replace(['"', '\\'], "'"));
        }
        text += "    packages:\n";
        for package in &build.packages {
            let _ = write!(
                text,
                "      - path: {}\n        archive: {}\n        size: {}\n        sha256: {}\n        suites: [{}]\n",
                package.path,
                package.archive,
                package.size,
                package.sha256,
                package.suites.join(", ")
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Catalogue, CatalogueError> {
        let mut catalogue = Catalogue::default();
        catalogue.add(Path::new("kernels/mine.yaml"), text)?;
        Ok(catalogue)
    }

    #[test]
    fn the_embedded_catalogue_reads_and_is_complete() {
        let catalogue = Catalogue::load(&[]).expect("the embedded catalogue");
        for line in ["5.10", "6.1", "6.12", "6.16", "6.17", "6.18", "7.2", "7.3"] {
            let line = line.parse().ok();
            let usable = |build: &PackagedKernel| build.version.line() == line && build.missing.is_none();
            assert!(catalogue.builds.iter().any(usable), "{line:?}");
        }
        for build in &catalogue.builds {
            assert!(build.missing.is_some() || !build.packages.is_empty(), "{}", build.release);
            for package in &build.packages {
                assert_eq!(package.sha256.len(), 64, "{}", package.path);
                assert!(package.path.starts_with("pool/") && package.size > 0, "{}", package.path);
            }
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let mut builds = Catalogue::load(&[]).expect("the embedded catalogue").builds;
        builds.truncate(20);
        builds[3].missing = Some("it is \"gone\"".to_string());
        let again = read(&debian_text(&builds)).expect("what was written").builds;
        builds[3].missing = Some("it is 'gone'".to_string());
        assert_eq!(again, builds);
    }

    #[test]
    fn reads_named_kernels_with_paths_beside_the_catalogue() {
        let catalogue = read(
            "kernels:\n  - name: mine\n    summary: my tree\n    source: {local: {image: ../bzImage, modules: mods}}\n  \
             - name: base\n    source: {debian: 6.12.57/plain}\n",
        );
        let catalogue = catalogue.unwrap_or_else(|error| panic!("{error}"));
        insta::assert_debug_snapshot!(catalogue.named["mine"].source, @r#"
        Local {
            image: "kernels/../bzImage",
            modules: Some(
                "kernels/mods",
            ),
        }
        "#);
        assert!(
            matches!(&catalogue.named["base"].source, NamedSource::Debian(version) if version == "6.12.57/plain")
        );
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let cases = [
            "kernels:\n  - name: a\n    sauce: x\n",
            "kernels:\n  - name: a\n",
            "kernels: 3\n",
            "debian:\n  - version: 6.x\n",
            "kernels:\n  - {name: all, source: {debian: '6.1'}}\n",
            "kernels:\n  - {name: 6.17.13, source: {debian: '6.1'}}\n",
            "kernels:\n  - {name: a, source: {debian: '6.1'}}\n  - {name: a, source: {debian: '6.1'}}\n",
            "debian:\n  - {version: 6.1.1, flavour: cloud, release: r, package-version: v, packages: [{path: pool/x.deb, archive: main, size: 1, sha256: a}]}\n",
            "kernels:\n  - {name: a, source: {git: x}}\n",
            "kernels:\n  - {name: a, source: {debian-source: {package: linux-source-6.12}}}\n",
            "kernels:\n  - {name: b, source: {folder: x}, config: small}\n  - {name: a, source: {folder: x}}\n",
            "kernels:\n  - name: a\n    source: {debian: '6.1'}\n    config: small\n",
            "kernels:\n  - {name: a, source: {debian-source: {package: l, version: v, sha256: ab}}, config: small}\n",
            "kernels: [",
        ];
        let mut said = String::new();
        for text in cases {
            said += &format!("{}\n", read(text).expect_err(text));
        }
        insta::assert_snapshot!(said, @r#"
        the catalogue kernels/mine.yaml: kernels[0]: unknown field `sauce`, expected one of `name`, `summary`, `source`, `config`, `patches`, `compiler`, `arch` at line 3 column 5
        the catalogue kernels/mine.yaml: kernels[0]: missing field `source` at line 2 column 5
        the catalogue kernels/mine.yaml: kernels: invalid type: integer `3`, expected a sequence at line 1 column 10
        the catalogue kernels/mine.yaml: debian[0]: `6.x` is no kernel version: a second number is missing; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306` at line 2 column 5
        the catalogue kernels/mine.yaml: `all` cannot name a kernel, because as a spec it means something else; use a word that starts with a letter
        the catalogue kernels/mine.yaml: `6.17.13` cannot name a kernel, because as a spec it means something else; use a word that starts with a letter
        the catalogue kernels/mine.yaml: `a` is a kernel in kernels/mine.yaml already; names have to be different
        the catalogue kernels/mine.yaml: the package path `pool/x.deb` does not end in NAME_VERSION_amd64.deb
        the catalogue kernels/mine.yaml: kernels[0].source.git: invalid type: string "x", expected `{repository: FOLDER, ref: COMMIT}` at line 2 column 29
        the catalogue kernels/mine.yaml: kernels[0].source.debian-source: missing field `version` at line 2 column 39
        kernels/mine.yaml:3: the kernel `a`: a kernel that is compiled needs a `config`, such as `config: small`
        kernels/mine.yaml:2: the kernel `a`: `config`, `patches`, `compiler` and `arch` are for sources that are compiled, and this kernel is compiled already
        kernels/mine.yaml:2: the kernel `a`: `path`, `size` and `sha256` (64 digits) pin a package together; write all of them or none
        the catalogue kernels/mine.yaml: did not find expected node content at line 2 column 1, while parsing a flow node
        "#);
    }

    #[test]
    fn an_empty_or_commented_out_file_is_an_empty_catalogue() {
        for text in ["", "# nothing\n\n# here\n", "kernels: []\n"] {
            assert!(read(text).expect(text).named.is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[a-z:\\[\\]{}&*! \n-]{0,80}") {
            let _ = read(&text);
        }
    }
}
