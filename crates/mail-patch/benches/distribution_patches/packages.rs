//! Source packages through the host's own apt, with private lists: its entries for Debian, rewritten to sources.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mail_patch::{Pick, Queue};

/// Files of a source by their paths; `None` for one that is not there.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

/// A patch of a series.
pub struct Patch {
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A version of a package.
pub struct Release {
    pub name: String,
    pub patches: Vec<Patch>,
    /// The files that its patches and those of its neighbours touch.
    pub upstream: Tree,
}

/// apt with a configuration of our own.
pub struct Apt {
    place: PathBuf,
}

fn done(command: &mut Command) -> Result<Output, String> {
    let what = format!("{command:?}");
    let output = command.output().map_err(|error| format!("{what}: {error}"))?;
    match output.status.success() {
        true => Ok(output),
        false => Err(format!("{what}: {}", String::from_utf8_lossy(&output.stderr).trim())),
    }
}

impl Apt {
    /// Writes the configuration and fetches the lists.
    pub fn prepare(place: &Path, releases: &[&str]) -> Result<Apt, String> {
        let write = |name: &str, text: &str| {
            std::fs::write(place.join(name), text).map_err(|error| error.to_string())
        };
        for folder in ["lists/partial", "cache/archives/partial", "sources"] {
            std::fs::create_dir_all(place.join(folder)).map_err(|error| error.to_string())?;
        }
        let sources = host_entries(releases);
        if sources.is_empty() {
            return Err("no entry of this host's apt sources serves Debian's main archive".into());
        }
        write("sources/debian.sources", &sources)?;
        let at = place.display();
        write(
            "apt.conf",
            &format!(
                "Dir::Etc::SourceList \"/dev/null\";\nDir::Etc::SourceParts \"{at}/sources\";\n\
                 Dir::State::Lists \"{at}/lists\";\nDir::Cache \"{at}/cache\";\n"
            ),
        )?;
        let apt = Apt { place: place.to_owned() };
        done(apt.command("apt-get").args(["update", "-q"]))?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("APT_CONFIG", self.place.join("apt.conf")).env("LC_ALL", "C").current_dir(&self.place);
        command
    }

    /// The newest versions of a package, at most two, of different upstream versions. One that the mirror no longer has
    /// is passed over.
    pub fn package(&self, name: &str) -> Result<Vec<Fetched>, String> {
        let said = done(self.command("apt-cache").args(["showsrc", "--only-source", name]))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let mut versions: Vec<&str> =
            said.lines().filter_map(|line| line.strip_prefix("Version: ")).collect();
        versions.dedup();
        let upstream =
            |version: &str| version.rsplit_once('-').map_or(version, |(upstream, _)| upstream).to_owned();
        let mut found: Vec<(String, Fetched)> = Vec::new();
        for version in versions.into_iter().rev().filter(|version| !version.is_empty()) {
            if found.len() == 2 || found.iter().any(|(other, _)| *other == upstream(version)) {
                continue;
            }
            match self.version(name, version) {
                Ok(fetched) => found.push((upstream(version), fetched)),
                Err(why) => eprintln!("{name} {version}: {}", why.lines().last().unwrap_or_default()),
            }
        }
        Ok(found.into_iter().map(|(_, fetched)| fetched).collect())
    }

    fn version(&self, name: &str, version: &str) -> Result<Fetched, String> {
        let folder = self.place.join(format!("{name}-{}", version.replace(':', "_")));
        std::fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let wanted = format!("{name}={version}");
        done(
            self.command("apt-get")
                .args(["source", "-q", "-o", "APT::Sandbox::User=root", "--download-only", &wanted])
                .current_dir(&folder),
        )?;
        let files: Vec<PathBuf> = std::fs::read_dir(&folder)
            .map_err(|error| error.to_string())?
            .flatten()
            .map(|entry| entry.path())
            .collect();
        let find = |part: &str| {
            let fits = |path: &&PathBuf| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                name.contains(part) && !name.ends_with(".asc")
            };
            files.iter().find(fits).ok_or(format!("no {part} in {}", folder.display()))
        };
        let (debian, upstream) = (find(".debian.tar.")?, find(".orig.tar.")?);
        done(Command::new("tar").arg("-xf").arg(debian).args(["debian/patches"]).current_dir(&folder))?;
        let patches = patches(&folder.join("debian/patches"))?;
        Ok(Fetched { name: format!("{name} {version}"), patches, tarball: upstream.clone() })
    }
}

