//! The root file system that a program runs in: packages or an image, and what is added to it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use userland_image::{file_place_problem, is_package_name, is_user_name};

use super::{Context, program};
use crate::suite::model::KernelFiles;
use crate::suite::shape::{TestShape, UserlandShape};
use crate::suite::userland::{Userland, UserlandSource};
use crate::yaml::Rejection;
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::word;

/// The test's own userland, else that of the defaults: as a whole, since files fit the packages that they go with.
pub(super) fn userland(
    fields: &mut Fields<'_>,
    context: &Context<'_>,
    shape: &TestShape,
) -> Option<Userland> {
    let (at, shape) = match (&shape.userland, &context.defaults.userland) {
        (None, Some(default)) => (context.defaults_path.key("userland"), default),
        (Some(own), _) => (context.test.key("userland"), own),
        (None, None) => return None,
    };
    let UserlandShape { packages, image, files, users } = shape;
    let mut given = Vec::new();
    given.extend(packages.as_ref().map(|_| "packages"));
    given.extend(image.as_ref().map(|_| "image"));
    let packages = fields.list(&at.key("packages"), packages.as_ref(), package);
    let image = image.as_ref().and_then(|text| {
        program::path(fields, context.dir, &at.key("image"), Some(text), program::Wanted::FileOrFolder)
    });
    let files = added(fields, context.dir, &at.key("files"), files.as_ref());
    let users = fields.list(&at.key("users"), users.as_ref(), user);
    repeated(fields, &at.key("users"), &users);
    let source = match fields.exactly_one(&at, &given, &["packages", "image"])? {
        "packages" if packages.is_empty() => {
            if !fields.is_refused(&at.key("packages")) {
                let help = "name one, such as `packages: [bash]`".to_owned();
                let span = fields.key_span(&at.key("packages"));
                let headline = "a userland needs at least one package".to_owned();
                fields.report(ProblemKind::MissingKey, span, headline, "none here".into(), help);
            }
            return None;
        }
        "packages" => UserlandSource::Packages(packages),
        _ => UserlandSource::Image(image?),
    };
    Some(Userland { source, files, users })
}

fn package(text: &str) -> Result<String, Rejection> {
    let expected = "a Debian package, such as `fio`, `fio=3.33-3` or `libc6:i386`";
    match is_package_name(text) {
        true => Ok(text.to_owned()),
        false => Err(Rejection::of(text, expected)),
    }
}

fn user(text: &str) -> Result<String, Rejection> {
    let expected = "the name of a user besides root: at most 32 lower-case letters, digits, `-` and `_`";
    match is_user_name(text) {
        true => Ok(text.to_owned()),
        false => Err(Rejection::of(text, expected)),
    }
}

fn repeated(fields: &mut Fields<'_>, at: &KeyPath, users: &[String]) {
    for (nth, user) in users.iter().enumerate() {
        if users[..nth].contains(user) {
            let headline = format!("two users are named `{user}`");
            let span = fields.span(at);
            fields.report(
                ProblemKind::Duplicate,
                span,
                headline,
                "again here".into(),
                "remove one".to_owned(),
            );
        }
    }
}

/// Files of the host by their places in the guest.
fn added(
    fields: &mut Fields<'_>,
    dir: &Path,
    at: &KeyPath,
    files: Option<&BTreeMap<String, Option<String>>>,
) -> BTreeMap<String, PathBuf> {
    let mut added = BTreeMap::new();
    for (place, text) in files.into_iter().flatten() {
        let at = at.key(place);
        if file_place_problem(place).is_some() {
            let expected = "the absolute path of a file or folder in the guest, such as `/opt/tests`";
            fields.reject_key(&at, Rejection::of(place, expected));
            continue;
        }
        let path = program::path(fields, dir, &at, text.as_ref(), program::Wanted::FileOrFolder);
        added.extend(path.map(|path| (place.clone(), path)));
    }
    added
}

/// The disk of the userland has a name of its own.
pub(super) fn disk_name(fields: &mut Fields<'_>, disks: &[crate::suite::DiskNeed], at: &KeyPath) {
    let name = crate::suite::USERLAND_DISK;
    if let Some(nth) = disks.iter().position(|disk| disk.name == name) {
        let span = fields.span(&at.index(nth).key("name"));
        let headline = format!("a disk is named `{name}`, as is the one that holds the test's userland");
        fields.report(
            ProblemKind::Contradiction,
            span,
            headline,
            "not this name".into(),
            "rename the disk".to_owned(),
        );
    }
}

/// What a test says, else the defaults; else everything where the program is one that expects a whole system.
pub(super) fn kernel_files(
    fields: &mut Fields<'_>,
    context: &Context<'_>,
    shape: &TestShape,
    has_userland: bool,
) -> Vec<KernelFiles> {
    const WORDS: [(&str, KernelFiles); 2] =
        [("config", KernelFiles::Config), ("modules", KernelFiles::Modules)];
    let (at, list) = match (&shape.kernel_files, &context.defaults.kernel_files) {
        (None, Some(list)) => (&context.defaults_path, Some(list)),
        (own, _) => (&context.test, own.as_ref()),
    };
    match list {
        Some(list) => fields.list(&at.key("kernel-files"), Some(list), |text| word::one_of(text, &WORDS)),
        None if has_userland => WORDS.map(|(_, files)| files).to_vec(),
        None => Vec::new(),
    }
}
