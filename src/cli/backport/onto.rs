//! The trees that a patch is tried on.

use std::path::PathBuf;

use crate::arch::{Arch, GUEST};
use crate::cli::error::CliError;
use crate::kernel::compile::{BuildRequest, BuildSource};
use crate::kernel::{FetchProgress, Library};
use crate::patch::PatchMail;
use crate::patch::queue::at_commit;
use crate::patch::subject::Target;
use crate::patch::tags::Stable;
use crate::version::{Line, compare_debian};

/// Where the configured trees are.
const CONFIGURED: &str = "catalogues (kernels/*.yaml)";

/// The configuration of a tree for which none is named.
const SMALLEST: &str = "small";

/// Which lines a patch asks for.
enum RequestedLines {
    Target(Target),
    Stable(Stable),
}

impl RequestedLines {
    fn covers(&self, line: Line) -> bool {
        match self {
            RequestedLines::Target(target) => target.covers(line),
            RequestedLines::Stable(stable) => stable.covers(line),
        }
    }
}

impl std::fmt::Display for RequestedLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RequestedLines::Target(target) => write!(f, "the subject asks for {target}"),
            RequestedLines::Stable(stable) => write!(f, "`Cc: stable` asks for {stable}"),
        }
    }
}

/// How trees are to be built, where the command line says so.
#[derive(Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// For what.
    pub arch: Option<&'static Arch>,
    /// With which configuration.
    pub config: Option<&'a str>,
}

/// The unpatched kernels of the trees that were named, each to be built as it is `wanted`. What `auto` chose is reported to
/// `tell`.
pub fn trees(
    named: &[String],
    patches: &[&PatchMail],
    library: &Library,
    wanted: Wanted<'_>,
    progress: &dyn FetchProgress,
    tell: &dyn Fn(String),
) -> Result<Vec<BuildRequest>, CliError> {
    let configured = library.to_compile().map_err(CliError::setup)?;
    let mut trees: Vec<BuildRequest> = Vec::new();
    for written in named {
        let (arch, text) = of_arch(written);
        let arch = arch.or(wanted.arch);
        let config = wanted.config;
        let found = match text {
            "auto" if configured.is_empty() => {
                let text = format!(
                    "--onto auto: the {CONFIGURED} have no tree, a kernel with a `source`; name the trees, or the folder \
                     of the catalogues with --catalogues"
                );
                return Err(CliError::setup(text));
            }
            "auto" => auto(patches, &for_arch(&configured, arch), config, tell)?,
            text => vec![tree(text, &configured, library, progress)?],
        };
        for mut tree in found {
            if let Some(arch) = arch {
                set_arch(&mut tree, arch);
            }
            if let Some(config) = config {
                tree.config = config.to_owned();
            } else if tree.config.is_empty() {
                tree.config = SMALLEST.to_owned();
            }
            // before anything is downloaded, and as it is now for all builds of this command
            library.builder().config_digest(&tree.config, tree.arch).map_err(CliError::setup)?;
            if !trees.iter().any(|other| other.name == tree.name) {
                trees.push(tree);
            }
        }
    }
    Ok(trees)
}

/// An architecture that is named in front of a tree, and the tree.
fn of_arch(text: &str) -> (Option<&'static Arch>, &str) {
    let named = text.split_once(':').and_then(|(word, rest)| Some((Arch::named(word)?, rest)));
    named.map_or((None, text), |(arch, rest)| (Some(arch), rest))
}

/// The same tree for an architecture.
fn set_arch(tree: &mut BuildRequest, arch: &'static Arch) {
    if tree.arch != arch {
        tree.name = format!("{}{}", arch.prefix(), tree.name);
        tree.arch = arch;
    }
}

/// The configured trees among which `auto` chooses: those of an architecture, and those of which the catalogues name none.
fn for_arch(configured: &[BuildRequest], arch: Option<&'static Arch>) -> Vec<BuildRequest> {
    let arch = arch.unwrap_or(GUEST);
    let fits = configured.iter().filter(|tree| tree.arch == arch || tree.arch == GUEST);
    let mut trees: Vec<BuildRequest> = fits.cloned().collect();
    trees.iter_mut().for_each(|tree| set_arch(tree, arch));
    trees
}

