//! What a user writes to say which kernels.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::arch::{ARCHES, Arch, GUEST};
use crate::kernel::{Flavour, architecture};
use crate::version::{KernelVersion, Line, RangeError, VersionError, VersionRange};

/// One expression for kernels, as given to `-k`.
///
/// | written | selects |
/// | --- | --- |
/// | `6.17.13`, `v7.3-rc7` | that upstream version |
/// | `6.12.117+deb12`, `6.17.13+deb13-cloud-amd64` | that build of it |
/// | `6.12..7.2`, `6.18..` | every version in between, both ends included |
/// | `6.12.y` | every version of the line |
/// | `latest:6.12`, `oldest:6.12` | the newest, oldest of the line that is known and available |
/// | `each-line` | the newest of every line |
/// | `all` | every known version |
/// | `6.1*` | every name that matches |
/// | `./bzImage`, `./linux-image.deb`, `./out` | a file or folder with a kernel; anything with a `/` |
/// | `cloud`, `plain` | every version in that flavour |
/// | any other word | a name from the catalogue |
///
/// The name of an architecture and `:` in front (`arm64:6.12.117`, `s390x:latest:6.12`), as Debian or `uname -m` says it,
/// means kernels for it; `each-arch:` those of every architecture, where what one lacks is left out.
///
/// `/cloud` or `/plain` at the end chooses a flavour; without it a run takes for each test the smallest image that
/// suffices. `!` at the start takes the selected ones away again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelSpec {
    /// Which kernels.
    pub selector: Selector,
    /// Which flavour, if the user cares.
    pub flavour: Option<Flavour>,
    /// For which architecture.
    pub arch: ArchChoice,
    /// Whether the kernels are taken away instead of added.
    pub exclude: bool,
    /// Whether it is one of those that a spec for several architectures stands for.
    pub(crate) is_one_of_several: bool,
    text: String,
}

/// For which architecture kernels are meant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArchChoice {
    /// None was named: the default one, and of files what they are.
    #[default]
    Any,
    /// This one.
    One(&'static Arch),
    /// Each that there is.
    Each,
}

impl FromStr for ArchChoice {
    type Err = String;

    fn from_str(word: &str) -> Result<ArchChoice, String> {
        match word {
            "each-arch" | "each" => Ok(ArchChoice::Each),
            _ => Arch::named(word).map(ArchChoice::One).ok_or_else(|| {
                format!("`{word}` is no architecture; expected {} or each-arch", architecture::names())
            }),
        }
    }
}

/// The kinds of [`KernelSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// One version; one build of it if it has a local part.
    Version(KernelVersion),
    /// All versions in a range.
    Range(VersionRange),
    /// The newest of a line.
    Latest(Line),
    /// The oldest of a line.
    Oldest(Line),
    /// The newest of every line.
    EachLine,
    /// Everything.
    All,
    /// Every name that matches a pattern.
    Glob(String),
    /// A name from the catalogue.
    Name(String),
    /// A kernel in files.
    File {
        /// The image, package, archive or folder.
        image: PathBuf,
        /// Its modules: a `lib/modules/RELEASE` folder, a package or an archive.
        modules: Option<PathBuf>,
    },
}

/// An expression that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// Nothing was written.
    #[error(
        "a kernel is missing: expected a version (6.17.13), a range (6.12..7.2), latest:LINE, oldest:LINE, each-line, all, cloud, plain, a catalogue name or a file"
    )]
    Empty,
    /// A range cannot be read.
    #[error(transparent)]
    Range(#[from] RangeError),
    /// A range with a dash.
    #[error("`{spec}` is no kernel: a range is written with `..`: `{range}`")]
    Dash {
        /// What was written.
        spec: String,
        /// How it is written.
        range: String,
    },
    /// The word behind `latest:` or `oldest:` is no line.
    #[error("in `{spec}`: {source}")]
    Line {
        /// What was written.
        spec: String,
        /// What is wrong with it.
        source: VersionError,
    },
    /// A word before `:` that is no selector.
    #[error("`{spec}`: `{word}:` is unknown; expected latest:LINE or oldest:LINE")]
    Selector {
        /// What was written.
        spec: String,
        /// The word before the colon.
        word: String,
    },
    /// It starts like a version and is none.
    #[error(transparent)]
    Version(VersionError),
    /// A pattern cannot be read.
    #[error("the pattern `{spec}` cannot be read: {reason}")]
    Glob {
        /// What was written.
        spec: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl KernelSpec {
    /// Gives a local file its modules folder; any other spec stays as it is.
    pub fn with_modules(mut self, folder: Option<PathBuf>) -> Self {
        if let Selector::File { modules, .. } = &mut self.selector {
            *modules = folder;
        }
        self
    }

    /// Gives a spec a flavour that has none of its own. Files and names of the catalogue stay as they are, and so do
    /// kernels that are taken away.
    pub fn with_flavour(mut self, flavour: Option<Flavour>) -> Self {
        if !self.exclude && !matches!(self.selector, Selector::File { .. } | Selector::Name(_)) {
            self.flavour = self.flavour.or(flavour);
        }
        self
    }
}

impl KernelSpec {
    /// Gives a spec an architecture that names none. Files stay as they are.
    pub fn with_arch(mut self, arch: ArchChoice) -> Self {
        if self.arch == ArchChoice::Any && !matches!(self.selector, Selector::File { .. }) {
            self.arch = arch;
        }
        self
    }

    /// The architecture whose kernels are meant.
    pub(crate) fn arch(&self) -> &'static Arch {
        match self.arch {
            ArchChoice::One(arch) => arch,
            ArchChoice::Any | ArchChoice::Each => GUEST,
        }
    }

    /// The same for each of the architectures that it is for.
    pub(crate) fn for_each_arch(&self) -> Vec<KernelSpec> {
        match self.arch {
            ArchChoice::Each => ARCHES
                .iter()
                .map(|arch| KernelSpec {
                    arch: ArchChoice::One(arch),
                    is_one_of_several: true,
                    ..self.clone()
                })
                .collect(),
            ArchChoice::Any | ArchChoice::One(_) => vec![self.clone()],
        }
    }

    /// What was written, without an architecture.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for KernelSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (not, text) = match self.text.strip_prefix('!') {
            Some(rest) => ("!", rest),
            None => ("", self.text.as_str()),
        };
        match self.arch {
            ArchChoice::Any => f.write_str(&self.text),
            ArchChoice::One(arch) => write!(f, "{not}{}{text}", arch.prefix()),
            ArchChoice::Each => write!(f, "{not}each-arch:{text}"),
        }
    }
}

