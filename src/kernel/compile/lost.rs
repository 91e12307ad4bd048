//! Options that were asked for and did not survive Kconfig, and why as far as the Kconfig files say so.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use super::fragment::{MergedFragments, OptionRequest};
use crate::arch::Arch;
use kernel_modules::closest;

/// One option that did not come out as asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostOption {
    /// Without `CONFIG_`.
    pub option: String,
    /// The value that was asked for.
    pub wanted: String,
    /// The value that it has: `n` if it is off or unknown.
    pub found: String,
    /// The fragment and the line that ask for it: `small.config:12`.
    pub place: String,
    /// Why, in words; empty if nothing is known.
    pub why: String,
}

impl fmt::Display for LostOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LostOption { option, wanted, found, place, why } = self;
        write!(f, "{place}: CONFIG_{option}={wanted} was asked for, it came out as {found}{why}")
    }
}

/// Compares what was asked for with a `.config`. `tree` is the source, for the reasons.
pub(super) fn lost(composed: &MergedFragments, config: &str, tree: &Path, arch: &Arch) -> Vec<LostOption> {
    let found = values(config);
    let value = |option: &str| found.get(option).copied().unwrap_or("n");
    let missed = |wish: &&OptionRequest| {
        let found = value(&wish.option);
        // what another option needs built in is there all the same
        !wish.optional && found != wish.value && !(wish.value == "m" && found == "y")
    };
    let missed: Vec<&OptionRequest> = composed.wishes.iter().filter(missed).collect();
    if missed.is_empty() {
        return Vec::new();
    }
    let known = definitions(tree, arch);
    missed
        .into_iter()
        .map(|wish| LostOption {
            option: wish.option.clone(),
            wanted: wish.value.clone(),
            found: value(&wish.option).to_string(),
            place: format!("{}:{}", wish.file, wish.line),
            why: why(wish, &known, &value),
        })
        .collect()
}

/// Options and values of a `.config`, values with their quotes.
fn values(config: &str) -> BTreeMap<&str, &str> {
    config.lines().filter_map(|line| line.strip_prefix("CONFIG_")?.split_once('=')).collect()
}

fn why<'a>(wish: &OptionRequest, known: &Definitions, value: &dyn Fn(&str) -> &'a str) -> String {
    let Some(dependencies) = known.get(&wish.option) else {
        if known.is_empty() {
            return String::new();
        }
        let meant = closest(&wish.option, known.keys().map(String::as_str));
        let meant = meant.map_or(String::new(), |meant| format!("; did you mean CONFIG_{meant}?"));
        return format!(": this tree has no such option{meant}");
    };
    if wish.value == "n" {
        return ": another option selects it, or it has no switch".to_string();
    }
    // with several definitions one that is met is enough, and none is shown to be the culprit
    let unmet: Vec<String> = dependencies.iter().filter_map(|expression| unmet(expression, value)).collect();
    match unmet.as_slice() {
        [] => String::new(),
        unmet => format!(": it {}", unmet.join(" and ")),
    }
}

/// The symbols of a dependency that can be why it is not met. Which of an alternative's would do is left to the reader.
fn unmet<'a>(expression: &str, value: &dyn Fn(&str) -> &'a str) -> Option<String> {
    let mut culprits = Vec::new();
    let mut negated = false;
    let mut rest = expression;
    while let Some(c) = rest.chars().next() {
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        if end == 0 {
            negated = c == '!' && !rest.starts_with("!=");
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (symbol, after) = rest.split_at(end);
        rest = after;
        // a comparison (`X = y`) or a macro (`$(cc-option,…)`) is shown as it stands, not judged
        let is_symbol = symbol.chars().next().is_some_and(|c| c.is_ascii_uppercase());
        let on = value(symbol) != "n";
        if is_symbol && on == negated && !culprits.contains(&symbol) {
            culprits.push(symbol);
        }
        negated = false;
    }
    let states: Vec<String> = culprits.iter().map(|symbol| format!("{symbol}={}", value(symbol))).collect();
    (!states.is_empty()).then(|| format!("depends on `{expression}`, and here {}", states.join(", ")))
}

/// Options by name, with the dependencies of all their definitions.
type Definitions = BTreeMap<String, Vec<String>>;

/// Reads the tree's Kconfig files. Those of other architectures are left out: their options are no choice here.
fn definitions(tree: &Path, arch: &Arch) -> Definitions {
    let mut known = Definitions::new();
    visit(tree, tree, arch, &mut known);
    known
}

fn visit(root: &Path, folder: &Path, arch: &Arch, known: &mut Definitions) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            let foreign = folder == root.join("arch") && name != arch.source;
            let passed_over = folder == root && matches!(&*name, "tools" | "Documentation" | ".git");
            if !foreign && !passed_over {
                visit(root, &path, arch, known);
            }
        } else if kind.is_file() && name.starts_with("Kconfig") {
            let text = fs::read(&path).unwrap_or_default();
            read_kconfig(&String::from_utf8_lossy(&text), known);
        }
    }
}

