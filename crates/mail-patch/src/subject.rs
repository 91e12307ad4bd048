//! What the subject of a patch mail says: `[PATCH AUTOSEL 7.0-6.1]`, `[PATCH v7 1/1]`, `[PATCH 6.6 12/45]`.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use kernel_version::Line;

use super::ubuntu::ubuntu;

/// Which kernels a patch is meant for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// Every line from the newest to the oldest, both included.
    Range {
        /// The newest.
        newest: LineName,
        /// The oldest.
        oldest: LineName,
    },
    /// These lines.
    Lines(Vec<LineName>),
}

/// A line of kernels, for example 6.12.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineName(pub Line);

impl Serialize for LineName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl std::fmt::Display for LineName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0.major, self.0.minor)
    }
}

impl Target {
    /// The first line that is named.
    pub fn first(&self) -> Option<LineName> {
        match self {
            Target::Range { newest, .. } => Some(*newest),
            Target::Lines(lines) => lines.first().copied(),
        }
    }

    /// Whether the patch is meant for this line.
    pub fn covers(&self, line: Line) -> bool {
        let key = |line: Line| (line.major, line.minor);
        match self {
            Target::Range { newest, oldest } => (key(oldest.0)..=key(newest.0)).contains(&key(line)),
            Target::Lines(lines) => lines.iter().any(|named| named.0 == line),
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Range { newest, oldest } => write!(f, "{newest} down to {oldest}"),
            Target::Lines(lines) => {
                let names: Vec<String> = lines.iter().map(LineName::to_string).collect();
                f.write_str(&names.join(", "))
            }
        }
    }
}

/// A subject, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The title of the commit, without the brackets before it.
    pub title: String,
    /// Whether it answers another mail.
    pub reply: bool,
    /// Whether it is marked as a patch.
    pub patch: bool,
    /// Whether it asks for comments only.
    pub rfc: bool,
    /// Whether it was sent before without a change.
    pub resend: bool,
    /// Whether Sasha Levin's AUTOSEL picked it for stable.
    pub autosel: bool,
    /// Version of the patch; absent: the first.
    pub version: Option<u32>,
    /// What stands behind the version's dot: 1 of `v2.1`, which replaces a patch of version 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u32>,
    /// Number within its series and the length of that; number 0 is the cover letter.
    pub part: Option<(u32, u32)>,
    /// Which kernels it is meant for.
    pub target: Option<Target>,
    /// The development tree it is meant for, for example `net-next`.
    pub tree: Option<String>,
}

/// Takes a subject apart. Brackets that say nothing about a patch stay in the title, except those of a mailing list in
/// front of one that does.
pub fn parse(subject: &str) -> Subject {
    let mut parsed = Subject::default();
    let mut rest = subject.trim();
    loop {
        if let Some(answer) = answered(rest) {
            parsed.reply = true;
            rest = answer.trim_start();
            continue;
        }
        let Some((inside, after)) = bracket(rest) else { break };
        let known = match is_about_patch(inside) {
            true => true,
            // the name of a list, or of Ubuntu's kernel team, stands in front
            false if !parsed.patch && !parsed.rfc => about_patch_follows(after),
            false => words(inside).all(is_known),
        };
        if !known {
            break;
        }
        if is_about_patch(inside) || words(inside).all(is_known) || parsed.patch || is_sru(inside) {
            parsed.bracket(inside);
        }
        rest = after.trim_start();
    }
    parsed.title = rest.to_owned();
    if let Some(found) = QUEUED.captures(subject) {
        parsed.patch = true;
        parsed.title = parse(&found[1]).title;
        parsed.target = target(&found[2]);
    }
    parsed
}

/// What stands behind the mark of an answer or of a mail that was passed on.
fn answered(text: &str) -> Option<&str> {
    let marks = ["re:", "fwd:", "fw:", "aw:", "antw:", "wg:", "sv:", "tr:"];
    marks.iter().find_map(|mark| strip_ignoring_case(text, mark))
}

/// What stands in the bracket that the text starts with, and behind it.
fn bracket(text: &str) -> Option<(&str, &str)> {
    text.strip_prefix('[')?.split_once(']')
}

fn words(inside: &str) -> impl Iterator<Item = &str> + Clone {
    inside.split([' ', ',', ';', ':', '\t']).filter(|word| !word.is_empty())
}

/// `[PATCH …]`, `[RFC]`, and patchwork's `[net,v2,1/2]`, in which that word is left out.
fn is_about_patch(inside: &str) -> bool {
    words(inside).any(|word| {
        let upper = word.to_ascii_uppercase();
        upper.starts_with("PATCH")
            || ["RFC", "RESEND", "REPOST", "RFT"].contains(&upper.as_str())
            || part(word).is_some_and(|(at, of)| at <= of)
            || upper.strip_prefix('V').and_then(number).is_some()
    })
}

