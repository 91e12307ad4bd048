//! The text of a suite's file.
//!
//! The file is a head and an entry for each test. Each ends with a comment that holds a digest of what was written, by
//! which [`crate::merge`] sees whether a person changed it, and the last line names all tests, by which it sees which were
//! removed.

use std::fmt::Write as _;

use crate::draft::{DiskDraft, ProgramValue, SuiteDraft, TestDraft};

/// Begins the comment with the digest.
pub(crate) const MARK: &str = "# import ";

/// Begins the comment with all names.
pub(crate) const NAMES: &str = "# imported: ";

/// Characters of a line that names and lists should fit into.
const WIDTH: usize = 120;

/// The text of the file; `by` is the command that makes it.
pub fn write(suite: &SuiteDraft, by: &str) -> String {
    let mut text = head(suite, by);
    for test in &suite.tests {
        text.push('\n');
        text += &entry(test);
    }
    text.push('\n');
    text += &names(suite.tests.iter().map(|test| test.name.as_str()));
    text
}

/// Everything before the first test.
pub(crate) fn head(suite: &SuiteDraft, by: &str) -> String {
    let mut text = format!(
        "# Written by `{by}`. It may be changed: importing again keeps every entry that was changed or removed here.\n\
         suite: {}\nsummary: {}\n",
        suite.name,
        scalar(&suite.summary)
    );
    let defaults = defaults(suite);
    if !defaults.is_empty() {
        text += &format!("defaults:\n{defaults}");
    }
    text += "tests:\n";
    marked(text, "")
}

fn defaults(suite: &SuiteDraft) -> String {
    let memory = (suite.memory_mib > 0).then(|| format!("memory: {}M", suite.memory_mib));
    let machine: Vec<String> = memory.into_iter().chain(disks(&suite.disks)).collect();
    let users = (!suite.users.is_empty()).then(|| format!("users: {}", list(&suite.users)));
    let packages = (!suite.packages.is_empty()).then(|| format!("packages: {}", list(&suite.packages)));
    let userland: Vec<String> = packages.into_iter().chain(users).collect();
    let mut text = String::new();
    for (key, values) in [("machine", machine), ("userland", userland)] {
        if !values.is_empty() {
            _ = writeln!(text, "  {key}: {{{}}}", values.join(", "));
        }
    }
    if let Some(seconds) = suite.terminate {
        _ = writeln!(text, "  timeout: {{terminate: {seconds}s}}");
    }
    if let Some(seconds) = suite.hang {
        _ = writeln!(text, "  hang: {{seconds: {seconds}}}");
    }
    if !suite.kernel_files.is_empty() {
        _ = writeln!(text, "  kernel-files: {}", list(&suite.kernel_files));
    }
    text
}

/// One test.
pub(crate) fn entry(test: &TestDraft) -> String {
    let mut text = format!("  - name: {}\n", test.name);
    let mut line = |key: &str, value: String| _ = writeln!(text, "    {key}: {value}");
    line("summary", scalar(&test.summary));
    if !test.links.is_empty() {
        let links: String = test.links.iter().map(|link| format!("\n      - {}", scalar(link))).collect();
        line("links", links.trim_end().to_owned());
    }
    let history = history(test);
    if !history.is_empty() {
        line("history", format!("{{{}}}", history.join(", ")));
    }
    let mut needs = Vec::new();
    for (key, values) in [("modules", &test.modules), ("config", &test.config)] {
        if !values.is_empty() {
            needs.push(format!("{key}: {}", list(values)));
        }
    }
    needs.extend(test.kernel.as_ref().map(|range| format!("kernel: {range}")));
    needs.extend(test.uptime.map(|seconds| format!("uptime: {seconds}s")));
    if !needs.is_empty() {
        line("needs", format!("{{{}}}", needs.join(", ")));
    }
    let cpus = test.cpus.map(|cpus| format!("cpus: {cpus}"));
    let memory = test.memory_mib.map(|mib| format!("memory: {mib}M"));
    let accel = test.kvm.then(|| "accel: kvm".to_owned());
    let cmdline = (!test.cmdline.is_empty()).then(|| format!("cmdline: {}", list(&test.cmdline)));
    let machine: Vec<String> =
        cpus.into_iter().chain(memory).chain(disks(&test.disks)).chain(accel).chain(cmdline).collect();
    if !machine.is_empty() {
        line("machine", format!("{{{}}}", machine.join(", ")));
    }
    if let Some((name, value)) = test.sysctl {
        line("sysctl", format!("{{{name}: {value}}}"));
    }
    if !test.packages.is_empty() {
        line("userland", format!("{{packages: {}}}", list(&test.packages)));
    }
    let program = test.program.iter().map(|(key, value)| match value {
        ProgramValue::Text(text) => format!("\n      {key}: {}", scalar(text)),
        ProgramValue::List(texts) => format!("\n      {key}: {}", list(texts)),
    });
    line("program", program.collect());
    if let Some(seconds) = test.seconds {
        line("dose", format!("{{seconds: {seconds}}}"));
    }
    if let Some(seconds) = test.terminate {
        line("timeout", format!("{{terminate: {seconds}s}}"));
    }
    line("symptom", test.symptom.clone());
    let mut text = text.replace(": \n", ":\n");
    for note in &test.notes {
        let words: Vec<&str> = note.split_whitespace().collect();
        _ = writeln!(text, "    # {}", words.join(" "));
    }
    marked(text, "    ")
}