fn auto(
    patches: &[&PatchMail],
    configured: &[BuildRequest],
    config: Option<&str>,
    tell: &dyn Fn(String),
) -> Result<Vec<BuildRequest>, CliError> {
    let target =
        patches.iter().find_map(|patch| patch.subject.as_ref()?.target.clone()).map(RequestedLines::Target);
    let stable = || patches.iter().find_map(|patch| patch.tags.stable.clone().filter(Stable::names_lines));
    let asked = target.or_else(|| stable().map(RequestedLines::Stable)).ok_or_else(|| {
        let text = "--onto auto: neither the subject (`[PATCH 6.6]`, `[PATCH AUTOSEL 7.0-6.1]`) nor `Cc: stable # 5.15+` \
            names a line; name the trees";
        CliError::setup(text)
    })?;
    let line = |tree: &BuildRequest| tree.source.version().and_then(|version| version.line());
    let mut chosen: Vec<BuildRequest> = Vec::new();
    // a smaller configuration comes first, and of one source one is enough
    let mut by_size: Vec<&BuildRequest> = configured.iter().collect();
    by_size.sort_by_key(|tree| (Some(tree.config.as_str()) != config, tree.config.len()));
    let mut left: Vec<String> = Vec::new();
    for tree in by_size {
        if let Some(newer) = configured.iter().find(|other| is_newer(other, tree)) {
            left.push(format!("{} (older than {})", tree.name, newer.name));
            continue;
        }
        let same = |other: &BuildRequest| other.source == tree.source && other.patches == tree.patches;
        if chosen.iter().any(same) {
            continue;
        }
        match line(tree) {
            Some(line) if asked.covers(line) => chosen.push(tree.clone()),
            Some(line) => left.push(format!("{} ({}.{})", tree.name, line.major, line.minor)),
            None => left.push(format!("{} (of no known version)", tree.name)),
        }
    }
    chosen.sort_by_key(|tree| std::cmp::Reverse(line(tree).map(|line| (line.major, line.minor))));
    let list = |names: Vec<String>| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let names: Vec<String> = chosen.iter().map(|tree| tree.name.clone()).collect();
    let said = format!(
        "{asked}; of the trees in the {CONFIGURED} these are: {}; these are not: {}",
        list(names),
        list(left)
    );
    if chosen.is_empty() {
        return Err(CliError::nothing(format!("--onto auto: {said}")));
    }
    tell(said);
    Ok(chosen)
}

/// Whether one tree is a later version of the other's package.
fn is_newer(one: &BuildRequest, other: &BuildRequest) -> bool {
    let of = |tree: &BuildRequest| match &tree.source {
        BuildSource::Debian { package, version, .. } => Some((package.clone(), version.clone())),
        _ => None,
    };
    let later = |(one, other): ((String, String), (String, String))| {
        one.0 == other.0 && compare_debian(&one.1, &other.1).is_gt()
    };
    of(one).zip(of(other)).is_some_and(later)
}

fn tree(
    text: &str,
    configured: &[BuildRequest],
    library: &Library,
    progress: &dyn FetchProgress,
) -> Result<BuildRequest, CliError> {
    if let Some(tree) = configured.iter().find(|tree| tree.name == text) {
        return Ok(tree.clone());
    }
    let request = |source| BuildRequest {
        name: text.to_owned(),
        source,
        patches: Vec::new(),
        config: String::new(),
        compiler: None,
        arch: GUEST,
        jobs: None,
    };
    if text.starts_with("linux-source-") {
        return debian(text, configured, library, progress).map(request);
    }
    let path = PathBuf::from(text);
    if path.is_file() {
        return Ok(request(BuildSource::Tarball(path)));
    }
    if path.is_dir() {
        if !path.join("Makefile").is_file() && path.join("HEAD").is_file() {
            let text = format!("{text} is a repository without files; name a commit of it: {text}@REF");
            return Err(CliError::setup(text));
        }
        return Ok(request(BuildSource::Folder(path)));
    }
    if let Some((repository, reference)) = at_commit(text) {
        return Ok(request(BuildSource::Git { repository, reference: reference.to_owned() }));
    }
    let names: Vec<&str> = configured.iter().map(|tree| tree.name.as_str()).collect();
    let hint = match crate::kernel::closest(text, names.iter().copied()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None if names.is_empty() => String::new(),
        None => format!("; the {CONFIGURED} have {}", names.join(", ")),
    };
    Err(CliError::setup(format!(
        "no tree `{text}`: expected a folder with a source, REPOSITORY@REF, a tarball, linux-source-LINE[@VERSION], \
         a kernel to compile of the {CONFIGURED}, or auto{hint}"
    )))
}

