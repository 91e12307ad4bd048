//! What a patch's description says besides prose: trailers, the upstream commit, a request to syzbot.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;

use super::subject::{self, LineName};
use super::text::{Line, squeezed};

static TRAILER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)^\s*(fixes|link|closes|bugzilla|message-id|depends-on|base-commit|[a-z]+(?:-[a-z]+)*-by|cc):\s*(\S.*)$")
        .expect("valid")
});
/// Where trailers were run together on one line, these words begin the next one.
static RUN_TOGETHER: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r" ((?:Fixes|Link|Closes|Cc|Message-ID|[A-Z][a-z]+(?:-[a-z]+)*-by): \S)").expect("valid")
});
static UPSTREAM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\[\s*upstream commit ([0-9a-f]{8,40})\s*\]|\bcommit ([0-9a-f]{8,40}) upstream\b|\(cherry[ -]picked from commit ([0-9a-f]{8,40})\)")
        .expect("valid")
});
static FIXES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"^(?:commit )?([0-9a-f]{7,40})\s*(?:\(?\s*"(.*?)"?\s*\)?)?$"#).expect("valid")
});
static SYZBOT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"syzbot\+([0-9a-f]{8,40})@|[?&]extid=([0-9a-f]{8,40})").expect("valid"));
static SYZ_TEST: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^#syz test:?\s*(?:(\S+)\s+(\S+))?\s*$").expect("valid"));

/// A trailer's value is shorter, bytes; more is prose that was run together with it.
const LONGEST: usize = 400;

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

/// A commit that the patch repairs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fixes {
    /// Its id, often shortened.
    pub commit: String,
    /// Its title.
    pub title: Option<String>,
}

/// That the author wants it in the stable trees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Stable {
    /// The oldest line that needs it: `Cc: stable@… # 5.15+`.
    pub since: Option<LineName>,
    /// What else stands behind the `#`.
    pub note: Option<String>,
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
    /// The commits that it repairs.
    pub fixes: Vec<Fixes>,
    /// Whether and since when stable wants it.
    pub stable: Option<Stable>,
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
pub fn parse(description: &[Line]) -> Tags {
    let mut tags = Tags::default();
    let end = description.iter().position(|line| line.text.trim_end() == "---").unwrap_or(description.len());
    for (at, line) in description.iter().enumerate() {
        if tags.syz_test.is_none() && line.text.starts_with("#syz test") {
            tags.syz_test = syz_test(&line.text, description.get(at + 1));
        }
        if at >= end {
            continue;
        }
        if let Some(found) = UPSTREAM.captures(&line.text) {
            let id = found.iter().skip(1).flatten().next().map(|id| id.as_str().to_lowercase());
            tags.upstream = tags.upstream.or(id);
        }
        if line.text.len() > 400 {
            let parted = RUN_TOGETHER.replace_all(&line.text, "\n$1");
            let parted = parted.split(" --- ").next().unwrap_or_default();
            parted.split('\n').for_each(|text| tags.take(text, line.number));
        } else {
            tags.take(&line.text, line.number);
        }
    }
    tags
}

fn syz_test(text: &str, next: Option<&Line>) -> Option<SyzTest> {
    // a mail client breaks the line behind the colon
    let joined = format!("{} {}", text.trim_end(), next.map_or("", |line| line.text.trim()));
    let found = SYZ_TEST.captures(text.trim_end()).filter(|found| found.get(1).is_some());
    let found = found.or_else(|| SYZ_TEST.captures(&joined))?;
    Some(SyzTest { repository: found.get(1)?.as_str().to_owned(), branch: found.get(2)?.as_str().to_owned() })
}

impl Tags {
    fn take(&mut self, text: &str, line: usize) {
        let Some(found) = TRAILER.captures(text) else { return };
        let (name, value) = (found[1].to_owned(), squeezed(&found[2]));
        if value.len() > LONGEST {
            return;
        }
        match name.to_ascii_lowercase().as_str() {
            "fixes" => {
                if let Some(found) = FIXES.captures(&value) {
                    let title = found.get(2).map(|title| title.as_str().to_owned());
                    self.fixes.push(Fixes { commit: found[1].to_owned(), title });
                }
            }
            "cc" if value.contains("stable@") => {
                let note = value.split_once('#').map(|(_, note)| note.trim().to_owned());
                let since = note.as_deref().and_then(subject::line_in);
                self.stable = Some(Stable { since, note });
            }
            "reported-by" | "closes" | "link" => {
                for found in SYZBOT.captures_iter(&value) {
                    let id = found.iter().skip(1).flatten().next().map(|id| id.as_str().to_owned());
                    self.syzbot.extend(id.filter(|id| !self.syzbot.contains(id)));
                }
            }
            _ => {}
        }
        self.trailers.push(Trailer { name, value, line });
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
        assert_eq!(tags.stable, Some(Stable { since: None, note: None }));
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
    fn a_request_to_syzbot_on_one_line() {
        let tags = parse(&lines("#syz test: https://x/y.git 0123", 1));
        assert_eq!(
            tags.syz_test,
            Some(SyzTest { repository: "https://x/y.git".into(), branch: "0123".into() })
        );
    }
}
