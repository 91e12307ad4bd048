//! The words of a variable in a Makefile, as far as they stand there.

/// Architectures whose parts of a Makefile are passed over, as they stand in conditions.
const OTHERS: &[&str] =
    &["arm64", "aarch64", "arm)", "powerpc", "ppc", "s390", "riscv", "mips", "sparc", "loongarch", "parisc"];

/// All words that a Makefile gives a variable. What other variables or functions would add is not known and left out, and so
/// is what a condition gives to another architecture than x86.
pub fn variable(makefile: &str, name: &str) -> Vec<String> {
    let mut words = Vec::new();
    // whether each open condition is of another architecture
    let mut conditions: Vec<bool> = Vec::new();
    for line in joined(makefile) {
        let text = line.trim();
        let first = text.split([' ', '(', '\t']).next().unwrap_or_default();
        match first {
            "ifeq" | "ifneq" | "ifdef" | "ifndef" => {
                let other = OTHERS.iter().any(|arch| text.contains(arch)) && !text.contains("x86");
                // `ifneq (,$(filter $(ARCH),arm64))` holds where the filter leaves something
                let holds = (first == "ifeq") != text.contains("(,$(filter");
                conditions.push(other && holds);
                continue;
            }
            "else" => {
                if let Some(condition) = conditions.last_mut() {
                    *condition = OTHERS.iter().any(|arch| text.contains(arch)) && !text.contains("x86");
                }
                continue;
            }
            "endif" => {
                conditions.pop();
                continue;
            }
            _ => {}
        }
        if conditions.contains(&true) || line.starts_with('\t') {
            continue;
        }
        let Some(rest) = text.strip_prefix(name) else { continue };
        let rest = rest.trim_start();
        let value = [":=", "::=", "+=", "?=", "="].iter().find_map(|sign| rest.strip_prefix(sign));
        let Some(value) = value else { continue };
        let value = without_references(value);
        let value = value.split('#').next().unwrap_or_default();
        let new =
            value.split_whitespace().filter(|word| is_plain(word) && !words.contains(&(*word).to_owned()));
        let new: Vec<String> = new.map(str::to_owned).collect();
        words.extend(new);
    }
    words
}

/// Whether a word is a file's name.
fn is_plain(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-./+".contains(&byte))
        && !word.starts_with(['-', '/', '.'])
}

/// A value without its references to variables and functions, and the words that are glued to one: what a shell in one of
/// them says is not known.
fn without_references(value: &str) -> String {
    let mut out = String::new();
    let mut depth = 0_usize;
    let mut before = ' ';
    for c in value.chars() {
        match c {
            '(' | '{' if depth > 0 || before == '$' => depth += 1,
            ')' | '}' if depth > 0 => depth -= 1,
            _ if depth == 0 => out.push(c),
            _ => {}
        }
        before = c;
    }
    out
}

/// Lines with those that a backslash continues.
fn joined(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut open = false;
    for line in text.lines() {
        let (part, continues) = match line.strip_suffix('\\') {
            Some(part) => (part, true),
            None => (line, false),
        };
        match lines.last_mut() {
            Some(last) if open => {
                last.push(' ');
                last.push_str(part);
            }
            _ => lines.push(part.to_owned()),
        }
        open = continues;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_collected_from_every_assignment() {
        let makefile = "\
CFLAGS += -O2
P := one \\
     two $(wildcard x*) # three
P += four one
ifeq ($(ARCH),arm64)
P += arm
else
P += x86_too
endif
ifneq (,$(filter $(ARCH),aarch64 arm64))
P += arm_of_two
endif
ifeq ($(ARCH),$(filter $(ARCH),x86 powerpc))
P += both
endif
P += $(patsubst %,$(OUT)/%.sh,$(shell awk '{print $$1}' list | sed -e 's/\\#//')) last $(A).glued
PX = no
all: $(P)
\tP = recipe
";
        assert_eq!(variable(makefile, "P"), ["one", "two", "four", "x86_too", "both", "last"]);
        assert_eq!(variable("", "P"), [] as [&str; 0]);
    }

    proptest! {
        #[test]
        fn no_makefile_panics(text in "(P|ifeq|else|endif|arm64|:=|\\+=| |\t|\\\\|\n|\\$\\(x\\)|é){0,60}") {
            variable(&text, "P");
        }
    }
}
