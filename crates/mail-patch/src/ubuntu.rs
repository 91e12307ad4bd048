//! Ubuntu's series, by which its kernel team's mails name lines.

use kernel_version::Line;

use super::subject::{LineName, Target};

/// Ubuntu's series that still have a kernel, by their names and initials, with the line of the kernel that each was
/// released with.
const UBUNTU: [(&str, u32, u32); 12] = [
    ("xenial", 4, 4),
    ("bionic", 4, 15),
    ("focal", 5, 4),
    ("jammy", 5, 15),
    ("kinetic", 5, 19),
    ("lunar", 6, 2),
    ("mantic", 6, 5),
    ("noble", 6, 8),
    ("oracular", 6, 11),
    ("plucky", 6, 14),
    ("questing", 6, 17),
    ("trusty", 3, 13),
];

/// The lines of series that are named by `jammy`, `J` or `N/J`.
pub fn ubuntu(word: &str) -> Option<Target> {
    let line = |part: &str| {
        let found = UBUNTU.iter().find(|(name, ..)| {
            part.eq_ignore_ascii_case(name)
                || (part.len() == 1 && name.get(..1) == Some(&part.to_ascii_lowercase()))
        });
        found.map(|(_, major, minor)| LineName(Line { major: *major, minor: *minor }))
    };
    word.split('/').map(line).collect::<Option<Vec<_>>>().map(Target::Lines)
}
