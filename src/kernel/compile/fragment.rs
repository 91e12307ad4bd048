//! Fragments of kernel configurations: found by name, put together, and written for Kconfig.
//!
//! A fragment is a text file of lines `CONFIG_X=value` (or `# CONFIG_X is not set`), the format of `.config`, with two
//! additions: a line may end in `# optional`, `# only ARCH` or `# not ARCH`, and a comment `# base: allnoconfig` says what
//! the options have that no fragment names.

use std::fs;
use std::path::{Path, PathBuf};

use super::lost::LostOption;
use crate::arch::Arch;
use kernel_modules::closest;

/// Fragments that come with the program; a file of the same name in a catalogue's folder `configs` goes first.
const EMBEDDED: &[(&str, &str)] = &[
    ("small", include_str!("../../../kernels/configs/small.config")),
    ("debuginfo", include_str!("../../../kernels/configs/debuginfo.config")),
    ("kasan", include_str!("../../../kernels/configs/kasan.config")),
    ("kmemleak", include_str!("../../../kernels/configs/kmemleak.config")),
    ("lockdep", include_str!("../../../kernels/configs/lockdep.config")),
];

/// A whole `.config` of a distribution has 300 KB.
const MAX_FILE: u64 = 4 << 20;

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no fragment of this name.
    #[error("the configuration `{whole}`: there is no fragment `{name}`{hint}")]
    Unknown {
        /// The whole configuration, `small+kasan`.
        whole: String,
        /// The part that is unknown.
        name: String,
        /// What there is instead.
        hint: String,
    },
    /// A fragment cannot be read.
    #[error("cannot read the fragment {path}: {reason}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: String,
    },
    /// A line is none of a configuration.
    #[error("{file}:{line}: found `{found}`, expected {expected}")]
    Line {
        /// The file.
        file: String,
        /// Its line, from 1.
        line: usize,
        /// What is there.
        found: String,
        /// What can be.
        expected: &'static str,
    },
    /// Options that were asked for and that Kconfig did not keep.
    #[error(
        "the configuration {config} is not possible in this tree:\n{}\nadd what an option needs, remove its line, or end the line with `# optional`",
        .lost.iter().map(|lost| format!("  {lost}")).collect::<Vec<_>>().join("\n")
    )]
    Lost {
        /// The whole configuration.
        config: String,
        /// The options.
        lost: Vec<LostOption>,
    },
}

/// Which values options have that no fragment names: a target of the kernel's `make`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    /// Off, unless Kconfig leaves no choice.
    AllNo,
    /// Their defaults.
    Defaults,
}

impl Base {
    /// The target that makes `.config`.
    pub(crate) fn target(self) -> &'static str {
        match self {
            Base::AllNo => "allnoconfig",
            Base::Defaults => "alldefconfig",
        }
    }
}

/// One option that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OptionRequest {
    /// Without `CONFIG_`.
    pub option: String,
    /// As in `.config`, strings with their quotes; `n` for off.
    pub value: String,
    /// Whether a tree may lack it.
    pub optional: bool,
    /// The fragment.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
}

/// Fragments put together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MergedFragments {
    /// As written: `small+kasan`.
    pub name: String,
    pub base: Base,
    /// Each option once, in the order in which they were asked for last.
    pub wishes: Vec<OptionRequest>,
}

impl MergedFragments {
    /// Puts the fragments of `name`, joined by `+`, together, for kernels of this architecture. A part with a `/` is a file.
    /// Where two ask for different values, the later one has its way.
    pub(crate) fn new(
        name: &str,
        arch: &'static Arch,
        folders: &[PathBuf],
    ) -> Result<MergedFragments, ConfigError> {
        let mut composed =
            MergedFragments { name: name.to_string(), base: Base::Defaults, wishes: Vec::new() };
        for part in name.split('+') {
            let (file, text) = find(name, part.trim(), folders)?;
            let (base, wishes) = parse(&file, &text, arch)?;
            composed.base = base.unwrap_or(composed.base);
            for wish in wishes {
                composed.wishes.retain(|earlier| earlier.option != wish.option);
                composed.wishes.push(wish);
            }
        }
        Ok(composed)
    }