impl FromStr for KernelSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (exclude, rest) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (arch, rest) = match rest.split_once(':').map(|(word, rest)| (word.parse(), rest)) {
            Some((Ok(arch), rest)) => (arch, rest),
            _ => (ArchChoice::Any, rest),
        };
        // alone it is the newest kernel of each
        let rest = if rest == "each-arch" { "each-arch:each-line" } else { rest };
        let (arch, rest) = match rest.strip_prefix("each-arch:") {
            Some(rest) => (ArchChoice::Each, rest),
            None => (arch, rest),
        };
        let text = if exclude { format!("!{rest}") } else { rest.to_string() };
        if rest.trim().is_empty() {
            return Err(SpecError::Empty);
        }
        let (selector, flavour) = match rest {
            "cloud" => (Selector::All, Some(Flavour::Cloud)),
            "plain" => (Selector::All, Some(Flavour::Plain)),
            _ => {
                let (rest, flavour) = split_flavour(rest);
                (selector(rest)?, flavour)
            }
        };
        Ok(KernelSpec { selector, flavour, arch, exclude, is_one_of_several: false, text })
    }
}

/// Splits `/plain` or `-plain` (as in a kernel's name) off the end, unless the whole is a path of that name.
fn split_flavour(text: &str) -> (&str, Option<Flavour>) {
    if std::path::Path::new(text).is_file() {
        return (text, None);
    }
    for (word, flavour) in [("cloud", Flavour::Cloud), ("plain", Flavour::Plain)] {
        let Some(rest) = text.strip_suffix(word) else { continue };
        if let Some(rest) =
            rest.strip_suffix(['/', '-']).filter(|rest| !rest.is_empty() && !rest.contains('/'))
        {
            return (rest, Some(flavour));
        }
    }
    (text, None)
}

