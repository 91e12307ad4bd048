//! What a test says of the fix of its bug.

use serde::{Deserialize, Serialize};

/// A fix, by any of its names. One that has several commits is contained where all of them are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// Ids of the commits in mainline, whole or shortened to at least eight digits.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<String>,
    /// Titles of these commits, in no particular order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub titles: Vec<String>,
    /// Numbers of the vulnerability, `CVE-2026-46331`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cves: Vec<String>,
}

impl Fix {
    /// A fix that is known by commits of mainline.
    pub fn of_commits<S: Into<String>>(commits: impl IntoIterator<Item = S>) -> Fix {
        Fix { commits: commits.into_iter().map(Into::into).collect(), ..Fix::default() }
    }

    /// A fix that is known by the title of its one commit.
    pub fn titled(title: impl Into<String>) -> Fix {
        Fix { titles: vec![title.into()], ..Fix::default() }
    }

    /// A fix that is known by the vulnerability's number.
    pub fn of_cve(cve: impl Into<String>) -> Fix {
        Fix { cves: vec![cve.into()], ..Fix::default() }
    }
}
