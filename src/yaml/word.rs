//! The small vocabularies of suites and machines: names, commits, config options, module names, and which word was meant.

use super::rejection::Rejection;

/// Longest name of a suite, a test or a disk; it becomes part of file names.
const LONGEST_NAME: usize = 64;

/// Checks the name of a suite, a test or a disk: `[a-z0-9-]`, not empty, no `-` at either end.
pub(crate) fn name(text: &str) -> Result<String, Rejection> {
    let expected = "lower-case letters, digits and `-`, such as `elevator-switch-race`";
    let right = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.len() > LONGEST_NAME {
        return Err(Rejection::of(text, format!("a name of at most {LONGEST_NAME} characters")));
    }
    if !text.is_empty() && text.chars().all(right) && !text.starts_with('-') && !text.ends_with('-') {
        return Ok(text.to_owned());
    }
    let mended = kebab(text);
    let rejection = Rejection::of(text, expected);
    Err(if mended.is_empty() { rejection } else { rejection.help(format!("write `{mended}`")) })
}

fn kebab(text: &str) -> String {
    let mut mended = String::new();
    for c in text.chars() {
        match c.to_ascii_lowercase() {
            c if c.is_ascii_lowercase() || c.is_ascii_digit() => mended.push(c),
            _ if mended.is_empty() || mended.ends_with('-') => {}
            _ => mended.push('-'),
        }
    }
    mended.trim_end_matches('-').to_owned()
}

/// Checks a commit: 7 to 40 hexadecimal digits.
pub(crate) fn commit(text: &str) -> Result<String, Rejection> {
    let fitting = (7..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit());
    if fitting {
        Ok(text.to_ascii_lowercase())
    } else {
        Err(Rejection::of(text, "a commit: 7 to 40 hexadecimal digits"))
    }
}

/// Checks the number of a vulnerability.
pub(crate) fn cve(text: &str) -> Result<String, Rejection> {
    let digits = |part: &str, least| part.len() >= least && part.bytes().all(|b| b.is_ascii_digit());
    let upper = text.to_ascii_uppercase();
    let parts = upper.strip_prefix("CVE-").and_then(|rest| rest.split_once('-'));
    match parts {
        Some((year, number)) if year.len() == 4 && digits(year, 4) && digits(number, 4) => Ok(upper),
        _ => Err(Rejection::of(text, "the number of a vulnerability, such as `CVE-2024-26581`")),
    }
}

/// Checks a file of the kernel's source: its path from the top.
pub(crate) fn source_file(text: &str) -> Result<String, Rejection> {
    let inside = text.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if inside && text.contains('/') && !text.contains(char::is_whitespace) {
        Ok(text.to_owned())
    } else {
        Err(Rejection::of(text, "a file's path from the top of the source, such as `fs/ext4/inode.c`"))
    }
}

/// Checks the name of a kernel module.
pub(crate) fn module(text: &str) -> Result<String, Rejection> {
    let right = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if !text.is_empty() && text.chars().all(right) {
        return Ok(text.to_owned());
    }
    let rejection = Rejection::of(text, "the name of a kernel module, such as `null_blk`");
    Err(match text.split(".ko").next() {
        Some(stem) if stem != text && !stem.is_empty() => rejection.help(format!("write `{stem}`")),
        _ => rejection,
    })
}

/// Checks a config need: `OPTION` or `OPTION=value`, without `CONFIG_`.
pub(crate) fn config(text: &str) -> Result<String, Rejection> {
    let expected = "a kernel config option, such as `BLK_DEV_NULL_BLK` or `SLUB_DEBUG=y`";
    if let Some(option) = text.strip_prefix("CONFIG_") {
        return Err(Rejection::of(text, expected).help(format!("leave `CONFIG_` out: `{option}`")));
    }
    let (option, value) = text.split_once('=').unwrap_or((text, "y"));
    let right = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !option.is_empty() && option.chars().all(right) && !value.is_empty() {
        Ok(text.to_owned())
    } else {
        Err(Rejection::of(text, expected))
    }
}

/// Checks a sysctl key; `/` and `.` both separate, as sysctl(8) takes them.
pub(crate) fn sysctl(text: &str) -> Result<String, Rejection> {
    let right = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    if !text.is_empty() && text.chars().all(right) && !text.contains("..") && text.contains(['.', '/']) {
        Ok(text.to_owned())
    } else {
        Err(Rejection::of(text, "a sysctl, such as `kernel.panic_on_warn`"))
    }
}

/// Checks a link.
pub(crate) fn link(text: &str) -> Result<String, Rejection> {
    let address = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match address {
        Some(rest) if !rest.is_empty() && !text.contains(char::is_whitespace) => Ok(text.to_owned()),
        _ => Err(Rejection::of(text, "a link that starts with `https://`")),
    }
}

