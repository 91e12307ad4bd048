//! Patches that cannot be the culprit of anything, by what they change: documentation, another architecture, comments.

use std::collections::BTreeMap;

use crate::arch::Arch;
use crate::patch::PatchMail;

/// Folders of which nothing becomes part of a kernel or is run while one is built. `scripts` and most of `tools` do not
/// belong here: objtool and others decide what a kernel is made of.
const NOT_BUILT: [&str; 8] = [
    "Documentation/",
    "LICENSES/",
    "samples/",
    "tools/testing/",
    "tools/perf/",
    "tools/power/",
    "tools/memory-model/",
    "tools/verification/",
];

/// Files of the top folder that are for people.
const FOR_PEOPLE: [&str; 6] = ["MAINTAINERS", "CREDITS", "README", "COPYING", ".mailmap", ".gitignore"];

/// Endings of languages in which `//` and `/* */` are comments.
const WITH_COMMENTS: [&str; 4] = [".c", ".h", ".S", ".dts"];

/// The contents of a file before and after a patch.
pub type Change<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

/// Why a patch cannot be a culprit, if so. `changes` are the files that it changes, with their contents, for a kernel of
/// this architecture.
pub fn impossible(patch: &PatchMail, changes: &BTreeMap<&str, Change<'_>>, arch: &Arch) -> Option<String> {
    let mut reasons: Vec<&str> = Vec::new();
    let mut others: Vec<&str> = Vec::new();
    let paths = super::needs::paths(patch);
    if paths.is_empty() {
        return None;
    }
    for path in paths {
        let reason = if is_documentation(path) {
            "documentation"
        } else if NOT_BUILT.iter().any(|folder| path.starts_with(folder)) {
            "files that no kernel is built from"
        } else if let Some(other) = other_architecture(path, arch) {
            if !others.contains(&other) {
                others.push(other);
            }
            continue;
        } else if changes.get(path).is_some_and(|change| only_comments(path, *change)) {
            "comments"
        } else {
            return None;
        };
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    }
    let other = (!others.is_empty()).then(|| format!("code of {}", others.join(", ")));
    let all: Vec<String> = reasons.into_iter().map(str::to_owned).chain(other).collect();
    Some(format!("only {}", all.join(" and ")))
}

fn is_documentation(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    path.starts_with("Documentation/")
        || path.ends_with(".rst")
        || path.ends_with(".md")
        || FOR_PEOPLE.contains(&path)
        || matches!(name, ".gitignore" | "README")
}

/// The architecture whose folder a file lies in, where that is another one.
fn other_architecture<'p>(path: &'p str, arch: &Arch) -> Option<&'p str> {
    let (folder, rest) = path.strip_prefix("arch/")?.split_once('/')?;
    // user mode Linux is an architecture of its own, with a part in that of its host
    let is_other = folder != arch.source || rest.starts_with("um/");
    is_other.then_some(folder)
}

fn only_comments(path: &str, (before, after): Change<'_>) -> bool {
    let (Some(before), Some(after)) = (before, after) else { return false };
    WITH_COMMENTS.iter().any(|ending| path.ends_with(ending)) && code(before) == code(after)
}

/// The code of a file without its comments and without the blanks that mean nothing.
fn code(text: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::with_capacity(text.len());
    let mut at = 0;
    let blank = |out: &mut Vec<u8>, with: u8| match out.last() {
        // a line's end says more than a blank: a directive ends there
        Some(b'\n') | None => {}
        Some(b' ') if with == b'\n' => *out.last_mut().expect("there is one") = b'\n',
        Some(b' ') => {}
        Some(_) => out.push(with),
    };
    while let Some(byte) = text.get(at).copied() {
        match (byte, text.get(at + 1).copied()) {
            (b'/', Some(b'*')) => {
                let end = text[at + 2..].windows(2).position(|two| two == b"*/");
                at = end.map_or(text.len(), |end| at + end + 4);
                blank(&mut out, b' ');
            }
            (b'/', Some(b'/')) => {
                at += text[at..].iter().position(|byte| *byte == b'\n').unwrap_or(text.len() - at);
            }
            (b'"' | b'\'', _) => {
                out.push(byte);
                at += 1;
                while let Some(inside) = text.get(at).copied() {
                    out.push(inside);
                    at += 1;
                    if inside == b'\\' {
                        out.extend(text.get(at));
                        at += 1;
                    } else if inside == byte || inside == b'\n' {
                        break;
                    }
                }
            }
            (b'\n', _) => {
                blank(&mut out, b'\n');
                at += 1;
            }
            (b' ' | b'\t' | b'\r', _) => {
                blank(&mut out, b' ');
                at += 1;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    while out.last().is_some_and(u8::is_ascii_whitespace) {
        out.pop();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::GUEST;
    use crate::patch::Input;

    fn reason(paths: &[&str], before: &str, after: &str) -> Option<String> {
        let mut text = String::from("From: a <a@b.c>\nSubject: [PATCH] x\n\nx\n---\n");
        for path in paths {
            text += &format!("--- a/{path}\n+++ b/{path}\n@@ -1 +1 @@\n-a\n+b\n");
        }
        let patch = PatchMail::all(&Input::read("x", text.as_bytes()).unwrap()).pop().unwrap();
        let change = (Some(before.as_bytes()), Some(after.as_bytes()));
        let changes = paths.iter().map(|path| (*path, change)).collect();
        impossible(&patch, &changes, GUEST)
    }

    #[test]
    fn what_no_kernel_of_this_kind_is_made_of_is_no_culprit() {
        let table: &[(&[&str], Option<&str>)] = &[
            (&["Documentation/mm/slub.rst"], Some("only documentation")),
            (
                &["MAINTAINERS", "tools/testing/x.sh"],
                Some("only documentation and files that no kernel is built from"),
            ),
            (&["arch/arm64/mm/fault.c", "arch/riscv/mm/fault.c"], Some("only code of arm64, riscv")),
            (&["arch/x86/um/ptrace.c"], Some("only code of x86")),
            (&["arch/x86/mm/fault.c"], None),
            (&["Documentation/x.rst", "mm/slub.c"], None),
            (&["tools/objtool/check.c"], None),
            (&["scripts/mod/modpost.c"], None),
        ];
        for (paths, expected) in table {
            assert_eq!(reason(paths, "a", "b").as_deref(), *expected, "{paths:?}");
        }
    }

    #[test]
    fn comments_are_no_code() {
        let table = [
            ("int a; // one\n", "int a; /* another */\n", true),
            ("int a;\n", "/* new\n   lines */\nint a;\n", true),
            ("int  a;\n\n\nint b;\n", "int a;\nint b;\n", true),
            ("char *a = \"/* x */\";\n", "char *a = \"/* y */\";\n", false),
            ("char a = '\"'; // x\n", "char a = '\"'; // y\n", true),
            ("char *a = \"\\\"// x\";\n", "char *a = \"\\\"// y\";\n", false),
            ("#define A 1\nint a;\n", "#define A 1 int a;\n", false),
            ("a/ *b;\n", "a/ *c;\n", false),
        ];
        for (before, after, expected) in table {
            let found = reason(&["mm/slub.c"], before, after);
            assert_eq!(found.as_deref(), expected.then_some("only comments"), "{before:?} {after:?}");
        }
        assert_eq!(reason(&["mm/Kconfig"], "# a", "# b"), None, "not known");
    }
}