fn about_patch_follows(text: &str) -> bool {
    let mut rest = text.trim_start();
    while let Some(answer) = answered(rest) {
        rest = answer.trim_start();
    }
    while let Some((inside, after)) = bracket(rest) {
        if is_about_patch(inside) {
            return true;
        }
        rest = after.trim_start();
    }
    false
}

/// Whether a word of a second bracket says something that a subject of a patch says.
fn is_known(word: &str) -> bool {
    target(word).is_some() || part(word).is_some() || ubuntu(word).is_some() || is_about_patch(word)
}

/// A request to Ubuntu's kernel team: `[SRU][J][PATCH 0/1]`, `[SRU][Noble][PATCH]`.
fn is_sru(inside: &str) -> bool {
    words(inside).all(|word| word.eq_ignore_ascii_case("SRU") || ubuntu(word).is_some())
}

/// Mails of stable's maintainers about a patch.
static QUEUED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)\bpatch "(.+)" (?:has been added to|failed to apply to|has been queued (?:up )?for|was added to)(?: the)? (\S+?)(?:-stable)? tree"#).expect("valid")
});

fn strip_ignoring_case<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

impl Subject {
    fn bracket(&mut self, inside: &str) {
        let sru = is_sru(inside);
        let mut words = words(inside).peekable();
        while let Some(word) = words.next() {
            let upper = word.to_ascii_uppercase();
            if let (Some(at), Some(&"of")) = (number(word), words.peek()) {
                let mut ahead = words.clone();
                ahead.next();
                if let Some(of) = ahead.next().and_then(number) {
                    self.part = Some((at, of));
                    words = ahead;
                    continue;
                }
            }
            match ubuntu(word).filter(|_| sru || self.tree.as_deref() == Some("SRU")) {
                Some(target) => self.meant_for(target),
                None => self.take(word, &upper),
            }
        }
    }

    fn take(&mut self, word: &str, upper: &str) {
        if let Some(behind) = upper.strip_prefix("PATCH") {
            self.patch = true;
            let behind = behind.trim_start_matches(['-', '_', '/']);
            if let Some(target) = target(behind) {
                self.meant_for(target);
            } else if !behind.is_empty() {
                self.version_of(behind.strip_prefix('V').unwrap_or(behind));
            }
        } else if upper.strip_prefix('V').is_some_and(|version| self.version_of(version)) {
        } else if let Some(part) = part(word) {
            self.part = Some(part);
            self.patch = true;
        } else if let Some(target) = target(word) {
            self.meant_for(target);
        } else if let Some((tree, target)) = tree_of_line(word) {
            self.meant_for(target);
            if !tree.is_empty() {
                self.tree = Some(tree.to_owned());
            }
        } else {
            match upper {
                "RFC" => self.rfc = true,
                "RESEND" | "REPOST" => self.resend = true,
                "AUTOSEL" => self.autosel = true,
                // `AUTOSEL for 4.19`
                "FOR" | "TO" => {}
                _ => self.tree = Some(word.to_owned()),
            }
        }
    }

    /// Reads a version, `2` or `2.1`; kernels before 3.0 are nobody's target.
    fn version_of(&mut self, text: &str) -> bool {
        let (version, revision) = match text.split_once('.') {
            Some((version, revision)) => (number(version).filter(|version| *version < 3), number(revision)),
            None => (number(text), None),
        };
        if version.is_none() || (text.contains('.') && revision.is_none()) {
            return false;
        }
        self.patch = true;
        (self.version, self.revision) = (version, revision);
        true
    }

    fn meant_for(&mut self, target: Target) {
        self.target = Some(match (self.target.take(), target) {
            (Some(Target::Lines(mut known)), Target::Lines(more)) => {
                known.extend(more);
                Target::Lines(known)
            }
            (_, target) => target,
        });
    }
}

fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

fn part(word: &str) -> Option<(u32, u32)> {
    let (at, of) = word.split_once('/')?;
    Some((number(at)?, number(of)?))
}

