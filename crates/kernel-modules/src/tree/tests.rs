use super::*;

/// A tree from lines `name: dependencies; before; after`.
fn tree(lines: &[&str]) -> ModuleTree {
    let mut index = ModuleIndex { release: "6.17.13".to_string(), ..ModuleIndex::default() };
    index.builtin.insert("ext4".to_string());
    for line in lines {
        let (name, rest) = line.split_once(':').expect("a name");
        let mut lists = rest.split(';').map(|list| list.split_whitespace().map(String::from).collect());
        let mut next = || lists.next().unwrap_or_default();
        let info = ModInfo { depends: next(), before: next(), after: next(), ..ModInfo::default() };
        let entry = IndexEntry { path: format!("kernel/{name}.ko"), offset: 0, length: 0, info };
        index.modules.insert(name.to_string(), entry);
    }
    ModuleTree::in_folder(index, Path::new("nowhere"))
}

#[test]
fn orders_dependencies_first_and_each_once() {
    let tree = tree(&[
        "a: b c",
        "b: d",
        "c: d ext4",
        "d:",
        "s:; t; u",
        "t:; s",
        "u:",
        "w:; gone",
        // as the kernel's: what an algorithm needs wishes for a manager that needs it itself
        "crypto:",
        "crypto_algapi: crypto; cryptomgr",
        "crypto_hash: crypto_algapi",
        "cryptomgr: crypto_hash crypto_algapi",
        "crc32c_generic: crypto_hash",
        // a wish within a wish that needs the first of them
        "one:; two",
        "two:; three",
        "three: one",
    ]);
    let table: [(&[&str], &str); 9] = [
        (&["a"], "d b c a"),
        (&["c", "a"], "d c b a"),
        (&["a", "a", "d"], "d b c a"),
        (&["s"], "t s u"),
        (&["w"], "w"),
        (&["ext4"], ""),
        (&["crc32c-generic"], "crypto crypto_algapi crypto_hash cryptomgr crc32c_generic"),
        (&["cryptomgr"], "crypto crypto_algapi crypto_hash cryptomgr"),
        (&["one"], "two one three"),
    ];
    for (names, expected) in table {
        let order = tree.load_order(names).unwrap_or_else(|error| panic!("{names:?}: {error}"));
        let order: Vec<&str> = order.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(order.join(" "), expected, "{names:?}");
    }
}

#[test]
fn what_is_only_wished_for_may_fail() {
    let mut tree = tree(&[
        "cifs: nls; aes late",
        "nls:; fast",
        "fast:",
        "late:",
        "aes_generic:",
        "padlock_aes: via",
        "via:",
    ]);
    for name in ["aes_generic", "padlock_aes"] {
        tree.aliases.entry("aes".into()).or_default().push(name.into());
    }
    let order = tree.load_order(&["cifs"]).expect("all are there");
    let order: Vec<String> = order
        .iter()
        .map(|file| if file.optional { format!("({})", file.name) } else { file.name.clone() })
        .collect();
    assert_eq!(order.join(" "), "(aes_generic) (via) (padlock_aes) (late) (fast) nls cifs");
    // a soft dependency of one that another needs is required
    let required = tree.load_order(&["cifs", "late"]).expect("all are there");
    assert!(required.iter().any(|file| file.name == "late" && !file.optional));
}

#[test]
fn reads_modules_that_are_stored_in_any_way() {
    use crate::{compression::packed, fixtures};
    let elf = fixtures::module(&[("name", "one"), ("vermagic", "6.17.13 SMP")]);
    let mut index = ModuleIndex { release: "6.17.13".to_string(), ..ModuleIndex::default() };
    let mut bytes = Vec::new();
    let stored = [
        ("raw", elf.clone()),
        ("packed", packed(elf.clone()).expect("memory takes anything")),
        ("zstd", fixtures::zstd(&elf)),
    ];
    for (name, data) in stored {
        let (offset, length) = (bytes.len() as u64, data.len() as u64);
        let entry = IndexEntry { path: format!("{name}.ko"), offset, length, info: ModInfo::default() };
        index.modules.insert(name.to_string(), entry);
        bytes.extend(data);
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pack = folder.path().join("modules.pack");
    std::fs::write(&pack, bytes).expect("the temporary folder is writable");
    let tree = ModuleTree::packed(index, &pack);
    for file in tree.load_order(&["raw", "packed", "zstd"]).expect("all are there") {
        assert_eq!(tree.read(&file).expect(&file.name), elf, "{}", file.name);
    }
}

#[test]
fn says_which_module_is_missing() {
    let tree = tree(&["null_blk:", "broken: nowhere"]);
    let mut said = String::new();
    for name in ["nul-blk", "zfs", "broken", "ext5"] {
        said += &format!("{}\n", tree.load_order(&[name]).expect_err(name));
    }
    said += &ModuleTree::unknown("6.18.0-mine").load_order(&["cifs"]).expect_err("unknown").to_string();
    insta::assert_snapshot!(said, @"
    6.17.13 has no module `nul-blk`, neither built in nor loadable; did you mean `null_blk`?
    6.17.13 has no module `zfs`, neither built in nor loadable
    module `broken` of 6.17.13 depends on `nowhere`, which is neither built in nor loadable; the module tree is incomplete
    6.17.13 has no module `ext5`, neither built in nor loadable; did you mean `ext4`?
    module `cifs` is needed, but nothing is known about the modules of 6.18.0-mine; give their folder with --modules DIR
    ");
}
