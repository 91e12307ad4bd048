//! What a test of LTP needs, as far as a suite can say it.

use super::known::{self, Known};
use super::surroundings::{self, Surroundings};
use super::{Fields, Options};

/// Why a test cannot be a test of a suite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

/// Memory that a guest has besides what a test asks to be free, MiB.
const BESIDES: u32 = 256;

/// The file by which a program writes to its own memory where that is read-only.
const OWN_MEMORY: &str = "\"/proc/self/mem\"";

/// What lets it (`proc_mem.force_override`, since 6.12): a kernel may be configured to refuse, as Debian's are from 7.2 on, and
/// what such a write sets off is then not tried at all. Older kernels pass over it.
const FORCES: &str = "proc_mem.force_override=always";

/// What a test needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub modules: Vec<String>,
    pub config: Vec<String>,
    pub kernel: Option<String>,
    pub known: Known,
    pub cmdline: Vec<String>,
    pub cpus: Option<u32>,
    pub memory_mib: Option<u32>,
    pub beside: Vec<String>,
    pub around: Surroundings,
    /// What cannot be said, and stands in the file as a comment.
    pub notes: Vec<String>,
}

/// Reads the needs; `source` gives the text of a file of the tree, if it is there.
pub(super) fn of(
    fields: &Fields<'_>,
    program: &str,
    source: &dyn Fn(&str) -> Option<String>,
    options: &Options,
) -> Result<Needs, Refusal> {
    refuse(fields)?;
    let text = source(&format!("{program}.c"));
    let text = text.as_deref().unwrap_or_default();
    let mut needs = Needs { around: surroundings::of(fields, options)?, ..Needs::default() };
    needs.notes.append(&mut needs.around.notes);
    for option in fields.texts("needs_kconfigs").unwrap_or_default() {
        match kconfig(&option) {
            Some(options) => needs.config.extend(options),
            None => needs.notes.push(format!("it checks the configuration itself: {option}")),
        }
    }
    needs.modules = fields.texts("needs_drivers").unwrap_or_default();
    known::drivers(&mut needs.modules, &needs.config);
    if let Some(archs) = fields.texts("supported_archs") {
        needs.notes.push(format!("it is for {}; LTP skips it elsewhere", archs.join(", ")));
    }
    if fields.text("needs_abi_bits") == Some("32") {
        needs.notes.push("it is for programs of 32 bits; LTP skips it elsewhere".to_owned());
    }
    if let Some(known) = known::of(program) {
        needs.known = known;
        needs.modules.extend(known.modules.iter().map(|&module| module.to_owned()));
        needs.notes.push(known.why.to_owned());
    }
    needs.kernel = fields.text("min_kver").and_then(since);
    needs.cpus = fields.number("min_cpus").filter(|&cpus| cpus > 2);
    needs.memory_mib =
        fields.number("min_mem_avail").map(|mib| mib + BESIDES).filter(|&mib| mib > super::MEMORY_MIB);
    let named = fields.text("resource_files").and_then(|name| strings(text, name));
    needs.beside = fields.texts("resource_files").or(named).unwrap_or_default();
    for child in children(program, text, &|path| source(path).is_some()) {
        if !needs.beside.contains(&child) {
            needs.beside.push(child);
        }
    }
    let folder = program.rsplit_once('/').map_or(".", |(folder, _)| folder);
    let beside = |name: &String| source(&format!("{folder}/{name}.c")).unwrap_or_default();
    if text.contains(OWN_MEMORY) || needs.beside.iter().map(beside).any(|text| text.contains(OWN_MEMORY)) {
        needs.cmdline.push(FORCES.to_owned());
        needs.notes.push("it writes to read-only memory of its own, which the kernel must permit".to_owned());
    }
    if needs.beside.is_empty() && fields.has("resource_files") {
        needs.notes.push("its resource files are not known, name them in `beside`".to_owned());
    }
    if let Some(file) = needs.beside.iter().find(|file| file.contains('/')) {
        return Err(Refusal(format!("its resource file {file} lies in another folder")));
    }
    Ok(needs)
}

