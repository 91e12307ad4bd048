//! What tells one sort of file from another in messages.

/// A sort of YAML file that users write.
#[derive(Debug)]
pub(crate) struct FileKind {
    /// What such a file is called: "suite".
    pub noun: &'static str,
    /// One of them, for advice: `suites/block.yaml`.
    pub path: &'static str,
    /// How one starts, a sentence without a full stop.
    pub start: &'static str,
    /// Advice on a file with too many nodes.
    pub too_many: &'static str,
    /// How the value of a key that must be there may look.
    pub example: fn(&str) -> Option<&'static str>,
}

/// A sort of file for this room's own tests.
#[cfg(test)]
pub(crate) static PLAIN: FileKind =
    FileKind { noun: "file", path: "x.yaml", start: "it starts", too_many: "write less", example: |_| None };
