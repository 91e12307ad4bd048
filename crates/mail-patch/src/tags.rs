//! What a patch's description says besides prose: trailers, the upstream commit, a request to syzbot.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

pub use super::fixes::Fixes;
pub use super::origin::Reverted;
pub use super::stable::Stable;
use super::text::{Line, lines, squeezed};
use super::{fixes, origin};

static TRAILER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(fixes|link|closes|bugzilla|message-id|depends-on|base-commit|[a-z]+(?:-[a-z]+)*-by|cc)[ \t]{0,2}:\s*(\S.*)$")
        .expect("valid")
});
/// Where trailers were run together on one line, these words begin the next one.
static RUN_TOGETHER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r" ((?:Fixes|Link|Closes|Cc|Message-ID|[A-Z][a-z]+(?:-[a-z]+)*-by): \S)").expect("valid")
});
/// The address of the stable team in a `Cc:`, and a note in one of three forms.
static STABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?i)\bstable(\+[\w-]+)?@(?:vger\.)?kernel\.org>?[,;]?\s*(?:#\s*(.*)|\[(.*?)\]|\((.*?)\)|[/:-]?\s*(v?\d+\.\d[^@<]*)$)?",
    )
    .expect("valid")
});
/// The note as the name before the address, or of the team without its address.
static STABLE_NAMED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?i)^\W*(?:stable(?:\s+(?:kernel|team))*\s*(?:#\s*(.*))?$|(?:stable\W+)?(v?\d+\.\d[\w.+, -]*?)\W*<stable@)"#)
        .expect("valid")
});
static SYZBOT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"syzbot\+([0-9a-f]{8,40})@|[?&]extid=([0-9a-f]{8,40})").expect("valid"));
static SYZ_TEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^#syz test:?\s*(?:(\S+)\s+(\S+))?\s*$").expect("valid"));

/// A trailer's value is shorter, bytes; more is prose that was run together with it.
pub(super) const LONGEST: usize = 400;

/// One trailer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Trailer {
    /// Its name as written, for example `Signed-off-by`.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Line of the input.
    pub line: usize,
}

/// A request to syzbot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SyzTest {
    /// The repository.
    pub repository: String,
    /// The branch or commit.
    pub branch: String,
}

/// What the description says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tags {
    /// The commit in mainline that this is a backport of.
    pub upstream: Option<String>,
    /// The commit in a stable tree that it was taken from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_stable: Option<String>,
    /// The commits that it takes back; none of them, and not their originals in mainline, is `upstream`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reverts: Vec<Reverted>,
    /// The commits that it repairs.
    pub fixes: Vec<Fixes>,
    /// Whether and for which lines stable wants it.
    pub stable: Option<Stable>,
    /// The author's reason why stable must not pick it without being asked: `Cc: <stable+noautosel@kernel.org> # reason`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_autosel: Option<String>,
    /// syzbot's ids of the bug, from any of the tags.
    pub syzbot: Vec<String>,
    /// A request to syzbot.
    pub syz_test: Option<SyzTest>,
    /// All trailers in order.
    pub trailers: Vec<Trailer>,
}

impl Tags {
    /// The values of the trailers of this name.
    pub fn values<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t str> {
        let named = move |trailer: &&Trailer| trailer.name.eq_ignore_ascii_case(name);
        self.trailers.iter().filter(named).map(|trailer| trailer.value.as_str())
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        *self == Tags::default()
    }
}

/// Reads a description. It ends at a line `---`, as `git am` ends it, where one is there.
pub fn of_message(message: &str) -> Tags {
    parse(&lines(message, 1))
}

/// Reads a description's lines.
pub fn parse(description: &[Line]) -> Tags {
    let mut tags = Tags::default();
    let end = description.iter().position(|line| line.text.trim_end() == "---").unwrap_or(description.len());
    let syz_test = description.iter().position(|line| line.text.starts_with("#syz test"));
    tags.syz_test = syz_test.and_then(|at| self::syz_test(&description[at].text, description.get(at + 1)));
    let lines = parted(&description[..end]);
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let next: Vec<&str> = lines[at + 1..].iter().take(4).map(|line| line.text.as_str()).collect();
        at += 1 + tags.take(&line.text, line.number, &next);
    }
    let origin = origin::read(&lines);
    (tags.upstream, tags.from_stable, tags.reverts) = (origin.upstream, origin.from_stable, origin.reverts);
    tags
}

/// The lines; those in which trailers were run together are parted.
fn parted(lines: &[Line]) -> Vec<Line> {
    const LONG: usize = 400;
    let mut out = Vec::new();
    for line in lines {
        if line.text.len() <= LONG {
            out.push(line.clone());
            continue;
        }
        let parted = RUN_TOGETHER.replace_all(&line.text, "\n$1");
        let parted = parted.split(" --- ").next().unwrap_or_default();
        out.extend(parted.split('\n').map(|text| Line::new(line.number, text)));
    }
    out
}