    /// The file that Kconfig reads (`KCONFIG_ALLCONFIG`). Two configurations with the same text are the same.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("# {}\n", self.base.target());
        for OptionRequest { option, value, .. } in &self.wishes {
            text += &match value.as_str() {
                "n" => format!("# CONFIG_{option} is not set\n"),
                value => format!("CONFIG_{option}={value}\n"),
            };
        }
        text
    }

    /// What a kernel's release ends in, so that it tells its configuration: `-small+kasan`.
    pub(crate) fn local_version(&self) -> String {
        let fits = |c: char| if c.is_ascii_alphanumeric() || "+._".contains(c) { c } else { '_' };
        let parts: Vec<String> = self
            .name
            .split('+')
            .map(|part| part.trim().rsplit('/').next().unwrap_or_default().trim_end_matches(".config"))
            .map(|part| part.chars().map(fits).collect())
            .collect();
        // a release has at most 64 characters
        format!("-{}", parts.join("+")).chars().take(40).collect()
    }
}

fn find(whole: &str, name: &str, folders: &[PathBuf]) -> Result<(String, String), ConfigError> {
    let read = |path: &Path| {
        let failed = |reason: String| ConfigError::Read { path: path.to_path_buf(), reason };
        let bytes = fs::metadata(path).map_err(|error| failed(error.to_string()))?.len();
        if bytes > MAX_FILE {
            return Err(failed(format!("it has {bytes} bytes, more than any configuration needs")));
        }
        let text = fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
        Ok((path.display().to_string(), text))
    };
    if name.contains('/') {
        return read(Path::new(name));
    }
    let file = format!("{name}.config");
    if let Some(path) =
        folders.iter().map(|folder| folder.join("configs").join(&file)).find(|path| path.is_file())
    {
        return read(&path);
    }
    if let Some((_, text)) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        return Ok((file, (*text).to_string()));
    }
    let mut known: Vec<String> = EMBEDDED.iter().map(|(name, _)| (*name).to_string()).collect();
    for entry in
        folders.iter().filter_map(|folder| fs::read_dir(folder.join("configs")).ok()).flatten().flatten()
    {
        let file = entry.file_name().to_string_lossy().into_owned();
        known.extend(file.strip_suffix(".config").map(String::from));
    }
    known.sort();
    known.dedup();
    let hint = match closest(name, known.iter().map(String::as_str)) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; there are {}; your own go into kernels/configs/NAME.config", known.join(", ")),
    };
    Err(ConfigError::Unknown { whole: whole.to_string(), name: name.to_string(), hint })
}

/// Reads one fragment: what it asks for on this architecture.
fn parse(file: &str, text: &str, arch: &Arch) -> Result<(Option<Base>, Vec<OptionRequest>), ConfigError> {
    let mut base = None;
    let mut wishes = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |expected| ConfigError::Line {
            file: file.to_string(),
            line: number + 1,
            found: line.trim().chars().take(80).collect(),
            expected,
        };
        let mut wish = |option: &str, value: &str, optional| {
            let (option, value, file) = (option.to_string(), value.to_string(), file.to_string());
            wishes.push(OptionRequest { option, value, optional, file, line: number + 1 });
        };
        let line = line.trim();
        if let Some(comment) = line.strip_prefix('#') {
            let comment = comment.trim();
            if let Some(option) = comment.strip_prefix("CONFIG_").and_then(|c| c.strip_suffix(" is not set"))
            {
                wish(option, "n", false);
            } else if let Some(name) = comment.strip_prefix("base:") {
                base = Some(match name.trim() {
                    "allnoconfig" => Base::AllNo,
                    "alldefconfig" => Base::Defaults,
                    _ => return Err(wrong("`# base: allnoconfig` or `# base: alldefconfig`")),
                });
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        const FORM: &str =
            "`CONFIG_NAME=value`, `# CONFIG_NAME is not set` or a comment that starts with `#`";
        let (option, rest) =
            line.strip_prefix("CONFIG_").and_then(|rest| rest.split_once('=')).ok_or_else(|| wrong(FORM))?;
        if option.is_empty() || !option.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(wrong(FORM));
        }
        let (value, rest) =
            split_value(rest).ok_or_else(|| wrong("a value: y, m, n, a number or \"text\""))?;
        let remark = Remark::read(rest).map_err(wrong)?;
        if remark.is_for(arch) {
            wish(option, value, remark.optional);
        }
    }
    Ok((base, wishes))
}

