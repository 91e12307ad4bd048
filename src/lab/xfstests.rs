//! The environment that xfstests reads.

use crate::suite::XFSTESTS_FOLDER;

/// The variables of a test on a file system of this type.
pub(super) fn environment(fstyp: &str) -> [(String, String); 2] {
    [("FSTYP", fstyp), ("KREGRESS_XFSTESTS", XFSTESTS_FOLDER)]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
}