fn selector(text: &str) -> Result<Selector, SpecError> {
    let is_pattern = text.contains(['*', '?', '[']);
    if text.contains('/') {
        return Ok(Selector::File { image: PathBuf::from(text), modules: None });
    }
    if is_pattern {
        return match globset::Glob::new(text) {
            Ok(_) => Ok(Selector::Glob(text.to_string())),
            Err(error) => Err(SpecError::Glob { spec: text.to_string(), reason: error.kind().to_string() }),
        };
    }
    match text {
        "all" => return Ok(Selector::All),
        "each-line" => return Ok(Selector::EachLine),
        _ => {}
    }
    if let Some((word, line)) = text.split_once(':') {
        let line = || line.parse().map_err(|source| SpecError::Line { spec: text.to_string(), source });
        return match word {
            "latest" => Ok(Selector::Latest(line()?)),
            "oldest" => Ok(Selector::Oldest(line()?)),
            _ => Err(SpecError::Selector { spec: text.to_string(), word: word.to_string() }),
        };
    }
    if text.contains("..") {
        return Ok(Selector::Range(text.parse()?));
    }
    if let Some(line) = text.strip_suffix(".y").and_then(|line| line.parse::<Line>().ok()) {
        return Ok(Selector::Range(line.into()));
    }
    // a version may have a local part behind a dash, as `6.12.57-1`, which is no later version
    if let Some((first, last)) = text.split_once('-')
        && last.contains('.')
        && format!("{first}..{last}").parse::<VersionRange>().is_ok()
    {
        return Err(SpecError::Dash { spec: text.to_string(), range: format!("{first}..{last}") });
    }
    match text.parse() {
        Ok(version) => Ok(Selector::Version(version)),
        // a file in the current folder, where a version does not get in the way
        Err(_) if std::path::Path::new(text).is_file() => {
            Ok(Selector::File { image: PathBuf::from(text), modules: None })
        }
        Err(error) if text.starts_with(|c: char| c.is_ascii_digit()) => Err(SpecError::Version(error)),
        Err(_) => Ok(Selector::Name(text.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_kind() {
        let table = [
            "6.17.13",
            "v7.3-rc7",
            "6.12.117+deb12",
            "6.17.13+deb13-cloud-amd64",
            "6.17.13/plain",
            "6.17.13-plain",
            "6.12..7.2",
            "6.18..",
            "6.12.y",
            "latest:6.12",
            "oldest:5.10",
            "!6.16.3",
            "each-line",
            "all",
            "each-line/plain",
            "plain",
            "!cloud",
            "6.1*",
            "small-kasan",
            "./bzImage",
            "/boot/plain",
            "arm64:6.12.117",
            "s390x:latest:6.12/plain",
            "!arm64:6.12.y",
            "each-arch:6.12.y",
        ];
        let mut read = String::new();
        for text in table {
            let spec: KernelSpec = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(spec.to_string(), text);
            let selector = match &spec.selector {
                Selector::Version(version) => format!("version {version}"),
                Selector::Range(range) => format!("range {range}"),
                Selector::Latest(line) => format!("latest of {line}"),
                Selector::Oldest(line) => format!("oldest of {line}"),
                Selector::File { image, .. } => format!("file {}", image.display()),
                other => format!("{other:?}"),
            };
            let flavour = spec.flavour.map_or(String::new(), |flavour| format!(", {flavour}"));
            let exclude = if spec.exclude { "not " } else { "" };
            let arch = match spec.arch {
                ArchChoice::Any => String::new(),
                other => format!(", {}", if let ArchChoice::One(arch) = other { arch.name } else { "each" }),
            };
            read += &format!("{text:28} {exclude}{selector}{flavour}{arch}\n");
        }
        insta::assert_snapshot!(read, @r#"
        6.17.13                      version 6.17.13
        v7.3-rc7                     version 7.3-rc7
        6.12.117+deb12               version 6.12.117+deb12
        6.17.13+deb13-cloud-amd64    version 6.17.13+deb13-cloud-amd64
        6.17.13/plain                version 6.17.13, plain
        6.17.13-plain                version 6.17.13, plain
        6.12..7.2                    range 6.12..7.2
        6.18..                       range 6.18..
        6.12.y                       range 6.12..6.12
        latest:6.12                  latest of 6.12
        oldest:5.10                  oldest of 5.10
        !6.16.3                      not version 6.16.3
        each-line                    EachLine
        all                          All
        each-line/plain              EachLine, plain
        plain                        All, plain
        !cloud                       not All, cloud
        6.1*                         Glob("6.1*")
        small-kasan                  Name("small-kasan")
        ./bzImage                    file ./bzImage
        /boot/plain                  file /boot/plain
        arm64:6.12.117               version 6.12.117, aarch64
        s390x:latest:6.12/plain      latest of 6.12, plain, s390x
        !arm64:6.12.y                not range 6.12..6.12, aarch64
        each-arch:6.12.y             range 6.12..6.12, each
        "#);
    }

    #[test]
    fn says_what_is_wrong() {
        let mut said = String::new();
        for text in ["", "!", "newest:6.12", "latest:x", "6.12.x", "7.2..6.12", "6.[", "6.12.90.1"] {
            said += &format!("{}\n", text.parse::<KernelSpec>().expect_err(text));
        }
        insta::assert_snapshot!(said, @"
        a kernel is missing: expected a version (6.17.13), a range (6.12..7.2), latest:LINE, oldest:LINE, each-line, all, cloud, plain, a catalogue name or a file
        a kernel is missing: expected a version (6.17.13), a range (6.12..7.2), latest:LINE, oldest:LINE, each-line, all, cloud, plain, a catalogue name or a file
        `newest:6.12`: `newest:` is unknown; expected latest:LINE or oldest:LINE
        in `latest:x`: `x` is no kernel version: a line is two numbers, like `6.12`; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
        `6.12.x` is no kernel version: there is no number after the last `.`; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
        the range `7.2..6.12` can hold nothing: 7.2 is newer than 6.12; write it as `6.12..7.2`
        the pattern `6.[` cannot be read: unclosed character class; missing ']'
        `6.12.90.1` is no kernel version: it has more than three numbers; expected something like `6.12.90`, `v6.17-rc3` or `next-20260306`
        ");
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[!a-z0-9.:*/+-]{0,24}") {
            let _ = text.parse::<KernelSpec>();
        }
    }
}
