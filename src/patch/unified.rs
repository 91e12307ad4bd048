//! The change that an application came to, as a diff that fits its source to the letter.

use similar::TextDiff;

use super::apply::{Application, EXECUTABLE};
use super::source::Source;

/// git's mode of any other file.
const PLAIN: &str = "100644";

/// The difference between a source and what an application made of it, in the form of `git diff`. Binary safe.
pub fn unified(source: &dyn Source, application: &Application) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, new) in &application.contents {
        let old = source.read(path);
        let modes = modes(source, path, (old.is_some(), new.is_some()), application.modes.get(path));
        if old == *new && modes.is_empty() {
            continue;
        }
        let name = |side: &str, there: bool| match there {
            true => format!("{side}/{path}"),
            false => "/dev/null".to_owned(),
        };
        let names = (name("a", old.is_some()), name("b", new.is_some()));
        let (old, new) = (old.unwrap_or_default(), new.clone().unwrap_or_default());
        out.extend_from_slice(format!("diff --git a/{path} b/{path}\n{modes}").as_bytes());
        let diff = TextDiff::from_lines(old.as_slice(), new.as_slice());
        // writing to memory cannot fail
        let _ = diff.unified_diff().context_radius(3).header(&names.0, &names.1).to_writer(&mut out);
    }
    out
}

/// The lines about a file's mode, which is told where it is new or changes.
fn modes(source: &dyn Source, path: &str, there: (bool, bool), wanted: Option<&String>) -> String {
    let had = if there.0 && source.is_executable(path) { EXECUTABLE } else { PLAIN };
    let wanted = wanted.map_or(had, String::as_str);
    match there {
        (false, true) => format!("new file mode {wanted}\n"),
        (true, false) => format!("deleted file mode {had}\n"),
        (true, true) if wanted != had => format!("old mode {had}\nnew mode {wanted}\n"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::patch::apply::Outcome;
    use crate::patch::source::Memory;

    #[test]
    fn changes_are_told_as_diff_does() {
        let file = |text: &str| Some(text.as_bytes().to_vec());
        let executable = |path: &str| (path.to_owned(), EXECUTABLE.to_owned());
        let source = Memory::of(&[
            ("a.c", b"one\ntwo\n\xff\n"),
            ("b.c", b"no newline"),
            ("c.c", b"gone\n"),
            ("run.sh", b"#!\n"),
            ("same", b"x\n"),
        ]);
        let contents = BTreeMap::from([
            ("a.c".to_owned(), Some(b"one\n2\n\xff\n".to_vec())),
            ("b.c".to_owned(), file("no newline\nmore\n")),
            ("c.c".to_owned(), None),
            ("d.c".to_owned(), file("new\n")),
            ("e.pl".to_owned(), file("new\n")),
            ("run.sh".to_owned(), file("#!\n#\n")),
            ("same".to_owned(), file("x\n")),
        ]);
        let modes = BTreeMap::from([executable("b.c"), executable("e.pl")]);
        let application = Application {
            outcome: Outcome::Clean,
            files: Vec::new(),
            conflicts: Vec::new(),
            contents,
            modes,
        };
        insta::assert_snapshot!(String::from_utf8_lossy(&unified(&source, &application)), @r"
        diff --git a/a.c b/a.c
        --- a/a.c
        +++ b/a.c
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         �
        diff --git a/b.c b/b.c
        old mode 100644
        new mode 100755
        --- a/b.c
        +++ b/b.c
        @@ -1 +1,2 @@
        -no newline
        \ No newline at end of file
        +no newline
        +more
        diff --git a/c.c b/c.c
        deleted file mode 100644
        --- a/c.c
        +++ /dev/null
        @@ -1 +0,0 @@
        -gone
        diff --git a/d.c b/d.c
        new file mode 100644
        --- /dev/null
        +++ b/d.c
        @@ -0,0 +1 @@
        +new
        diff --git a/e.pl b/e.pl
        new file mode 100755
        --- /dev/null
        +++ b/e.pl
        @@ -0,0 +1 @@
        +new
        diff --git a/run.sh b/run.sh
        --- a/run.sh
        +++ b/run.sh
        @@ -1 +1,2 @@
         #!
        +#
        ");
    }
}
