//! What a userland will be made of, before anything is fetched.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::apt::Apt;
use crate::cache::{Settings, Userlands};
use crate::digest::Key;
use crate::error::UserlandError;
use crate::folder;
use crate::spec::{Source, Spec};
use crate::tree;
use crate::watch::Watch;

/// Counts up whenever the same files would give another image.
const FORMAT: &str = "userland-image 2";

/// A package of a userland.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The architecture, or `all`.
    pub architecture: String,
    /// Bytes of its file.
    pub size: u64,
    /// The SHA-256 of its file.
    pub sha256: String,
}

impl Package {
    /// As apt names its file: a colon is `%3a` there.
    pub(crate) fn file_name(&self) -> String {
        format!("{}_{}_{}.deb", self.name, self.version.replace(':', "%3a"), self.architecture)
    }

    /// As apt takes it.
    pub(crate) fn exactly(&self) -> String {
        match self.architecture.as_str() {
            "all" => format!("{}={}", self.name, self.version),
            architecture => format!("{}:{architecture}={}", self.name, self.version),
        }
    }
}

/// A userland whose parts are known.
#[derive(Debug, Clone)]
pub struct Resolved {
    key: String,
    pub(crate) spec: Spec,
    pub(crate) packages: Vec<Package>,
}

impl Resolved {
    /// Names the image among all others: the packages with their versions and sums, or the contents of the file that it is made
    /// of, the added files, and how images are made. In hexadecimal digits.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The packages, all that they depend on included, in the order of their names; none of an image.
    pub fn packages(&self) -> &[Package] {
        &self.packages
    }
}

impl Userlands {
    /// Finds out what a userland will be made of. Package lists are fetched if those that are here are a day old.
    ///
    /// # Errors
    /// A name is unknown, apt finds no way, or a file cannot be read.
    pub fn resolve(&self, spec: &Spec, watch: &Watch) -> Result<Resolved, UserlandError> {
        check(spec)?;
        let mut key = Key::default();
        key.add(FORMAT).add(&self.settings().architecture);
        let mut packages = Vec::new();
        match &spec.source {
            Source::Packages(wanted) => {
                let mut wanted = wanted.clone();
                wanted.sort();
                wanted.dedup();
                packages = self.plan(&wanted, spec.essential, watch)?;
                key.add("packages");
                for package in &packages {
                    key.add(package.exactly()).add(&package.sha256);
                }
            }
            Source::Image(file) => {
                key.add("image");
                folder::add_to_key(&mut key, file)?;
            }
        }
        for (place, file) in &spec.files {
            key.add("file").add(place);
            folder::add_to_key(&mut key, file)?;
        }
        for user in &spec.users {
            key.add("user").add(user);
        }
        Ok(Resolved { key: key.finish(), spec: spec.clone(), packages })
    }

    /// apt's answer, or the one from before as long as the lists are the same.
    fn plan(&self, wanted: &[String], essential: bool, watch: &Watch) -> Result<Vec<Package>, UserlandError> {
        let _lock = self.lock("apt", watch)?;
        let Settings { apt_config, architecture, .. } = self.settings();
        let apt = Apt::prepare(&self.apt_folder(), apt_config.as_deref(), architecture, watch)?;
        if !apt.is_fresh() {
            apt.update(watch)?;
        }
        let file = apt.plan_file(wanted, essential);
        if let Some(packages) = remembered(&file) {
            return Ok(packages);
        }
        let packages = apt.plan(wanted, essential, watch)?;
        if let Ok(text) = serde_json::to_vec(&packages) {
            // without it the question is asked again
            let _ = fs::write(&file, text);
        }
        Ok(packages)
    }

    /// The files of the packages. Where the lists name what is no longer there, resolving again fetches the lists.
    pub(crate) fn fetch(&self, packages: &[Package], watch: &Watch) -> Result<Vec<PathBuf>, UserlandError> {
        let _lock = self.lock("apt", watch)?;
        let Settings { apt_config, architecture, .. } = self.settings();
        let apt = Apt::prepare(&self.apt_folder(), apt_config.as_deref(), architecture, watch)?;
        apt.fetch(packages, watch)
    }
}

fn remembered(file: &Path) -> Option<Vec<Package>> {
    serde_json::from_slice::<Vec<Package>>(&fs::read(file).ok()?).ok().filter(|packages| !packages.is_empty())
}