/// `7.0-6.1`, `5.15..6.6`, `6.6`, `6.6.y`, `v6.6`, `linux-6.6.y`, `5.4/5.10`.
fn target(word: &str) -> Option<Target> {
    let ends = word.split_once("..").or_else(|| word.split_once('-'));
    if let Some((newest, oldest)) = ends
        && let (Some(newest), Some(oldest)) = (line(newest), line(oldest))
    {
        let newer = |line: LineName| (line.0.major, line.0.minor);
        let (newest, oldest) =
            if newer(newest) < newer(oldest) { (oldest, newest) } else { (newest, oldest) };
        return Some(Target::Range { newest, oldest });
    }
    let word = strip_ignoring_case(word, "stable/").unwrap_or(word);
    word.split(['/', '&', '+'])
        .filter(|word| !word.is_empty())
        .map(line)
        .collect::<Option<Vec<_>>>()
        .filter(|lines| !lines.is_empty())
        .map(Target::Lines)
}

/// A tree that is one of a line: `stable-6.1`, `for-6.1`, `OLK-5.10`, `5.10.y-cip`.
fn tree_of_line(word: &str) -> Option<(&str, Target)> {
    for (at, _) in word.match_indices('-') {
        let (before, behind) = (&word[..at], &word[at + 1..]);
        // a release candidate is mainline's
        if let Some(line) = line(before).filter(|_| !behind.starts_with("rc")) {
            return Some((word, Target::Lines(vec![line])));
        }
        if let Some(line) = line(behind) {
            let tree = if before.eq_ignore_ascii_case("stable") { before } else { word };
            return Some((tree, Target::Lines(vec![line])));
        }
    }
    None
}

/// The line that a word is the name of, or that of one of its releases: `6.1`, `v6.1.57`, `linux-6.1.y`.
pub fn line_name(word: &str) -> Option<LineName> {
    line(word)
}