/// The programs of the same folder that a test starts: `SAFE_EXECLP("dirtyc0w_child", …)` is all that LTP says of them, so that
/// each text is one whose source `is_there` beside the test's own.
fn children(program: &str, text: &str, is_there: &dyn Fn(&str) -> bool) -> Vec<String> {
    let (folder, own) = program.rsplit_once('/').unwrap_or((".", program));
    let is_name =
        |text: &&str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    // what is between quotes is every second part; a quote within a text only makes others of them
    let texts = text.lines().flat_map(|line| line.split('"').skip(1).step_by(2)).filter(is_name);
    let mut found: Vec<String> = Vec::new();
    for name in texts.filter(|name| *name != own && is_there(&format!("{folder}/{name}.c"))) {
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The texts of an array of C that has this name: of `static const char *const NAME[] = {"a", "b", NULL};` a and b.
fn strings(source: &str, name: &str) -> Option<Vec<String>> {
    let start = source.find(&format!("{name}[]"))?;
    let (_, rest) = source[start..].split_once('{')?;
    let (inside, _) = rest.split_once('}')?;
    // what is between quotes is every second part
    let texts: Vec<String> = inside.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    Some(texts).filter(|texts| !texts.is_empty())
}

/// What no guest of ours has.
fn refuse(fields: &Fields<'_>) -> Result<(), Refusal> {
    let no = |reason: &str| Err(Refusal(reason.to_owned()));
    if fields.has("runs_script") {
        return no("it runs scripts with LTP's shell library");
    }
    if fields.has("min_swap_avail") {
        return no("a guest has no swap");
    }
    Ok(())
}

/// An entry of `needs_kconfigs` as entries of `needs.config`; `None` where it is more than options that must all be set.
fn kconfig(text: &str) -> Option<Vec<String>> {
    let one = |part: &str| {
        let part = part.trim();
        let (off, part) = match part.strip_prefix('!') {
            Some(rest) => (true, rest.trim()),
            None => (false, part),
        };
        let (option, value) = match part.split_once('=') {
            Some((option, value)) => (option.trim(), Some(value.trim())),
            None => (part, None),
        };
        let option = option.strip_prefix("CONFIG_")?;
        let word =
            |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !word(option) || !value.is_none_or(word) {
            return None;
        }
        match (off, value) {
            (true, Some(_)) => None,
            (true, None) => Some(format!("{option}=n")),
            (false, Some(value)) => Some(format!("{option}={value}")),
            (false, None) => Some(option.to_owned()),
        }
    };
    text.split('&').map(one).collect()
}

/// A range of versions from the oldest that will do: `5.8` to `5.8..`.
fn since(version: &str) -> Option<String> {
    let numbers: Vec<u32> = version.trim().split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    match numbers[..] {
        [major] => Some(format!("{major}.0..")),
        [major, minor] | [major, minor, 0] => Some(format!("{major}.{minor}..")),
        [major, minor, patch] => Some(format!("{major}.{minor}.{patch}..")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_must_all_be_set_are_needs() {
        let table: [(&str, Option<&[&str]>); 9] = [
            ("CONFIG_USER_NS=y", Some(&["USER_NS=y"])),
            ("CONFIG_XFRM", Some(&["XFRM"])),
            ("!CONFIG_SLUB_TINY", Some(&["SLUB_TINY=n"])),
            ("CONFIG_A & CONFIG_B=m", Some(&["A", "B=m"])),
            ("CONFIG_NR_CPUS=64", Some(&["NR_CPUS=64"])),
            ("CONFIG_A | CONFIG_B", None),
            ("(CONFIG_A)", None),
            ("A_MACRO", None),
            ("", None),
        ];
        for (text, needs) in table {
            let needs = needs.map(|needs| needs.iter().map(|&need| need.to_owned()).collect::<Vec<_>>());
            assert_eq!(kconfig(text), needs, "{text}");
        }
    }

    #[test]
    fn programs_that_a_test_starts_are_those_whose_source_is_beside_it() {
        let text = r#"
            SAFE_EXECLP("race_child", "race_child", NULL);
            snprintf(path, size, "%s/race_child", dir);
            tst_get_path("other", path, size); puts("race");
        "#;
        let there = |path: &str| ["a/b/race_child.c", "a/b/race.c"].contains(&path);
        assert_eq!(children("a/b/race", text, &there), ["race_child"]);
    }

    #[test]
    fn versions_become_ranges() {
        for (version, range) in [
            ("5.8", Some("5.8..")),
            ("4.10.0", Some("4.10..")),
            ("6.1.3", Some("6.1.3..")),
            ("5", Some("5.0..")),
            ("x", None),
        ] {
            assert_eq!(since(version).as_deref(), range);
        }
    }
}