/// What stands behind an option's value: `# optional`, `# only arm64, s390x` or `# not s390x`, and behind a colon why.
struct Remark {
    optional: bool,
    /// The architectures that are named, and whether the line is for them or for the others.
    arches: Option<(bool, Vec<&'static Arch>)>,
}

impl Remark {
    /// Reads what follows a value, or says what was expected.
    fn read(text: &str) -> Result<Remark, &'static str> {
        const EXPECTED: &str =
            "nothing behind the value but `# optional`, `# only ARCH` or `# not ARCH`, and why";
        let mut remark = Remark { optional: false, arches: None };
        let text = text.trim();
        if text.is_empty() {
            return Ok(remark);
        }
        let comment = text.strip_prefix('#').ok_or(EXPECTED)?.trim_start_matches('#').trim_start();
        if comment.starts_with("optional") {
            remark.optional = true;
            return Ok(remark);
        }
        let (word, rest) = comment.split_once(' ').ok_or(EXPECTED)?;
        let only = match word {
            "only" => true,
            "not" => false,
            _ => return Err(EXPECTED),
        };
        let mut arches = Vec::new();
        let names = rest.split(':').next().unwrap_or_default();
        for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
            match Arch::named(name) {
                Some(arch) => arches.push(arch),
                None if name == "optional" => remark.optional = true,
                None => {
                    return Err("behind `only` and `not` architectures as Debian names them, such as arm64");
                }
            }
        }
        if arches.is_empty() {
            return Err(EXPECTED);
        }
        remark.arches = Some((only, arches));
        Ok(remark)
    }

    fn is_for(&self, arch: &Arch) -> bool {
        self.arches.as_ref().is_none_or(|(only, arches)| *only == arches.contains(&arch))
    }
}