/// A line's name, or that of one of its releases.
fn line(word: &str) -> Option<LineName> {
    let word = strip_ignoring_case(word, "linux-").unwrap_or(word);
    let word = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let word = [".y", ".Y", ".x", "-stable", "-STABLE", "+"]
        .iter()
        .find_map(|end| word.strip_suffix(end))
        .unwrap_or(word);
    let (major, minor) = word.split_once('.')?;
    let (minor, release) = minor.split_once('.').unwrap_or((minor, "0"));
    number(release)?;
    let line = Line { major: number(major)?, minor: number(minor)? };
    // distributions name their releases by year and month: `openEuler-22.03`
    (line.major < 20 && (minor.len() == 1 || !minor.starts_with('0'))).then_some(LineName(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_taken_apart() {
        let subjects = [
            "[PATCH] ext4: fix",
            "[PATCH AUTOSEL 7.0-6.1] ext4: unmap invalidated folios from page tables in f()",
            "[PATCH AUTOSEL 6.18] wifi: brcmfmac: validate",
            "[PATCH AUTOSEL 6.1 3/9] x: y",
            "[PATCH 6.6 012/045] x: y",
            "[PATCH 5.15.y v2] x: y",
            "[PATCH 5.4/5.10] x: y",
            "[PATCH 6.1.y,6.6.y 2/3] x: y",
            "[PATCH v7 1/1] PCI/IOV: Make f() reentrant",
            "Re: [PATCH RFC 0/1] block: fix",
            "[RFC][PATCHv3 net-next] x: y",
            "[RFC PATCH RESEND bpf-next v2 0/3] x: y",
            "[syzbot] [cifs?] memory leak in f",
            "[PATCH stable 6.1] x",
            "[PATCH stable-6.1] x",
            "[PATCH for-6.1 1/2] x",
            "[PATCH v2 1/2 for 6.1] x",
            "[PATCH AUTOSEL for 4.19 1/2] x",
            "[PATCH] [6.1] x",
            "[stable:PATCH v6.1 1/2] x",
            "[PATCH stable/linux-6.1.y] x",
            "[6.1,01/12] x",
            "[net,v2,1/2] x",
            "[v3,2/4] x",
            "[list-name] [PATCH 1/2] x",
            "[list-name] Re: [PATCH 1/2] x",
            "[PATCH v2.1 3/5] x",
            "[PATCH-6.1] x",
            "[PATCH-v2 3/5] x",
            "[PATCHv2,1/3] x",
            "[PATCH 6.1..6.6] x",
            "[PATCH 6.1.57] x",
            "[PATCH 5.10.y-cip 3/4] x",
            "[PATCH OLK-5.10 1/2] x",
            "[SRU][J][PATCH 1/1] x",
            "[SRU][Noble/Jammy][PATCH v2 1/1] x",
            "[PATCH 3 of 12] x",
            "[PATCH 6.1-rc5] x",
            "Patch \"x: y\" has been added to the 6.1-stable tree",
            "FAILED: patch \"[PATCH] x: y\" failed to apply to 6.1-stable tree",
            "re: Re: FWD: [PATCH] [x86] y",
            "",
        ];
        let shown: Vec<String> = subjects
            .iter()
            .map(|text| {
                let subject = parse(text);
                let flags = [
                    (subject.reply, "reply"),
                    (subject.patch, "patch"),
                    (subject.rfc, "rfc"),
                    (subject.resend, "resend"),
                    (subject.autosel, "autosel"),
                ];
                let flags: Vec<&str> = flags.iter().filter(|(set, _)| *set).map(|(_, word)| *word).collect();
                let target = subject.target.map(|target| target.to_string()).unwrap_or_default();
                format!(
                    "{} | v{}{} {:?} | {target} | {:?} | {}",
                    flags.join(" "),
                    subject.version.unwrap_or(1),
                    subject.revision.map(|revision| format!(".{revision}")).unwrap_or_default(),
                    subject.part,
                    subject.tree.unwrap_or_default(),
                    subject.title
                )
            })
            .collect();
        insta::assert_snapshot!(shown.join("\n"), @r#"
        patch | v1 None |  | "" | ext4: fix
        patch autosel | v1 None | 7.0 down to 6.1 | "" | ext4: unmap invalidated folios from page tables in f()
        patch autosel | v1 None | 6.18 | "" | wifi: brcmfmac: validate
        patch autosel | v1 Some((3, 9)) | 6.1 | "" | x: y
        patch | v1 Some((12, 45)) | 6.6 | "" | x: y
        patch | v2 None | 5.15 | "" | x: y
        patch | v1 None | 5.4, 5.10 | "" | x: y
        patch | v1 Some((2, 3)) | 6.1, 6.6 | "" | x: y
        patch | v7 Some((1, 1)) |  | "" | PCI/IOV: Make f() reentrant
        reply patch rfc | v1 Some((0, 1)) |  | "" | block: fix
        patch rfc | v3 None |  | "net-next" | x: y
        patch rfc resend | v2 Some((0, 3)) |  | "bpf-next" | x: y
         | v1 None |  | "" | [syzbot] [cifs?] memory leak in f
        patch | v1 None | 6.1 | "stable" | x
        patch | v1 None | 6.1 | "stable" | x
        patch | v1 Some((1, 2)) | 6.1 | "for-6.1" | x
        patch | v2 Some((1, 2)) | 6.1 | "" | x
        patch autosel | v1 Some((1, 2)) | 4.19 | "" | x
        patch | v1 None | 6.1 | "" | x
        patch | v1 Some((1, 2)) | 6.1 | "stable" | x
        patch | v1 None | 6.1 | "" | x
        patch | v1 Some((1, 12)) | 6.1 | "" | x
        patch | v2 Some((1, 2)) |  | "net" | x
        patch | v3 Some((2, 4)) |  | "" | x
        patch | v1 Some((1, 2)) |  | "" | x
        reply patch | v1 Some((1, 2)) |  | "" | x
        patch | v2.1 Some((3, 5)) |  | "" | x
        patch | v1 None | 6.1 | "" | x
        patch | v2 Some((3, 5)) |  | "" | x
        patch | v2 Some((1, 3)) |  | "" | x
        patch | v1 None | 6.6 down to 6.1 | "" | x
        patch | v1 None | 6.1 | "" | x
        patch | v1 Some((3, 4)) | 5.10 | "5.10.y-cip" | x
        patch | v1 Some((1, 2)) | 5.10 | "OLK-5.10" | x
        patch | v1 Some((1, 1)) | 5.15 | "SRU" | x
        patch | v2 Some((1, 1)) | 6.8, 5.15 | "SRU" | x
        patch | v1 Some((3, 12)) |  | "" | x
        patch | v1 None |  | "6.1-rc5" | x
        patch | v1 None | 6.1 | "" | x: y
        patch | v1 None | 6.1 | "" | x: y
        reply patch | v1 None |  | "" | [x86] y
         | v1 None |  | "" |
        "#);
    }

    #[test]
    fn a_release_of_a_distribution_is_no_line() {
        for subject in ["[PATCH openEuler-22.03 v2] x", "[PATCH 24.04] x", "[PATCH ubuntu-22.10] x"] {
            assert_eq!(parse(subject).target, None, "{subject}");
        }
    }

    #[test]
    fn a_range_covers_the_lines_between() {
        let target = parse("[PATCH AUTOSEL 7.0-6.1] x").target.unwrap();
        let line = |major, minor| Line { major, minor };
        let covered = [line(7, 0), line(6, 12), line(6, 1)].iter().all(|line| target.covers(*line));
        assert!(covered);
        assert!(![line(7, 1), line(5, 15), line(6, 0)].iter().any(|line| target.covers(*line)));
    }
}