/// A source package, pinned as a catalogue pins it.
fn debian(
    text: &str,
    configured: &[BuildRequest],
    library: &Library,
    progress: &dyn FetchProgress,
) -> Result<BuildSource, CliError> {
    let (package, version) = match text.split_once('@') {
        Some((package, version)) => (package.to_owned(), version.to_owned()),
        None => {
            let newest = library.newest_source(text, progress);
            (text.to_owned(), newest.map_err(|error| CliError::setup(format!("--onto {text}: {error}")))?)
        }
    };
    let pinned = configured.iter().find_map(|tree| match &tree.source {
        BuildSource::Debian { package: p, version: v, pinned } if *p == package && *v == version => {
            pinned.clone()
        }
        _ => None,
    });
    Ok(BuildSource::Debian { package, version, pinned })
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::patch::Input;

    #[test]
    fn auto_takes_the_newest_of_a_package_and_its_smallest_configuration() {
        let text = "From: a@example.org\nSubject: [PATCH 6.12] x\n\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n";
        let patches = PatchMail::all(&Input::read("x", text.as_bytes()).expect("a mail"));
        let tree = |name: &str, version: &str, config: &str| BuildRequest {
            name: name.into(),
            source: BuildSource::Debian {
                package: format!("linux-source-{}", &version[..version.rfind('.').expect("a dot")]),
                version: version.into(),
                pinned: None,
            },
            patches: Vec::new(),
            config: config.into(),
            compiler: None,
            arch: GUEST,
            jobs: None,
        };
        let configured = [
            tree("old", "6.12.57-1", "small"),
            tree("kasan", "6.12.117-1", "small+kasan"),
            tree("new", "6.12.117-1", "small"),
            tree("other", "5.10.262-1", "small"),
        ];
        let said = RefCell::new(String::new());
        let tell = |text: String| *said.borrow_mut() = text;
        let patches: Vec<&PatchMail> = patches.iter().collect();
        let chosen = auto(&patches, &configured, None, &tell).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(chosen.iter().map(|tree| tree.name.as_str()).collect::<Vec<_>>(), ["new"]);
        insta::assert_snapshot!(said.borrow(), @"the subject asks for 6.12; of the trees in the catalogues (kernels/*.yaml) these are: new; these are not: old (older than kasan), other (5.10)");
    }

    #[test]
    fn trees_are_built_for_the_architecture_that_is_named() {
        let of = |text| {
            let (arch, rest) = of_arch(text);
            (arch.map(|arch| arch.debian), rest)
        };
        assert_eq!(of("arm64:linux-6.12.y"), (Some("arm64"), "linux-6.12.y"));
        assert_eq!(of("../linux:x@v6.12"), (None, "../linux:x@v6.12"));
        let mut tree = BuildRequest {
            name: "linux-6.12.y".into(),
            source: BuildSource::Folder("linux".into()),
            patches: Vec::new(),
            config: String::new(),
            compiler: None,
            arch: GUEST,
            jobs: None,
        };
        let arm64 = Arch::named("arm64").expect("a row");
        let s390x = BuildRequest { arch: Arch::named("s390x").expect("a row"), ..tree.clone() };
        let configured = [tree.clone(), s390x];
        let names =
            |arch| for_arch(&configured, arch).iter().map(|tree| tree.name.clone()).collect::<Vec<_>>();
        assert_eq!(names(Some(arm64)), ["arm64:linux-6.12.y"]);
        assert_eq!(names(None), ["linux-6.12.y"]);
        set_arch(&mut tree, arm64);
        set_arch(&mut tree, arm64);
        assert_eq!((tree.name.as_str(), tree.arch), ("arm64:linux-6.12.y", arm64));
    }
}
