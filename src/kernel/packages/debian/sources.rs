//! The host's own apt source entries, rewritten so that they name every Debian suite that has kernels.
//!
//! No mirror is written down anywhere: which one serves Debian is what the host's administrator has configured. Both
//! formats of sources.list(5) are read, the result is in the newer one.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::arch::Arch;

/// Suites of the main archive that have kernels. A mirror may lack some; that costs nothing but their kernels.
const MAIN_SUITES: &[&str] = &[
    "bullseye",
    "bullseye-updates",
    "bullseye-backports",
    "bookworm",
    "bookworm-updates",
    "bookworm-backports",
    "trixie",
    "trixie-updates",
    "trixie-backports",
    "forky",
    "sid",
    "experimental",
];

/// Suites of the security archive.
const SECURITY_SUITES: &[&str] = &["bullseye-security", "bookworm-security", "trixie-security"];

/// Names by which an entry of Debian's own is recognised, without the part after the first `-`.
const DEBIAN_RELEASES: &[&str] = &[
    "oldoldstable",
    "oldstable",
    "stable",
    "testing",
    "unstable",
    "experimental",
    "sid",
    "rc-buggy",
    "buster",
    "bullseye",
    "bookworm",
    "trixie",
    "forky",
    "duke",
];

/// Options of an entry that say how far it is trusted; the others (suites, components, …) are replaced.
const KEPT_OPTIONS: &[&str] = &[
    "Signed-By",
    "Trusted",
    "Allow-Insecure",
    "Allow-Weak",
    "Allow-Downgrade-To-Insecure",
    "Check-Valid-Until",
    "Valid-Until-Min",
    "Valid-Until-Max",
    "Check-Date",
    "Date-Max-Future",
];

/// Which of Debian's two archives a package is in; each has its own pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Archive {
    /// The main archive, backports included.
    Main,
    /// Security updates.
    Security,
}

impl fmt::Display for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Archive::Main => "main",
            Archive::Security => "security",
        })
    }
}

/// The archive that a suite belongs to; `None` for one that is not asked for.
pub fn archive_of(suite: &str) -> Option<Archive> {
    if MAIN_SUITES.contains(&suite) {
        Some(Archive::Main)
    } else {
        SECURITY_SUITES.contains(&suite).then_some(Archive::Security)
    }
}

/// Every suite that has kernels, with its archive.
pub(super) fn suites() -> impl Iterator<Item = (Archive, &'static str)> {
    let of =
        |archive: Archive, suites: &'static [&'static str]| suites.iter().map(move |suite| (archive, *suite));
    of(Archive::Main, MAIN_SUITES).chain(of(Archive::Security, SECURITY_SUITES))
}

/// One entry of the host that serves an archive of Debian.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSource {
    /// Which archive.
    pub archive: Archive,
    /// Base address, ending with `/`.
    pub uri: String,
    /// Options to keep, as deb822 fields (values may span lines).
    options: Vec<(String, String)>,
    /// Whether it is Debian's beyond doubt, and not another project's archive with the same suite names.
    sure: bool,
}

/// Entries in the format of a `.sources` file (deb822).
pub fn parse_deb822(text: &str) -> Vec<HostSource> {
    let mut found = Vec::new();
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in text.lines().chain([""]) {
        if line.starts_with('#') {
            continue;
        }
        if line.trim().is_empty() {
            found.extend(from_stanza(&std::mem::take(&mut fields)));
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key.trim().to_string(), value.trim().to_string()));
        }
    }
    found
}

fn from_stanza(fields: &[(String, String)]) -> Vec<HostSource> {
    let get = |key: &str| {
        fields.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map_or("", |(_, value)| value.as_str())
    };
    let off = ["no", "false", "without", "off", "disable"];
    if off.iter().any(|word| get("Enabled").eq_ignore_ascii_case(word)) {
        return Vec::new();
    }
    let options = KEPT_OPTIONS
        .iter()
        .filter(|option| !get(option).is_empty())
        .map(|option| ((*option).to_string(), get(option).to_string()))
        .collect();
    from_parts(get("Types"), get("URIs"), get("Suites"), get("Components"), options)
}

/// Entries in the format of a `.list` file, one a line.
pub fn parse_one_line(text: &str) -> Vec<HostSource> {
    text.lines().flat_map(|line| from_line(line.split('#').next().unwrap_or_default())).collect()
}

fn from_line(line: &str) -> Vec<HostSource> {
    let (kind, rest) = match line.trim().split_once(char::is_whitespace) {
        Some((kind, rest)) => (kind, rest.trim_start()),
        None => return Vec::new(),
    };
    let (options, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((options, rest)) => (options, rest),
        None => ("", rest),
    };
    let options = options
        .split_whitespace()
        .filter_map(|option| option.split_once('='))
        .filter_map(|(key, value)| {
            let kept = KEPT_OPTIONS.iter().find(|kept| kept.eq_ignore_ascii_case(key))?;
            Some(((*kept).to_string(), value.replace(',', " ")))
        })
        .collect();
    let mut words = rest.split_whitespace();
    let (Some(uri), Some(suite)) = (words.next(), words.next()) else { return Vec::new() };
    from_parts(kind, uri, suite, &words.collect::<Vec<_>>().join(" "), options)
}

