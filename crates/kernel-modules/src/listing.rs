//! The files that depmod(8) and the kernel's build leave in `lib/modules/RELEASE`, made from what the index knows
//! (modules.dep(5)). Patterns for devices, which the index leaves out, are not in `modules.alias`, and of built-in modules only
//! the names are known, not their folders.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::tree::{ModuleState, ModuleTree};

/// The modules that each module needs, dependencies first, without itself.
type Needs<'t> = BTreeMap<&'t str, Vec<&'t str>>;

impl ModuleTree {
    /// Name and contents of each file. None where nothing is known about this kernel's modules.
    pub fn listing(&self) -> Vec<(&'static str, String)> {
        if self.find("") == ModuleState::Unknown {
            return Vec::new();
        }
        let mut needs = Needs::new();
        for name in self.names() {
            self.gather(name, &mut needs, 0);
        }
        let mut text =
            ["modules.dep", "modules.order", "modules.alias", "modules.softdep", "modules.builtin"]
                .map(|name| (name, String::new()));
        let [(_, dep), (_, order), (_, alias), (_, softdep), (_, builtin)] = &mut text;
        for (name, entry) in &self.index().modules {
            // loaded from the end to the beginning
            let needed = needs.get(name.as_str()).into_iter().flatten().rev();
            let paths: String = needed
                .filter_map(|name| Some(format!(" {}", self.index().modules.get(*name)?.path)))
                .collect();
            let _ = writeln!(dep, "{}:{paths}", entry.path);
            let _ = writeln!(order, "{}", entry.path);
            for other in &entry.info.aliases {
                let _ = writeln!(alias, "alias {other} {name}");
            }
            let (before, after) = (&entry.info.before, &entry.info.after);
            let wishes = [("pre", before), ("post", after)].map(|(when, wishes)| match wishes.as_slice() {
                [] => String::new(),
                wishes => format!(" {when}: {}", wishes.join(" ")),
            });
            if wishes.iter().any(|wish| !wish.is_empty()) {
                let _ = writeln!(softdep, "softdep {name}{}{}", wishes[0], wishes[1]);
            }
        }
        for name in &self.index().builtin {
            let _ = writeln!(builtin, "kernel/{name}.ko");
        }
        text.into()
    }

    /// Puts what a module needs into `needs`, and the same for each of those first. No module needs itself, but a damaged tree
    /// must end, too.
    fn gather<'t>(&'t self, name: &'t str, needs: &mut Needs<'t>, depth: usize) {
        const DEEPEST: usize = 64;
        if needs.contains_key(name) || depth > DEEPEST {
            return;
        }
        let Some(entry) = self.index().modules.get(name) else { return };
        let mut all: Vec<&str> = Vec::new();
        for dependency in &entry.info.depends {
            if !self.index().modules.contains_key(dependency) {
                continue;
            }
            self.gather(dependency, needs, depth + 1);
            let below = needs.get(dependency.as_str()).cloned().unwrap_or_default();
            for name in below.into_iter().chain([dependency.as_str()]) {
                if !all.contains(&name) {
                    all.push(name);
                }
            }
        }
        needs.insert(name, all);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::{IndexEntry, ModInfo, ModuleIndex, ModuleTree};

    fn list(words: &str) -> Vec<String> {
        words.split_whitespace().map(String::from).collect()
    }

    #[test]
    fn files_are_those_of_depmod() {
        let mut index = ModuleIndex { release: "6.1".into(), ..ModuleIndex::default() };
        index.builtin.insert("ext4".into());
        let modules = [
            ("sctp", "libcrc32c udp_tunnel ext4", "", "net_pf_2_proto_132"),
            ("libcrc32c", "crc32c", "crc32c", ""),
            ("crc32c", "", "", ""),
            ("udp_tunnel", "libcrc32c", "", ""),
            ("one", "two", "", ""),
            ("two", "one", "", ""),
        ];
        for (name, depends, before, aliases) in modules {
            let (depends, before, aliases) = (list(depends), list(before), list(aliases));
            let info = ModInfo { depends, before, aliases, ..ModInfo::default() };
            let path = format!("kernel/{}.ko.xz", name.replace('_', "-"));
            index.modules.insert(name.into(), IndexEntry { path, offset: 0, length: 0, info });
        }
        let tree = ModuleTree::in_folder(index, Path::new("nowhere"));
        let text: String =
            tree.listing().into_iter().map(|(name, text)| format!("== {name}\n{text}")).collect();
        insta::assert_snapshot!(text, @r"
        == modules.dep
        kernel/crc32c.ko.xz:
        kernel/libcrc32c.ko.xz: kernel/crc32c.ko.xz
        kernel/one.ko.xz: kernel/one.ko.xz kernel/two.ko.xz
        kernel/sctp.ko.xz: kernel/udp-tunnel.ko.xz kernel/libcrc32c.ko.xz kernel/crc32c.ko.xz
        kernel/two.ko.xz: kernel/one.ko.xz kernel/two.ko.xz
        kernel/udp-tunnel.ko.xz: kernel/libcrc32c.ko.xz kernel/crc32c.ko.xz
        == modules.order
        kernel/crc32c.ko.xz
        kernel/libcrc32c.ko.xz
        kernel/one.ko.xz
        kernel/sctp.ko.xz
        kernel/two.ko.xz
        kernel/udp-tunnel.ko.xz
        == modules.alias
        alias net_pf_2_proto_132 sctp
        == modules.softdep
        softdep libcrc32c pre: crc32c
        == modules.builtin
        kernel/ext4.ko
        ");
        assert!(ModuleTree::unknown("6.1").listing().is_empty());
    }
}