/// What apt fetched of a package.
pub struct Fetched {
    name: String,
    patches: Vec<Patch>,
    tarball: PathBuf,
}

impl Fetched {
    /// The paths that its patches touch.
    pub fn touched(&self) -> BTreeSet<String> {
        self.patches.iter().flat_map(|patch| super::trial::touched(&patch.bytes)).collect()
    }

    /// Unpacks these paths of its source.
    pub fn unpacked(self, paths: &BTreeSet<String>) -> Result<Release, String> {
        Ok(Release { upstream: extracted(&self.tarball, paths)?, name: self.name, patches: self.patches })
    }
}

/// The entries of the host that serve Debian's main archive, as sources of these releases.
fn host_entries(releases: &[&str]) -> String {
    const KNOWN: [&str; 6] = ["bullseye", "bookworm", "trixie", "stable", "testing", "sid"];
    let mut files = vec![PathBuf::from("/etc/apt/sources.list")];
    files.extend(
        std::fs::read_dir("/etc/apt/sources.list.d")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    let mut out = String::new();
    let suites = releases.join(" ");
    for file in files {
        let Ok(text) = std::fs::read_to_string(&file) else { continue };
        if file.extension().is_some_and(|ending| ending == "sources") {
            for stanza in text.split("\n\n") {
                let value = |key: &str| stanza.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
                let Some((uris, named)) = value("URIs:").zip(value("Suites:")) else { continue };
                if named.split(' ').any(|suite| KNOWN.contains(&suite)) {
                    let signed =
                        value("Signed-By:").map(|key| format!("Signed-By: {key}\n")).unwrap_or_default();
                    out += &format!(
                        "Types: deb-src\nURIs: {uris}\nSuites: {suites}\nComponents: main\n{signed}\n"
                    );
                }
            }
        } else {
            for line in text.lines() {
                let words: Vec<&str> =
                    line.split_whitespace().filter(|word| !word.contains(['[', ']', '='])).collect();
                if let ["deb" | "deb-src", uri, suite, ..] = words.as_slice()
                    && KNOWN.contains(suite)
                {
                    out += &format!("Types: deb-src\nURIs: {uri}\nSuites: {suites}\nComponents: main\n\n");
                }
            }
        }
    }
    out
}

/// The patches of a series with one leading folder in their names.
fn patches(folder: &Path) -> Result<Vec<Patch>, String> {
    let queue =
        Queue::open(&folder.display().to_string(), &Pick::default()).map_err(|error| error.to_string())?;
    let series = std::fs::read_to_string(folder.join("series")).unwrap_or_default();
    let mut found: Vec<Patch> = Vec::new();
    for queued in &queue.patches {
        let path = Path::new(&queued.patch.file);
        let name = path.strip_prefix(folder).unwrap_or(path).display().to_string();
        let other_level = series.lines().any(|line| line.starts_with(&format!("{name} -")));
        if found.iter().any(|patch| patch.name == name) || other_level {
            continue;
        }
        let bytes = std::fs::read(path).map_err(|error| format!("{name}: {error}"))?;
        found.push(Patch { name, bytes });
    }
    Ok(found)
}

/// These files of a tarball, whose names begin with one folder.
fn extracted(tarball: &Path, paths: &BTreeSet<String>) -> Result<Tree, String> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let first = format!("tar -tf '{}' 2>/dev/null | head -n 1", tarball.display());
    let first = done(Command::new("sh").args(["-c", &first]))?;
    let top = String::from_utf8_lossy(&first.stdout).split('/').next().unwrap_or_default().trim().to_owned();
    let list: String = paths.iter().map(|path| format!("{top}/{path}\n")).collect();
    std::fs::write(folder.path().join("list"), list).map_err(|error| error.to_string())?;
    // files that a patch makes are not there
    let _ = Command::new("tar")
        .arg("-xf")
        .arg(tarball)
        .args(["--no-same-permissions", "-T", "list"])
        .current_dir(folder.path())
        .output()
        .map_err(|error| error.to_string())?;
    let read = |path: &String| {
        let place = folder.path().join(&top).join(path);
        let plain = std::fs::symlink_metadata(&place).is_ok_and(|found| found.is_file());
        if plain { std::fs::read(place).ok() } else { None }
    };
    Ok(paths.iter().map(|path| (path.clone(), read(path))).collect())
}