/// Refuses what apt, the shell or the tools of accounts would take for something else.
fn check(spec: &Spec) -> Result<(), UserlandError> {
    if let Source::Packages(names) = &spec.source {
        if names.is_empty() && !spec.essential {
            return Err(UserlandError::NoPackages);
        }
        if let Some(bad) = names.iter().find(|name| !is_package_name(name)) {
            return Err(UserlandError::BadName(bad.clone()));
        }
    }
    for place in spec.files.keys() {
        if let Some(what) = file_place_problem(place) {
            return Err(UserlandError::BadPath { path: tree::shown(place.as_bytes()), what });
        }
    }
    for (index, user) in spec.users.iter().enumerate() {
        if !is_user_name(user) || spec.users[..index].contains(user) {
            return Err(UserlandError::BadUser(user.clone()));
        }
    }
    Ok(())
}

/// A package's name, its architecture and its version, as in `name:architecture=version`.
pub(crate) fn split_name(text: &str) -> (&str, Option<&str>, Option<&str>) {
    let (name, version) = text.split_once('=').map_or((text, None), |(name, version)| (name, Some(version)));
    let (name, architecture) =
        name.split_once(':').map_or((name, None), |(name, architecture)| (name, Some(architecture)));
    (name, architecture, version)
}

/// Why this is no place for a file that is added to a userland, if it is none.
pub fn file_place_problem(place: &str) -> Option<String> {
    match tree::Path::parse(place.as_bytes()) {
        Err(bad) => Some(format!("it {bad}")),
        Ok(parsed) if place.starts_with('/') && parsed.name().is_some() => None,
        Ok(_) => Some("expected an absolute path such as /opt/tests".into()),
    }
}

/// Whether this can be the name of a user who is added.
pub fn is_user_name(user: &str) -> bool {
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    !user.is_empty() && user.len() <= 32 && !user.starts_with('-') && user.chars().all(good) && user != "root"
}

/// Whether this names a package as apt takes it (Debian policy, 5.6.1 and 5.6.12), with `:ARCHITECTURE` and `=VERSION` behind
/// it if need be. A `-` behind a name would remove the package.
pub fn is_package_name(text: &str) -> bool {
    let (name, architecture, version) = split_name(text);
    let all = |text: &str, more: &str| {
        text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || more.contains(c))
    };
    name.len() > 1
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && all(name, "+-.")
        && !name.ends_with('-')
        && architecture.is_none_or(|text| !text.is_empty() && all(text, "-"))
        && version.is_none_or(|text| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".+-~:".contains(c))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_apt_would_misread_are_refused() {
        let table = [
            ("bash", true),
            ("g++", true),
            ("libstdc++6", true),
            ("python3.11", true),
            ("bash=5.2.15-2+b13", true),
            ("libattr1:amd64=1:2.5.1-4", true),
            ("bash-", false),
            ("-oDpkg::Pre-Invoke=x", false),
            ("?essential", false),
            ("bash/sid", false),
            ("b*", false),
            ("Bash", false),
            ("", false),
            ("bash=", false),
            ("./x.deb", false),
        ];
        for (name, expected) in table {
            assert_eq!(is_package_name(name), expected, "{name}");
        }
    }

    #[test]
    fn bad_places_and_users_are_refused_before_anything_is_fetched() {
        assert!(is_user_name("fsgqa") && is_user_name("fsgqa-123") && !is_user_name("-x"));
        let mut said = Vec::new();
        for place in ["etc/x", "/", "/a/../../b", "/a\nb"] {
            let mut spec = Spec::new(Source::Packages(vec!["bash".into()]));
            spec.files.insert(place.into(), "/dev/null".into());
            said.push(check(&spec).expect_err("a bad place").to_string());
        }
        for users in [["b", "x:y"], ["a", "a"]] {
            let mut spec = Spec::new(Source::Packages(vec!["bash".into()]));
            spec.users = users.map(String::from).to_vec();
            said.push(check(&spec).expect_err("a bad user").to_string());
        }
        said.push(check(&Spec::new(Source::Packages(Vec::new()))).expect_err("nothing").to_string());
        insta::assert_snapshot!(said.join("\n"), @r"
        `etc/x` is no path of a file in the userland: expected an absolute path such as /opt/tests
        `/` is no path of a file in the userland: expected an absolute path such as /opt/tests
        `/a/../../b` is no path of a file in the userland: it leads out of the file system by `..`
        `/a\nb` is no path of a file in the userland: it has a zero byte or the end of a line in its name
        `x:y` is no name of a user: expected at most 32 lower-case letters, digits, `-` and `_`, and neither root nor one that is there already
        `a` is no name of a user: expected at most 32 lower-case letters, digits, `-` and `_`, and neither root nor one that is there already
        a userland needs at least one package
        ");
    }
}
