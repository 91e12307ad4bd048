//! git's ids of files, which the `index` line of a section names: they prove that a result is the very file that the author
//! had, or that it is another one.

use sha1::{Digest, Sha1};

use super::damage::{Damage, DamageKind, Fix};
use super::diff::FileDiff;

/// git's id of a file with this content, 40 hexadecimal digits (gitformat-loose: `blob`, the length, a zero byte, the
/// content).
fn id(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the ids of a section say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing: there are none, or the file before is another one.
    Absent,
    /// The result is the author's file.
    Same,
    /// The file before is the author's, the result is not.
    Other(Damage),
}

/// Holds the file before and after a section against the section's ids.
pub fn proof(file: &FileDiff, old: &[u8], new: &[u8]) -> Proof {
    let zero = |id: &str| id.bytes().all(|digit| digit == b'0');
    let (Some(before), Some(after)) = (&file.old_blob, &file.new_blob) else { return Proof::Absent };
    let same_base = if zero(before) { old.is_empty() } else { id(old).starts_with(before.as_str()) };
    if !same_base || zero(after) {
        return Proof::Absent;
    }
    let found = id(new);
    if found.starts_with(after.as_str()) {
        return Proof::Same;
    }
    Proof::Other(Damage {
        kind: DamageKind::OtherResult,
        lines: vec![file.line],
        proof: format!(
            "git's id of the result is {}, and the patch names {after}",
            &found[..after.len().min(40)]
        ),
        fix: Fix::None("something of it was changed after it was made; compare with the raw mail".into()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_those_of_git() {
        assert_eq!(id(b""), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
        assert_eq!(id(b"hello\n"), "ce013625030ba8dba906f756967f9e9ca394464a");
    }

    #[test]
    fn ids_prove_a_result_or_its_opposite() {
        let ids = |old: &str, new: &str| FileDiff {
            old_blob: Some(old.into()),
            new_blob: Some(new.into()),
            ..FileDiff::default()
        };
        assert_eq!(proof(&ids("e69de29", "ce01362"), b"", b"hello\n"), Proof::Same);
        assert_eq!(proof(&ids("0000000", "ce01362"), b"", b"hello\n"), Proof::Same);
        assert!(matches!(proof(&ids("e69de29", "ce01362"), b"", b"hello \n"), Proof::Other(_)));
        assert_eq!(proof(&ids("1111111", "ce01362"), b"x", b"hello \n"), Proof::Absent);
        assert_eq!(proof(&FileDiff::default(), b"", b""), Proof::Absent);
    }
}
