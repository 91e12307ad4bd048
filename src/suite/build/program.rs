//! What runs: the program in the guest, the files beside it, and the steps that prepare it on the host.

use std::path::{Path, PathBuf};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::Context;
use crate::suite::model::PrepareStep;
use crate::suite::program::{Collection, Ends, Program, ProgramFile};
use crate::suite::shape::{List, PrepareShape, TestShape};
use crate::yaml::fields::Fields;
use crate::yaml::keypath::KeyPath;
use crate::yaml::problem::ProblemKind;
use crate::yaml::schema::words;
use crate::yaml::{quantity, word};

#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(in crate::suite) struct ProgramShape {
    shell: Option<String>,
    c: Option<String>,
    binary: Option<String>,
    ktap: Option<String>,
    ltp: Option<String>,
    kselftest: Option<String>,
    xfstests: Option<String>,
    blktests: Option<String>,
    fstyp: Option<String>,
    flags: List<String>,
    args: List<String>,
    tree: Option<String>,
    beside: List<String>,
    runtime: Option<String>,
    #[schemars(extend("enum" = words(&ENDS)))]
    ends: Option<String>,
}

/// The words of `ends`.
const ENDS: [(&str, Ends); 2] = [("by-itself", Ends::ByItself), ("never", Ends::Never)];

/// Most files of a folder that are looked at for the one that was meant.
const MOST_NEIGHBOURS: usize = 1_000;

/// How long a step of `prepare` may take.
const PREPARE: Duration = Duration::from_secs(600);

pub(super) fn program(
    fields: &mut Fields<'_>,
    context: &Context<'_>,
    shape: Option<&ProgramShape>,
) -> Option<Program> {
    let at = context.test.key("program");
    let Some(shape) = shape else {
        fields.missing(&at);
        return None;
    };
    let kinds = [
        ("shell", &shape.shell),
        ("c", &shape.c),
        ("binary", &shape.binary),
        ("ktap", &shape.ktap),
        ("ltp", &shape.ltp),
        ("kselftest", &shape.kselftest),
        ("xfstests", &shape.xfstests),
        ("blktests", &shape.blktests),
    ];
    let given: Vec<&str> = kinds.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| *key).collect();
    let flags = fields.list(&at.key("flags"), shape.flags.as_ref(), word::line);
    let args = fields.list(&at.key("args"), shape.args.as_ref(), word::line);
    let runtime = fields.optional(&at.key("runtime"), shape.runtime.as_ref(), quantity::duration);
    let ends = fields.optional(&at.key("ends"), shape.ends.as_ref(), |text| word::one_of(text, &ENDS));
    let ends = ends.unwrap_or_default();
    let names = kinds.map(|(key, _)| key);
    let kind = fields.exactly_one(&at, &given, &names)?;
    let without_args = ["shell", "xfstests", "blktests"];
    let with_args: Vec<&str> = names.into_iter().filter(|name| !without_args.contains(name)).collect();
    only_with(fields, &at, "flags", shape.flags.is_some(), kind, &["c"]);
    only_with(fields, &at, "tree", shape.tree.is_some(), kind, &["ltp", "kselftest", "xfstests", "blktests"]);
    only_with(fields, &at, "fstyp", shape.fstyp.is_some(), kind, &["xfstests"]);
    only_with(fields, &at, "beside", shape.beside.is_some(), kind, &["ltp", "kselftest"]);
    only_with(fields, &at, "runtime", shape.runtime.is_some(), kind, &["ltp"]);
    only_with(fields, &at, "ends", shape.ends.is_some(), kind, &["shell", "c", "binary"]);
    only_with(fields, &at, "args", shape.args.is_some(), kind, &with_args);
    let (_, text) = kinds.into_iter().find(|(key, _)| *key == kind)?;
    if kind == "shell" {
        let script = fields.required(&at.key(kind), text.as_ref(), word::script)?;
        return Some(Program::Shell { script, ends });
    }
    if kind == "ltp" {
        let file = program_file(fields, context, shape, &at.key(kind), text.as_ref(), Collection::Ltp)?;
        return Some(Program::Ltp { file, args, runtime });
    }
    if kind == "kselftest" {
        let file = program_file(fields, context, shape, &at.key(kind), text.as_ref(), Collection::Kselftest)?;
        return Some(Program::Kselftest { file, args });
    }
    if kind == "xfstests" {
        let fstyp = fields.required(&at.key("fstyp"), shape.fstyp.as_ref(), word::name);
        let (test, tree) = installed(fields, context, shape, &at.key(kind), text.as_ref())?;
        return Some(Program::Xfstests { test, tree, fstyp: fstyp? });
    }
    if kind == "blktests" {
        let (test, tree) = installed(fields, context, shape, &at.key(kind), text.as_ref())?;
        return Some(Program::Blktests { test, tree });
    }
    let path = file(fields, context.dir, &at.key(kind), text.as_ref())?;
    Some(match kind {
        "c" => Program::C { source: path, flags, args, ends },
        "binary" => Program::Binary { path, args, ends },
        "ktap" => Program::Ktap { path, args },
        other => unreachable!("{other} is in the table"),
    })
}