/// A value and what follows it.
fn split_value(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut escaped = false;
        let end = quoted.find(|c| {
            let ends = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            ends
        })?;
        return Some(text.split_at(end + 2));
    }
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::{AARCH64, ARCHES, GUEST, S390X};

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("configs")).expect("it is writable");
        for (name, text) in files {
            fs::write(folder.path().join("configs").join(name), text).expect("it is writable");
        }
        folder
    }

    #[test]
    fn later_fragments_have_their_way() {
        let folder = folder(&[
            (
                "a.config",
                "# base: allnoconfig\nCONFIG_A=y\nCONFIG_B=m  # optional: from 6.9\n\nCONFIG_S=\"x # y\"\n",
            ),
            ("b.config", "# CONFIG_A is not set\nCONFIG_N=16000\n"),
        ]);
        let composed = MergedFragments::new("a+b", GUEST, &[folder.path().to_path_buf()])
            .unwrap_or_else(|e| panic!("{e}"));
        insta::assert_snapshot!(composed.text(), @r#"
        # allnoconfig
        CONFIG_B=m
        CONFIG_S="x # y"
        # CONFIG_A is not set
        CONFIG_N=16000
        "#);
        assert_eq!(composed.wishes.iter().filter(|wish| wish.optional).count(), 1);
        assert_eq!(composed.local_version(), "-a+b");
    }

    #[test]
    fn the_embedded_fragments_read_and_fit_together() {
        for name in ["small", "small+kasan", "small+kmemleak", "small+lockdep", "small+debuginfo"] {
            for arch in ARCHES {
                let composed =
                    MergedFragments::new(name, arch, &[]).unwrap_or_else(|error| panic!("{error}"));
                assert_eq!(composed.base, Base::AllNo, "{name}");
                assert!(composed.wishes.len() > 50, "{name}");
            }
        }
        // the base of tinyconfig, which takes KASAN away without a word
        let off = |name: &str| {
            let composed = MergedFragments::new(name, GUEST, &[]).expect("it is embedded");
            composed.wishes.iter().any(|wish| wish.option == "SLUB_TINY" && wish.value == "n")
        };
        assert!(off("small") && off("kasan") && off("kmemleak"));
    }

    #[test]
    fn lines_are_of_the_architectures_that_they_name() {
        let text = "CONFIG_A=y\nCONFIG_PVH=y  # only amd64\nCONFIG_PCI=y  # not s390x: channels\n\
            CONFIG_G=m  # only arm64, s390x, optional: in some trees\n";
        let folder = folder(&[("a.config", text)]);
        let of = |arch| {
            let composed = MergedFragments::new("a", arch, &[folder.path().to_path_buf()]).unwrap();
            let said =
                |wish: &OptionRequest| format!("{}{}", wish.option, if wish.optional { "?" } else { "" });
            composed.wishes.iter().map(said).collect::<Vec<_>>().join(" ")
        };
        assert_eq!([of(GUEST), of(&AARCH64), of(&S390X)], ["A PVH PCI", "A PCI G?", "A G?"]);
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        let folder = folder(&[
            ("mine.config", "CONFIG_A=y\n"),
            ("line.config", "# fine\nCONFIG_KASAN y\n"),
            ("name.config", "CONFIG_KA SAN=y\n"),
            ("value.config", "CONFIG_A=\n"),
            ("quote.config", "CONFIG_A=\"x\n"),
            ("behind.config", "CONFIG_A=y KASAN\n"),
            ("arch.config", "CONFIG_A=y # only arm46: why\n"),
            ("noarch.config", "CONFIG_A=y # not\n"),
            ("base.config", "# base: tinyconfig\n"),
        ]);
        let folders = [folder.path().to_path_buf()];
        let mut said = String::new();
        for name in [
            "small+kasn",
            "mein",
            "zebra",
            "line",
            "name",
            "value",
            "quote",
            "behind",
            "arch",
            "noarch",
            "base",
            "./nowhere.config",
            "",
        ] {
            let error = MergedFragments::new(name, GUEST, &folders).expect_err(name).to_string();
            said += &format!("{}\n", error.replace(&format!("{}/", folder.path().display()), ""));
        }
        insta::assert_snapshot!(said, @r#"
        the configuration `small+kasn`: there is no fragment `kasn`; did you mean `kasan`?
        the configuration `mein`: there is no fragment `mein`; there are arch, base, behind, debuginfo, kasan, kmemleak, line, lockdep, mine, name, noarch, quote, small, value; your own go into kernels/configs/NAME.config
        the configuration `zebra`: there is no fragment `zebra`; there are arch, base, behind, debuginfo, kasan, kmemleak, line, lockdep, mine, name, noarch, quote, small, value; your own go into kernels/configs/NAME.config
        configs/line.config:2: found `CONFIG_KASAN y`, expected `CONFIG_NAME=value`, `# CONFIG_NAME is not set` or a comment that starts with `#`
        configs/name.config:1: found `CONFIG_KA SAN=y`, expected `CONFIG_NAME=value`, `# CONFIG_NAME is not set` or a comment that starts with `#`
        configs/value.config:1: found `CONFIG_A=`, expected a value: y, m, n, a number or "text"
        configs/quote.config:1: found `CONFIG_A="x`, expected a value: y, m, n, a number or "text"
        configs/behind.config:1: found `CONFIG_A=y KASAN`, expected nothing behind the value but `# optional`, `# only ARCH` or `# not ARCH`, and why
        configs/arch.config:1: found `CONFIG_A=y # only arm46: why`, expected behind `only` and `not` architectures as Debian names them, such as arm64
        configs/noarch.config:1: found `CONFIG_A=y # not`, expected nothing behind the value but `# optional`, `# only ARCH` or `# not ARCH`, and why
        configs/base.config:1: found `# base: tinyconfig`, expected `# base: allnoconfig` or `# base: alldefconfig`
        cannot read the fragment ./nowhere.config: No such file or directory (os error 2)
        the configuration ``: there is no fragment ``; there are arch, base, behind, debuginfo, kasan, kmemleak, line, lockdep, mine, name, noarch, quote, small, value; your own go into kernels/configs/NAME.config
        "#);
    }

    #[test]
    fn a_release_stays_within_its_characters() {
        let folder = folder(&[("x.config", "")]);
        let name = format!("{}/configs/x.config", folder.path().display());
        let composed = MergedFragments::new(&name, GUEST, &[]).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(composed.local_version(), "-x");
        let long = MergedFragments { name: "a b~".repeat(30), ..composed };
        assert_eq!(long.local_version().len(), 40);
        assert!(long.local_version().starts_with("-a_b_a_b_"));
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[CONFIG_ABy=mn\"\\\\# \n]{0,80}") {
            let _ = parse("x", &text, GUEST);
        }
    }
}