/// Checks a bare file name: no folder, no `.` or `..`.
pub(crate) fn file_name(text: &str) -> Result<String, Rejection> {
    if !text.is_empty() && !text.contains(['/', '\0']) && text != "." && text != ".." {
        Ok(text.to_owned())
    } else {
        Err(Rejection::of(text, "a file name without a folder, such as `disk.img`"))
    }
}

/// Checks the path of a file inside a folder: relative, without `.` and `..`.
pub(crate) fn inner_path(text: &str) -> Result<String, Rejection> {
    let inside = text.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if inside && !text.chars().any(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(Rejection::of(text, "a path inside that folder, such as `testcases/kernel/crypto/af_alg08`"))
    }
}

/// Takes a text for people: one line, however it is broken in the file.
pub(crate) fn sentence(text: &str) -> Result<String, Rejection> {
    let words: Vec<&str> = text.split_whitespace().collect();
    if words.is_empty() {
        Err(Rejection::because("an empty text", "a sentence"))
    } else {
        Ok(words.join(" "))
    }
}

/// Takes one line of text that reaches the guest as it is.
pub(crate) fn line(text: &str) -> Result<String, Rejection> {
    let expected = "one line of text";
    match text.chars().find(|c| c.is_control()) {
        _ if text.trim().is_empty() => Err(Rejection::because("an empty text", expected)),
        None => Ok(text.to_owned()),
        Some('\n') => Err(Rejection::because("a text of several lines", expected)),
        Some(c) => {
            Err(Rejection::because(format!("a text with the control character U+{:04X}", c as u32), expected))
        }
    }
}

/// Takes a shell script.
pub(crate) fn script(text: &str) -> Result<String, Rejection> {
    let expected = "a shell script";
    match text {
        text if text.trim().is_empty() => Err(Rejection::because("an empty text", expected)),
        text if text.contains('\0') => Err(Rejection::because("a text with a NUL character", expected)),
        text => Ok(text.to_owned()),
    }
}

/// Checks the name of an environment variable.
pub(crate) fn variable(text: &str) -> Result<String, Rejection> {
    let right = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
    if text.starts_with(|c: char| !c.is_ascii_digit()) && text.chars().all(right) {
        Ok(text.to_owned())
    } else {
        Err(Rejection::of(text, "an environment variable in capital letters, such as `LTP_DEV`"))
    }
}

/// Takes one of a few words.
pub(crate) fn one_of<T: Copy>(text: &str, words: &[(&str, T)]) -> Result<T, Rejection> {
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*value);
    }
    let list: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
    let expected = if list.len() == 1 { list[0].clone() } else { format!("one of {}", list.join(", ")) };
    let rejection = Rejection::of(text, expected);
    Err(match meant(text, words.iter().map(|(word, _)| *word)) {
        Some(word) => rejection.help(format!("did you mean `{word}`?")),
        None => rejection,
    })
}

/// The candidate that was most likely meant by `word`, if one is close enough to be worth naming.
pub(crate) fn meant<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = word.replace('_', "-").to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&plain, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert!(name("elevator-switch-race").is_ok() && name("9p").is_ok());
        for (wrong, help) in [
            ("Elevator Switch", Some("write `elevator-switch`")),
            ("fs_config", Some("write `fs-config`")),
            ("-x-", Some("write `x`")),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(name(wrong).unwrap_err().help.as_deref(), help, "{wrong}");
        }
        assert!(name(&"a".repeat(65)).is_err());
    }

    #[test]
    fn kernel_words() {
        assert!(commit("370ac285f23a").is_ok() && commit("xyz").is_err() && commit("37").is_err());
        assert!(module("rsi_usb").is_ok() && module("vhci-hcd").is_ok());
        assert_eq!(module("null_blk.ko.xz").unwrap_err().help.as_deref(), Some("write `null_blk`"));
        assert!(config("SLUB_DEBUG=y").is_ok() && config("NR_CPUS=64").is_ok() && config("A=").is_err());
        assert_eq!(
            config("CONFIG_KASAN=y").unwrap_err().help.as_deref(),
            Some("leave `CONFIG_` out: `KASAN=y`")
        );
        assert!(
            sysctl("kernel.panic").is_ok() && sysctl("../etc/passwd").is_err() && sysctl("panic").is_err()
        );
        assert!(file_name("disk.img").is_ok() && file_name("../disk.img").is_err());
        assert!(link("https://lore.kernel.org/x").is_ok() && link("lore.kernel.org").is_err());
    }

    #[test]
    fn the_word_that_was_meant() {
        let keys = ["cpus", "memory", "cmdline", "disks", "per-iteration"];
        for (word, expected) in [
            ("cpu", Some("cpus")),
            ("per_iteration", Some("per-iteration")),
            ("Memory", Some("memory")),
            ("zzz", None),
        ] {
            assert_eq!(meant(word, keys), expected, "{word}");
        }
    }
}