/// A program of a collection: a file, or where `tree` is given what that tree makes.
fn program_file(
    fields: &mut Fields<'_>,
    context: &Context<'_>,
    shape: &ProgramShape,
    at: &KeyPath,
    text: Option<&String>,
    collection: Collection,
) -> Option<ProgramFile> {
    let program = context.test.key("program");
    let beside = fields.list(&program.key("beside"), shape.beside.as_ref(), word::file_name);
    let Some(tree) = &shape.tree else {
        if shape.beside.is_some() {
            let help =
                "add the collection's source folder as `tree`, or name the files under `files`".to_owned();
            let (span, kind) = (fields.key_span(&program.key("beside")), ProblemKind::Contradiction);
            fields.report(kind, span, "`beside` goes with `tree`".into(), "of which tree?".into(), help);
        }
        let path = file(fields, context.dir, at, text)?;
        return Some(ProgramFile { path, tree: None, beside });
    };
    let at_tree = program.key("tree");
    let tree = context.dir.join(fields.required(&at_tree, Some(tree), word::line)?);
    let path = PathBuf::from(fields.required(at, text, word::inner_path)?);
    let folder = tree.join(collection.programs()).join(path.parent().unwrap_or(Path::new("")));
    if folder.is_dir() {
        return Some(ProgramFile { path, tree: Some(tree), beside });
    }
    let (at, headline) = match tree.is_dir() {
        true => (at, format!("{} has no such folder", tree.display())),
        false => (&at_tree, format!("{} names no folder", at_tree.described())),
    };
    let help = format!("looked for {}; `tree` is relative to the suite's folder", folder.display());
    fields.report(ProblemKind::MissingFile, fields.span(at), headline, "no such folder".into(), help);
    None
}

/// A test of a collection that is built as a whole, by its name, which the collection's tree must have.
fn installed(
    fields: &mut Fields<'_>,
    context: &Context<'_>,
    shape: &ProgramShape,
    at: &KeyPath,
    text: Option<&String>,
) -> Option<(String, PathBuf)> {
    let tree = fields.required(&context.test.key("program").key("tree"), shape.tree.as_ref(), word::line);
    let test = fields.required(at, text, word::inner_path)?;
    let tree = context.dir.join(tree?);
    let file = tree.join("tests").join(&test);
    if !file.is_file() {
        let headline = format!("{} names no test", at.described());
        let help = format!(
            "looked for {}; tests are named as for `./check`, such as `generic/001`, and `tree` is relative to the suite's folder",
            file.display()
        );
        fields.report(ProblemKind::MissingFile, fields.span(at), headline, "no such test".into(), help);
        return None;
    }
    Some((test, tree))
}

fn only_with(fields: &mut Fields<'_>, at: &KeyPath, key: &str, given: bool, kind: &str, kinds: &[&str]) {
    if given && !kinds.contains(&kind) {
        let span = fields.key_span(&at.key(key));
        let headline = format!("`{key}` does not go with `{kind}`");
        let help = format!("`{key}` goes with {}; remove it here", kinds.join(", "));
        fields.report(
            ProblemKind::Contradiction,
            span,
            headline,
            format!("has no meaning for `{kind}`"),
            help,
        );
    }
}