fn syz_test(text: &str, next: Option<&Line>) -> Option<SyzTest> {
    // a mail client breaks the line behind the colon
    let joined = format!("{} {}", text.trim_end(), next.map_or("", |line| line.text.trim()));
    let found = SYZ_TEST.captures(text.trim_end()).filter(|found| found.get(1).is_some());
    let found = found.or_else(|| SYZ_TEST.captures(&joined))?;
    Some(SyzTest { repository: found.get(1)?.as_str().to_owned(), branch: found.get(2)?.as_str().to_owned() })
}

impl Tags {
    /// Reads a line; answers how many of the next ones belong to it.
    fn take(&mut self, text: &str, line: usize, next: &[&str]) -> usize {
        if let Some(value) = fixes::without_colon(text) {
            let (found, taken) = fixes::read(value, next);
            self.fixes.extend(found);
            return taken;
        }
        let Some(found) = TRAILER.captures(text) else { return 0 };
        let (name, value) = (found[1].to_owned(), squeezed(&found[2]));
        if value.len() > LONGEST {
            return 0;
        }
        let mut goes_on = 0;
        match name.to_ascii_lowercase().as_str() {
            "fixes" => {
                let (found, taken) = fixes::read(&value, next);
                self.fixes.extend(found);
                goes_on = taken;
            }
            "cc" => {
                if let Some(found) = STABLE_NAMED.captures(&value) {
                    let note = found.get(1).or(found.get(2)).map(|note| note.as_str().trim());
                    self.stable.get_or_insert_default().take(note);
                }
                for found in STABLE.captures_iter(&value) {
                    let note = found.iter().skip(2).flatten().next().map(|note| note.as_str().trim());
                    match found.get(1) {
                        Some(_) => self.no_autosel = Some(note.unwrap_or_default().to_owned()),
                        None => self.stable.get_or_insert_default().take(note),
                    }
                }
            }
            "reported-by" | "closes" | "link" => {
                for found in SYZBOT.captures_iter(&value) {
                    let id = found.iter().skip(1).flatten().next().map(|id| id.as_str().to_owned());
                    self.syzbot.extend(id.filter(|id| !self.syzbot.contains(id)));
                }
            }
            _ => {}
        }
        let value: Vec<&str> =
            std::iter::once(value.as_str()).chain(next[..goes_on].iter().copied()).collect();
        self.trailers.push(Trailer { name, value: squeezed(&value.join(" ")), line });
        goes_on
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::lines;

    #[test]
    fn tags_are_read() {
        let text = "\
[ Upstream commit 9B25f381de6b8942645f43735cb0a4fb0ab3a6d1 ]

A Note: this is prose.
Fixes: 559dc11143eb (\"block: move elv_register[unregister]_queue out of elevator_lock\")
fixes: commit 0123456789ab
Reported-by: syzbot+b0a0670332b6b3230a0a@syzkaller.appspotmail.com
Closes: https://syzkaller.appspot.com/bug?extid=b0a0670332b6b3230a0a
Cc: stable@vger.kernel.org # 5.15+: needs the previous one
Cc: someone@else.org
Link: https://patch.msgid.link/x@y
Signed-off-by: A <a@b.c>
---
Reported-by: nobody, this is below the line
#syz test:
git://x/linux.git master
";
        insta::assert_snapshot!(serde_json::to_string(&parse(&lines(text, 10))).unwrap(), @r#"{"upstream":"9b25f381de6b8942645f43735cb0a4fb0ab3a6d1","fixes":[{"commit":"559dc11143eb","title":"block: move elv_register[unregister]_queue out of elevator_lock"},{"commit":"0123456789ab","title":null}],"stable":{"since":"5.15","note":"5.15+: needs the previous one"},"syzbot":["b0a0670332b6b3230a0a"],"syz_test":{"repository":"git://x/linux.git","branch":"master"},"trailers":[{"name":"Fixes","value":"559dc11143eb (\"block: move elv_register[unregister]_queue out of elevator_lock\")","line":13},{"name":"fixes","value":"commit 0123456789ab","line":14},{"name":"Reported-by","value":"syzbot+b0a0670332b6b3230a0a@syzkaller.appspotmail.com","line":15},{"name":"Closes","value":"https://syzkaller.appspot.com/bug?extid=b0a0670332b6b3230a0a","line":16},{"name":"Cc","value":"stable@vger.kernel.org # 5.15+: needs the previous one","line":17},{"name":"Cc","value":"someone@else.org","line":18},{"name":"Link","value":"https://patch.msgid.link/x@y","line":19},{"name":"Signed-off-by","value":"A <a@b.c>","line":20}]}"#);
    }

    #[test]
    fn tags_that_were_run_together_are_parted() {
        let prose = "word ".repeat(100);
        let text = format!(
            "{prose}Fixes: 18f9e9d150fc (\"PCI/IOV: Factor out f()\") Cc: stable@vger.kernel.org Suggested-by: L W <l@w.de> --- a | 5 + Acked-by: no <n@o>"
        );
        let tags = parse(&lines(&text, 1));
        assert_eq!(tags.fixes[0].commit, "18f9e9d150fc");
        assert_eq!(tags.fixes[0].title.as_deref(), Some("PCI/IOV: Factor out f()"));
        assert_eq!(tags.stable, Some(Stable::default()));
        assert_eq!(tags.values("Suggested-by").collect::<Vec<_>>(), ["L W <l@w.de>"]);
        assert_eq!(tags.values("Acked-by").count(), 0);
    }

    #[test]
    fn other_words_for_upstream() {
        for text in ["commit 0123456789abcdef upstream.", "(cherry picked from commit 0123456789abcdef)"] {
            assert_eq!(parse(&lines(text, 1)).upstream.as_deref(), Some("0123456789abcdef"));
        }
    }

    #[test]
    fn a_comma_behind_the_address_hides_no_note() {
        for line in ["Cc: stable@vger.kernel.org, # v5.15+", "Cc: <stable@vger.kernel.org>; # v5.15+"] {
            let tags = parse(&lines(&format!("why\n\n{line}\n"), 1));
            assert_eq!(tags.stable.and_then(|stable| stable.note).as_deref(), Some("v5.15+"), "{line}");
        }
    }

    #[test]
    fn stable_is_asked_for_in_many_forms() {
        let shown = |line: &str| {
            let tags = parse(&lines(&format!("why\n\n{line}\n"), 1));
            let stable = tags.stable.map_or("-".to_owned(), |stable| stable.to_string());
            let fixes: Vec<String> = tags.fixes.into_iter().map(|fixes| fixes.commit).collect();
            format!("{line} => {stable} {}", fixes.join(" "))
        };
        let forms = [
            "Cc: stable",
            "Cc: stable # 5.15+",
            "Cc: stable kernel team # 5.15+",
            "Cc: \"5.15+\" <stable@vger.kernel.org>",
            "Cc: 5.15+ <stable@vger.kernel.org>",
            "Cc: stable v5.15+ <stable@vger.kernel.org>",
            "Cc: <stable@vger.kernel.org> v5.15+",
            "Cc: stable@vger.kernel.org: 5.15+",
            "Cc: stable@vger.kernel.org / 5.15+",
            "Cc: stable@vger.kernel.org, v5.15+",
            "Cc : stable@vger.kernel.org # 5.15+",
            "Cc: A <a@b.c>, 6.1 people <b@b.c>",
            "Fixes : 0123456789ab (\"a: b\")",
            "Fixes: https://git.example.org/linux/commit/?id=0123456789ab",
        ];
        insta::assert_snapshot!(forms.map(shown).join("\n"), @r#"
        Cc: stable => no line 
        Cc: stable # 5.15+ => 5.15 and later 
        Cc: stable kernel team # 5.15+ => 5.15 and later 
        Cc: "5.15+" <stable@vger.kernel.org> => 5.15 and later 
        Cc: 5.15+ <stable@vger.kernel.org> => 5.15 and later 
        Cc: stable v5.15+ <stable@vger.kernel.org> => 5.15 and later 
        Cc: <stable@vger.kernel.org> v5.15+ => 5.15 and later 
        Cc: stable@vger.kernel.org: 5.15+ => 5.15 and later 
        Cc: stable@vger.kernel.org / 5.15+ => 5.15 and later 
        Cc: stable@vger.kernel.org, v5.15+ => 5.15 and later 
        Cc : stable@vger.kernel.org # 5.15+ => 5.15 and later 
        Cc: A <a@b.c>, 6.1 people <b@b.c> => - 
        Fixes : 0123456789ab ("a: b") => - 0123456789ab
        Fixes: https://git.example.org/linux/commit/?id=0123456789ab => - 0123456789ab
        "#);
    }

    #[test]
    fn a_request_to_syzbot_on_one_line() {
        let tags = parse(&lines("#syz test: https://x/y.git 0123", 1));
        assert_eq!(
            tags.syz_test,
            Some(SyzTest { repository: "https://x/y.git".into(), branch: "0123".into() })
        );
    }
}