/// The keys of `history` with their values.
fn history(test: &TestDraft) -> Vec<String> {
    let commit = |commit: &String| format!("{{commit: {commit}}}");
    let mut keys = Vec::new();
    if let Some((first, others)) = test.fixed.split_first() {
        keys.push(format!("fixed: {}", commit(first)));
        if !others.is_empty() {
            let others: Vec<String> = others.iter().map(commit).collect();
            keys.push(format!("also-fixed: [{}]", others.join(", ")));
        }
    }
    if !test.cves.is_empty() {
        keys.push(format!("cves: {}", list(&test.cves)));
    }
    keys
}

/// The value of `machine` that names the disks.
fn disks(disks: &[DiskDraft]) -> Option<String> {
    let shown = |disk: &DiskDraft| {
        format!("{{name: {}, blank: {}M, variable: {}}}", scalar(&disk.name), disk.blank_mib, disk.variable)
    };
    let shown: Vec<String> = disks.iter().map(shown).collect();
    (!shown.is_empty()).then(|| format!("disks: [{}]", shown.join(", ")))
}

/// The last line.
pub(crate) fn names<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut text = String::new();
    let mut line = String::new();
    for name in names {
        if !line.is_empty() && line.len() + name.len() >= WIDTH {
            text += &format!("{NAMES}{}\n", line.trim_end());
            line.clear();
        }
        line += name;
        line.push(' ');
    }
    if !line.is_empty() {
        text += &format!("{NAMES}{}\n", line.trim_end());
    }
    text
}

/// The text with the comment that says what it was.
fn marked(text: String, indent: &str) -> String {
    let digest = digest(&text);
    format!("{text}{indent}{MARK}{digest}\n")
}

/// FNV-1a of 64 bits over what the text says: blanks at ends of lines and empty lines do not count.
pub(crate) fn digest(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let bytes = lines.flat_map(|line| line.bytes().chain([b'\n']));
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{hash:016x}")
}

fn list(texts: &[String]) -> String {
    format!("[{}]", texts.iter().map(|text| scalar(text)).collect::<Vec<_>>().join(", "))
}

/// A text as YAML: plain where it means itself, else in quotes.
pub(crate) fn scalar(text: &str) -> String {
    let start = text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_'));
    let inside = |c: char| c.is_alphanumeric() || " /._+()=;…-".contains(c) || c == ':';
    let colon = text.contains(": ") || text.ends_with(':');
    match start && text.chars().all(inside) && !colon && !text.ends_with(' ') && !text.starts_with("...") {
        true => text.to_owned(),
        // JSON's strings are YAML's
        false => serde_json::Value::String(text.to_owned()).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_what_is_there_and_nothing_else() {
        let bare = TestDraft {
            name: "a".into(),
            summary: "what: it does".into(),
            program: vec![("ltp", ProgramValue::Text("testcases/a".into()))],
            symptom: "{reported: {matching: 'TFAIL'}}".into(),
            ..TestDraft::default()
        };
        insta::assert_snapshot!(entry(&bare), @r#"
          - name: a
            summary: "what: it does"
            program:
              ltp: testcases/a
            symptom: {reported: {matching: 'TFAIL'}}
            # import b0d6166f3634a21c
        "#);
    }

    #[test]
    fn texts_are_quoted_where_yaml_would_read_more_into_them() {
        for (text, written) in [
            ("plain words", "plain words"),
            ("a: b", "\"a: b\""),
            ("https://x.org/a", "https://x.org/a"),
            ("- x", "\"- x\""),
            ("x # y", "\"x # y\""),
            ("it's", "\"it's\""),
            ("", "\"\""),
            ("[a]", "\"[a]\""),
        ] {
            assert_eq!(scalar(text), written);
        }
    }

    #[test]
    fn names_fill_lines() {
        let many: Vec<String> = (0..30).map(|n| format!("some-test-{n}")).collect();
        let text = names(many.iter().map(String::as_str));
        assert_eq!(text.lines().count(), 4);
        assert!(text.lines().all(|line| line.starts_with(NAMES) && line.len() < WIDTH + 40));
        assert_eq!(names(std::iter::empty()), "");
    }
}
