//! The change that an application came to, as a diff that fits its source to the letter.

use std::collections::BTreeMap;

use similar::TextDiff;

use super::source::Source;

/// The difference between a source and `contents` (new contents by path, `None` for a file to delete), in the form of
/// `diff -u`. Binary safe; file modes are not told.
pub fn unified(source: &dyn Source, contents: &BTreeMap<String, Option<Vec<u8>>>) -> Vec<u8> {
    let mut out = Vec::new();
    for (path, new) in contents {
        let old = source.read(path);
        if old == *new {
            continue;
        }
        let name = |side: &str, there: bool| match there {
            true => format!("{side}/{path}"),
            false => "/dev/null".to_owned(),
        };
        let names = (name("a", old.is_some()), name("b", new.is_some()));
        let (old, new) = (old.unwrap_or_default(), new.clone().unwrap_or_default());
        out.extend_from_slice(format!("diff --git a/{path} b/{path}\n").as_bytes());
        let diff = TextDiff::from_lines(old.as_slice(), new.as_slice());
        // writing to memory cannot fail
        let _ = diff.unified_diff().context_radius(3).header(&names.0, &names.1).to_writer(&mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::patch::source::Memory;

    #[test]
    fn changes_are_told_as_diff_does() {
        let file = |text: &str| Some(text.as_bytes().to_vec());
        let source = Memory::of(&[
            ("a.c", b"one\ntwo\n\xff\n"),
            ("b.c", b"no newline"),
            ("c.c", b"gone\n"),
            ("same", b"x\n"),
        ]);
        let contents = BTreeMap::from([
            ("a.c".to_owned(), Some(b"one\n2\n\xff\n".to_vec())),
            ("b.c".to_owned(), file("no newline\nmore\n")),
            ("c.c".to_owned(), None),
            ("d.c".to_owned(), file("new\n")),
            ("same".to_owned(), file("x\n")),
        ]);
        insta::assert_snapshot!(String::from_utf8_lossy(&unified(&source, &contents)), @r"
        diff --git a/a.c b/a.c
        --- a/a.c
        +++ b/a.c
        @@ -1,3 +1,3 @@
         one
        -two
        +2
         �
        diff --git a/b.c b/b.c
        --- a/b.c
        +++ b/b.c
        @@ -1 +1,2 @@
        -no newline
        \ No newline at end of file
        +no newline
        +more
        diff --git a/c.c b/c.c
        --- a/c.c
        +++ /dev/null
        @@ -1 +0,0 @@
        -gone
        diff --git a/d.c b/d.c
        --- /dev/null
        +++ b/d.c
        @@ -0,0 +1 @@
        +new
        ");
    }
}
