//! The answer.

use std::fmt;

use serde::Serialize;

/// What a source shows of a fix in a kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// The kernel has it.
    Contains(Evidence),
    /// It came into a later version, or was taken back.
    Lacks(Evidence),
    /// The source does not tell.
    Unknown,
}

/// What an answer rests on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    /// Where it stands: a package's version (`6.1.176-1`) or a commit of the branch.
    pub place: String,
    /// The words there: the title of a commit.
    pub words: String,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.words)
    }
}

impl Standing {
    /// The answer of a fix that has several parts, of which each is known by itself: contained where all are, lacking where
    /// one is, else unknown.
    pub fn of_parts(parts: impl IntoIterator<Item = Standing>) -> Standing {
        let mut whole = None;
        let mut unknown = false;
        for part in parts {
            match part {
                Standing::Lacks(evidence) => return Standing::Lacks(evidence),
                Standing::Unknown => unknown = true,
                Standing::Contains(evidence) => whole = Some(evidence),
            }
        }
        match whole {
            Some(evidence) if !unknown => Standing::Contains(evidence),
            _ => Standing::Unknown,
        }
    }

    /// This answer, or that of the next source where this one is unknown.
    pub fn or_else(self, next: impl FnOnce() -> Standing) -> Standing {
        match self {
            Standing::Unknown => next(),
            known => known,
        }
    }
}