pub(super) fn files(fields: &mut Fields<'_>, context: &Context<'_>, shape: &TestShape) -> Vec<PathBuf> {
    let at = context.test.key("files");
    let texts = shape.files.iter().flatten().enumerate();
    texts.filter_map(|(nth, text)| file(fields, context.dir, &at.index(nth), text.as_ref())).collect()
}

/// A file that the suite names; it must be there.
pub(super) fn file(
    fields: &mut Fields<'_>,
    dir: &Path,
    at: &KeyPath,
    text: Option<&String>,
) -> Option<PathBuf> {
    path(fields, dir, at, text, Wanted::File)
}

/// What a path must lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    File,
    FileOrFolder,
}

/// A file, or a folder where that will do, that the suite names; it must be there.
pub(super) fn path(
    fields: &mut Fields<'_>,
    dir: &Path,
    at: &KeyPath,
    text: Option<&String>,
    wanted: Wanted,
) -> Option<PathBuf> {
    let text = fields.required(at, text, word::line)?;
    let path = dir.join(&text);
    let missing = "no such file";
    let found = match std::fs::metadata(&path) {
        Ok(metadata) if metadata.is_file() => return Some(path),
        Ok(metadata) if metadata.is_dir() && wanted == Wanted::FileOrFolder => return Some(path),
        Ok(metadata) if metadata.is_dir() => "this is a folder",
        Ok(_) => "this is not a regular file",
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => missing,
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => "permission denied",
        Err(_) => "cannot be read",
    };
    let help = match neighbour(dir, &text) {
        Some(neighbour) if found == missing => format!("did you mean `{neighbour}`?"),
        _ => format!("looked for {}; paths are relative to the suite's folder", path.display()),
    };
    let or_folder = if wanted == Wanted::FileOrFolder { " or folder" } else { "" };
    let headline = format!("{} names no file{or_folder}", at.described());
    fields.report(ProblemKind::MissingFile, fields.span(at), headline, found.to_owned(), help);
    None
}

/// A file in the same folder with a name like that.
fn neighbour(dir: &Path, text: &str) -> Option<String> {
    let (folder, name) = match text.rsplit_once('/') {
        Some((folder, name)) => (Some(folder), name),
        None => (None, text),
    };
    let entries = std::fs::read_dir(folder.map_or_else(|| dir.to_owned(), |folder| dir.join(folder))).ok()?;
    let mut names: Vec<String> = entries
        .take(MOST_NEIGHBOURS)
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let meant = word::meant(name, names.iter().map(String::as_str))?;
    Some(folder.map_or_else(|| meant.to_owned(), |folder| format!("{folder}/{meant}")))
}

pub(super) fn prepare(
    fields: &mut Fields<'_>,
    dir: &Path,
    at: &KeyPath,
    shapes: &List<PrepareShape>,
) -> Vec<PrepareStep> {
    let mut steps: Vec<PrepareStep> = Vec::new();
    for (nth, shape) in shapes.iter().flatten().enumerate() {
        let at = at.index(nth);
        let Some(shape) = shape else {
            fields.missing(&at);
            continue;
        };
        let shell = fields.required(&at.key("shell"), shape.shell.as_ref(), word::script);
        let output = fields.required(&at.key("output"), shape.output.as_ref(), word::file_name);
        let tools = fields.list(&at.key("tools"), shape.tools.as_ref(), word::file_name);
        let timeout = fields.optional(&at.key("timeout"), shape.timeout.as_ref(), quantity::duration);
        let inputs = shape.inputs.iter().flatten().enumerate();
        let inputs = inputs
            .filter_map(|(nth, text)| file(fields, dir, &at.key("inputs").index(nth), text.as_ref()))
            .collect();
        if let (Some(shell), Some(output)) = (shell, output) {
            let timeout = timeout.unwrap_or(PREPARE);
            steps.push(PrepareStep { shell, output, tools, inputs, timeout });
        }
    }
    steps
}
