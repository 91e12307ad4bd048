//! The environment of programs of a collection that is installed into the userland.

use crate::suite::Program;

/// Where the collection lies, and what its tests run on.
pub(super) fn environment(program: &Program) -> Vec<(String, String)> {
    let place = program.launch().installs.map(|installed| ("KREGRESS_COLLECTION", installed.place));
    let fstyp = match program {
        Program::Xfstests { fstyp, .. } => Some(("FSTYP", fstyp.as_str())),
        _ => None,
    };
    let variables = place.into_iter().chain(fstyp);
    variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
