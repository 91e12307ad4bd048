//! What a module says about itself: the `.modinfo` section, strings of the form `key=value`, each ended by a zero byte.

use object::read::elf::ElfFile64;
use object::{Object, ObjectSection};
use serde::{Deserialize, Serialize};

/// The entries of one module's `.modinfo` that loading needs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModInfo {
    /// The module's own name, always with `_`.
    pub name: Option<String>,
    /// Modules whose symbols it uses.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends: Vec<String>,
    /// Modules that should be loaded before it, if they exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Modules that should be loaded after it, if they exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<String>,
    /// Other names. Device patterns (`pci:v…*`) are left out: there are tens of thousands and nothing here matches devices.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The release it was built for is the first word.
    #[serde(skip)]
    pub vermagic: Option<String>,
}

/// Reads the `.modinfo` of an uncompressed module. The error is a phrase without the module's name.
pub fn read(elf: &[u8]) -> Result<ModInfo, String> {
    let file = ElfFile64::<object::Endianness>::parse(elf)
        .map_err(|error| format!("no 64-bit ELF file: {error}"))?;
    let section = file.section_by_name(".modinfo").ok_or("it has no .modinfo section")?;
    Ok(parse(section.data().map_err(|error| format!("its .modinfo cannot be read: {error}"))?))
}

/// Reads the strings of a `.modinfo` section.
fn parse(section: &[u8]) -> ModInfo {
    let mut info = ModInfo::default();
    for (key, value) in entries(section) {
        match key {
            "name" => info.name = Some(normalise(value)),
            "depends" => info.depends.extend(value.split(',').filter(|name| !name.is_empty()).map(normalise)),
            "softdep" => softdep(value, &mut info),
            // a weak dependency only has to be at hand; loading it first does that
            "weakdep" => info.before.extend(value.split_whitespace().map(normalise)),
            "alias" if is_name(value) => info.aliases.push(normalise(value)),
            "vermagic" => info.vermagic = Some(value.to_string()),
            _ => {}
        }
    }
    info
}

/// The aliases in `modules.builtin.modinfo`, whose strings read `module.key=value`: (alias, module).
pub fn builtin_aliases(file: &[u8]) -> Vec<(String, String)> {
    entries(file)
        .filter_map(|(key, value)| Some((key.strip_suffix(".alias")?, value)))
        .filter(|(_, alias)| is_name(alias))
        .map(|(module, alias)| (normalise(alias), normalise(module)))
        .collect()
}

fn entries(section: &[u8]) -> impl Iterator<Item = (&str, &str)> {
    section.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok()?.split_once('='))
}

/// Reads `pre: a b post: c`.
fn softdep(value: &str, info: &mut ModInfo) {
    let mut before = true;
    for word in value.split_whitespace() {
        match word {
            "pre:" => before = true,
            "post:" => before = false,
            name if before => info.before.push(normalise(name)),
            name => info.after.push(normalise(name)),
        }
    }
}

/// Whether an alias is a plain name and no pattern for devices.
fn is_name(alias: &str) -> bool {
    !alias.contains([':', '*', '?', '['])
}

/// The spelling of a module name inside the kernel: `-` and `_` are the same.
pub fn normalise(name: &str) -> String {
    name.replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_loading_needs() {
        let section =
            b"license=GPL\0name=cifs\0depends=libarc4,dns-resolver,\0softdep=pre: ecb nls post: late-one\0\
            alias=fs-cifs\0alias=pci:v00001AF4d*\0vermagic=6.17.13 SMP mod_unload\0\0broken\0\xff\xfe=x\0";
        let info = parse(section);
        assert_eq!(info.name.as_deref(), Some("cifs"));
        assert_eq!(info.depends, ["libarc4", "dns_resolver"]);
        assert_eq!(info.before, ["ecb", "nls"]);
        assert_eq!(info.after, ["late_one"]);
        assert_eq!(info.aliases, ["fs_cifs"]);
        assert_eq!(info.vermagic.as_deref(), Some("6.17.13 SMP mod_unload"));
    }

    #[test]
    fn reads_aliases_of_builtin_modules() {
        let file = b"ext4.license=GPL\0ext4.alias=fs-ext4\0nvme.alias=pci:v*\0";
        assert_eq!(builtin_aliases(file), [("fs_ext4".to_string(), "ext4".to_string())]);
    }

    #[test]
    fn refuses_what_is_no_module() {
        insta::assert_snapshot!(read(b"hello").expect_err("no ELF file"), @"no 64-bit ELF file: Invalid ELF header size or alignment");
    }
}