fn from_parts(
    types: &str,
    uris: &str,
    suites: &str,
    components: &str,
    options: Vec<(String, String)>,
) -> Vec<HostSource> {
    let has = |text: &str, word: &str| text.split_whitespace().any(|found| found == word);
    if !has(types, "deb") || !has(components, "main") {
        return Vec::new();
    }
    let signed_by_debian =
        options.iter().any(|(key, value)| key == "Signed-By" && value.contains("debian-archive"));
    let mut found: Vec<HostSource> = Vec::new();
    for suite in suites.split_whitespace() {
        let release = suite.split(['-', '/']).next().unwrap_or(suite);
        if !DEBIAN_RELEASES.contains(&release) {
            continue;
        }
        let security = suite.ends_with("-security") || suite.ends_with("/updates");
        let archive = if security { Archive::Security } else { Archive::Main };
        for uri in uris.split_whitespace() {
            let folder = uri.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            let sure = signed_by_debian || folder == "debian" || folder == "debian-security";
            let uri = format!("{}/", uri.trim_end_matches('/'));
            if !found.iter().any(|seen| seen.archive == archive && seen.uri == uri) {
                found.push(HostSource { archive, uri, options: options.clone(), sure });
            }
        }
    }
    found
}

/// The entries to use: those that are Debian's beyond doubt, or all if there are none, each once.
pub fn select(found: Vec<HostSource>) -> Vec<HostSource> {
    let mut selected: Vec<HostSource> = Vec::new();
    for archive in [Archive::Main, Archive::Security] {
        let any_sure = found.iter().any(|source| source.archive == archive && source.sure);
        for source in found.iter().filter(|source| source.archive == archive && (source.sure || !any_sure)) {
            if !selected.iter().any(|seen| seen.archive == archive && seen.uri == source.uri) {
                selected.push(source.clone());
            }
        }
    }
    selected
}

/// A `.sources` file with every suite that has kernels, one stanza each, so that a missing one spoils no other.
pub fn rewrite(sources: &[HostSource], arch: &Arch) -> String {
    let suites: Vec<&str> = suites().map(|(_, suite)| suite).collect();
    of_suites(sources, &suites, arch.debian)
}

/// The same with these suites alone, and these architectures, which blanks separate.
pub(crate) fn of_suites(sources: &[HostSource], suites: &[&str], arches: &str) -> String {
    let mut text = String::new();
    for source in sources {
        for suite in suites.iter().filter(|suite| archive_of(suite) == Some(source.archive)) {
            text += "Types: deb\n";
            text += &format!("URIs: {}\nSuites: {suite}\nComponents: main\n", source.uri);
            text += &format!("Architectures: {arches}\n");
            for (key, value) in &source.options {
                text += &format!("{key}: {value}\n");
            }
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEB822: &str = "\
# comment
Types: deb deb-src
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQINBF
# comment inside
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
URIs: http://mirror.example/debian-security/
Suites: bookworm-security
Components: main
Trusted: yes

Types: deb
URIs: https://other.example/apt
Suites: bookworm
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
";

    #[test]
    fn reads_deb822_and_prefers_debians_own() {
        let found = parse_deb822(DEB822);
        assert_eq!(found.len(), 3, "{found:?}");
        let selected = select(found);
        let seen: Vec<_> = selected.iter().map(|source| (source.archive, source.uri.as_str())).collect();
        assert_eq!(
            seen,
            [
                (Archive::Main, "http://mirror.example/debian/"),
                (Archive::Security, "http://mirror.example/debian-security/")
            ]
        );
        let text = rewrite(&selected, crate::arch::GUEST);
        assert_eq!(text.matches("Types: deb\n").count(), MAIN_SUITES.len() + SECURITY_SUITES.len());
        assert_eq!(text.matches(" mQINBF\n").count(), MAIN_SUITES.len(), "an inline key is kept whole");
        assert_eq!(text.matches("Trusted: yes\n").count(), SECURITY_SUITES.len());
        let again = select(parse_deb822(&text));
        assert_eq!(again, selected, "what is written reads back");
    }

    #[test]
    fn reads_one_line_entries() {
        let found = parse_one_line(
            "# deb http://no.example/debian sid main\n\
             deb [ arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg ] tor://m.example/x trixie main # why\n\
             deb-src http://m.example/debian trixie main\n\
             deb http://s.example/debian-security bullseye/updates main\n\
             deb http://p.example/apt bookworm-pgdg main\n\
             deb http://m.example/debian trixie contrib\n\
             deb http://m.example/flat ./\n\
             deb\n",
        );
        insta::assert_debug_snapshot!(found, @r#"
        [
            HostSource {
                archive: Main,
                uri: "tor://m.example/x/",
                options: [
                    (
                        "Signed-By",
                        "/usr/share/keyrings/debian-archive-keyring.gpg",
                    ),
                ],
                sure: true,
            },
            HostSource {
                archive: Security,
                uri: "http://s.example/debian-security/",
                options: [],
                sure: true,
            },
            HostSource {
                archive: Main,
                uri: "http://p.example/apt/",
                options: [],
                sure: false,
            },
        ]
        "#);
        assert_eq!(select(found).len(), 2);
    }

    #[test]
    fn uses_a_doubtful_entry_when_there_is_no_other() {
        let found = parse_one_line("deb http://mirror.example/snapshots/today bookworm main\n");
        assert_eq!(select(found).len(), 1);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "(?s).{0,300}") {
            let _ = select(parse_deb822(&text));
            let _ = select(parse_one_line(&text));
        }
    }
}
