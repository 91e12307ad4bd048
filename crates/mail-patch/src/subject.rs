//! What the subject of a patch mail says: `[PATCH AUTOSEL 7.0-6.1]`, `[PATCH v7 1/1]`, `[PATCH 6.6 12/45]`.

use serde::Serialize;

use kernel_version::Line;

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
    /// Number within its series and the length of that; number 0 is the cover letter.
    pub part: Option<(u32, u32)>,
    /// Which kernels it is meant for.
    pub target: Option<Target>,
    /// The development tree it is meant for, for example `net-next`.
    pub tree: Option<String>,
}

/// Takes a subject apart. Brackets that say nothing about a patch stay in the title.
pub fn parse(subject: &str) -> Subject {
    let mut parsed = Subject::default();
    let mut rest = subject.trim();
    while let Some(answer) =
        ["re:", "fwd:", "aw:", "fw:"].iter().find_map(|mark| strip_ignoring_case(rest, mark))
    {
        parsed.reply = true;
        rest = answer.trim_start();
    }
    while let Some((inside, after)) = rest.strip_prefix('[').and_then(|open| open.split_once(']')) {
        let words: Vec<&str> = inside.split([' ', ',', ';']).filter(|word| !word.is_empty()).collect();
        let upper: Vec<String> = words.iter().map(|word| word.to_ascii_uppercase()).collect();
        let about_patch =
            upper.iter().any(|word| word.starts_with("PATCH") || word == "RFC" || word == "RESEND");
        if !about_patch {
            break;
        }
        words.iter().zip(&upper).for_each(|(word, upper)| parsed.take(word, upper));
        rest = after.trim_start();
    }
    parsed.title = rest.to_owned();
    parsed
}

fn strip_ignoring_case<'t>(text: &'t str, mark: &str) -> Option<&'t str> {
    let start = text.get(..mark.len())?;
    start.eq_ignore_ascii_case(mark).then(|| &text[mark.len()..])
}

impl Subject {
    fn take(&mut self, word: &str, upper: &str) {
        if let Some(version) = upper.strip_prefix("PATCH") {
            self.patch = true;
            self.version = version.strip_prefix('V').and_then(number).or(self.version);
        } else if let Some(version) = upper.strip_prefix('V').and_then(number) {
            self.version = Some(version);
        } else if let Some(part) = part(word) {
            self.part = Some(part);
        } else if let Some(target) = target(word) {
            self.target = Some(match (self.target.take(), target) {
                (Some(Target::Lines(mut known)), Target::Lines(more)) => {
                    known.extend(more);
                    Target::Lines(known)
                }
                (_, target) => target,
            });
        } else {
            match upper {
                "RFC" => self.rfc = true,
                "RESEND" | "REPOST" => self.resend = true,
                "AUTOSEL" => self.autosel = true,
                _ => self.tree = Some(word.to_owned()),
            }
        }
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

/// `7.0-6.1`, `6.6`, `6.6.y`, `v6.6`, `linux-6.6.y`, `5.4/5.10`.
fn target(word: &str) -> Option<Target> {
    if let Some((newest, oldest)) = word.split_once('-')
        && let (Some(newest), Some(oldest)) = (line(newest), line(oldest))
    {
        let newer = |line: LineName| (line.0.major, line.0.minor);
        let (newest, oldest) =
            if newer(newest) < newer(oldest) { (oldest, newest) } else { (newest, oldest) };
        return Some(Target::Range { newest, oldest });
    }
    word.split('/').map(line).collect::<Option<Vec<_>>>().map(Target::Lines)
}

fn line(word: &str) -> Option<LineName> {
    let word = word.strip_prefix("linux-").unwrap_or(word);
    let word = word.strip_prefix(['v', 'V']).unwrap_or(word);
    let word =
        word.strip_suffix(".y").or(word.strip_suffix("-stable")).or(word.strip_suffix("+")).unwrap_or(word);
    let (major, minor) = word.split_once('.')?;
    Some(LineName(Line { major: number(major)?, minor: number(minor)? }))
}

/// Reads the name of a line such as `5.15` or `6.6.y`; what a `Cc: stable` note holds.
pub(super) fn line_in(text: &str) -> Option<LineName> {
    text.split([' ', ',', ':', '(', ')']).find_map(line)
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
                    "{} | v{:?} {:?} | {target} | {:?} | {}",
                    flags.join(" "),
                    subject.version.unwrap_or(1),
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
        reply patch | v1 None |  | "" | [x86] y
         | v1 None |  | "" | 
        "#);
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