/// Reads one Kconfig file: its options, what they depend on, and the `if` around them.
fn read_kconfig(text: &str, known: &mut Definitions) {
    let joined = text.replace("\\\n", " ");
    let mut around: Vec<String> = Vec::new();
    let mut current: Option<String> = None;
    let mut help_indent: Option<usize> = None;
    for line in joined.lines() {
        let indent = line.len() - line.trim_start().len();
        let words = line.split('#').next().unwrap_or_default().trim();
        if words.is_empty() {
            continue;
        }
        if let Some(at) = help_indent {
            // a help text goes on as long as its lines are indented more than the word `help`
            if indent > at {
                continue;
            }
            help_indent = None;
        }
        let (word, rest) = words.split_once(char::is_whitespace).unwrap_or((words, ""));
        let rest = rest.trim();
        match word {
            "config" | "menuconfig" => {
                let dependencies = known.entry(rest.to_string()).or_default();
                for condition in &around {
                    if !dependencies.contains(condition) {
                        dependencies.push(condition.clone());
                    }
                }
                current = Some(rest.to_string());
            }
            "help" | "---help---" => help_indent = Some(indent),
            "if" => {
                around.push(rest.to_string());
                current = None;
            }
            "endif" => {
                around.pop();
                current = None;
            }
            "menu" | "choice" | "endmenu" | "endchoice" | "comment" | "source" => current = None,
            "depends" => {
                if let (Some(option), Some(expression)) = (&current, rest.strip_prefix("on")) {
                    let expression = expression.split_whitespace().collect::<Vec<_>>().join(" ");
                    known.entry(option.clone()).or_default().push(expression);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KCONFIG: &str = "menuconfig USB\n\ttristate \"USB\"\n\thelp\n\t  config NOT_ONE\n\t    if so\n\nif USB\n\
        config RSI_91X\n\ttristate\n\tdepends on MAC80211 && !NO_RADIO\nendif\n\
        config KASAN\n\tbool\n\tdepends on (HAVE_ARCH_KASAN && CC_HAS_KASAN) || \\\n\t  (SLUB && !SLUB_TINY)\n\
        config SLUB_TINY\n\tbool\nconfig BLK_DEV_NULL_BLK\n\ttristate \"null\"\n";

    fn said(fragment: &str, config: &str) -> String {
        let tree = tempfile::tempdir().expect("a temporary folder");
        fs::write(tree.path().join("Kconfig"), KCONFIG).expect("it is writable");
        fs::create_dir_all(tree.path().join("arch/arm")).expect("it is writable");
        fs::write(tree.path().join("arch/arm/Kconfig"), "config BLK_DEV_NUL_BLK\n").expect("it is writable");
        let file = tree.path().join("x.config");
        fs::write(&file, fragment).expect("it is writable");
        let composed = MergedFragments::new(&file.display().to_string(), crate::arch::GUEST, &[])
            .unwrap_or_else(|e| panic!("{e}"));
        let lost = lost(&composed, config, tree.path(), crate::arch::GUEST);
        let lines: Vec<String> = lost.iter().map(LostOption::to_string).collect();
        lines.join("\n").replace(&file.display().to_string(), "x.config")
    }

    #[test]
    fn says_which_option_was_lost_and_what_it_needs() {
        let fragment = "CONFIG_KASAN=y\nCONFIG_BLK_DEV_NUL_BLK=m\nCONFIG_RSI_91X=m\nCONFIG_SLUB_TINY=n\n\
            CONFIG_ZEBRA=y\nCONFIG_NEWER=y # optional\nCONFIG_USB=y\nCONFIG_HZ=250\n";
        let config = "CONFIG_USB=m\nCONFIG_SLUB=y\nCONFIG_SLUB_TINY=y\nCONFIG_NO_RADIO=y\nCONFIG_HZ=1000\n";
        insta::assert_snapshot!(said(fragment, config), @r"
        x.config:1: CONFIG_KASAN=y was asked for, it came out as n: it depends on `(HAVE_ARCH_KASAN && CC_HAS_KASAN) || (SLUB && !SLUB_TINY)`, and here HAVE_ARCH_KASAN=n, CC_HAS_KASAN=n, SLUB_TINY=y
        x.config:2: CONFIG_BLK_DEV_NUL_BLK=m was asked for, it came out as n: this tree has no such option; did you mean CONFIG_BLK_DEV_NULL_BLK?
        x.config:3: CONFIG_RSI_91X=m was asked for, it came out as n: it depends on `MAC80211 && !NO_RADIO`, and here MAC80211=n, NO_RADIO=y
        x.config:4: CONFIG_SLUB_TINY=n was asked for, it came out as y: another option selects it, or it has no switch
        x.config:5: CONFIG_ZEBRA=y was asked for, it came out as n: this tree has no such option
        x.config:7: CONFIG_USB=y was asked for, it came out as m
        x.config:8: CONFIG_HZ=250 was asked for, it came out as 1000: this tree has no such option
        ");
    }

    #[test]
    fn what_is_there_is_not_lost() {
        let fragment = "CONFIG_A=y\nCONFIG_B=m\nCONFIG_C=n\nCONFIG_D=\"x y\"\nCONFIG_E=0x10\n";
        assert_eq!(said(fragment, "CONFIG_A=y\nCONFIG_B=y\nCONFIG_D=\"x y\"\nCONFIG_E=0x10\n"), "");
    }
}
