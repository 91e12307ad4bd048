use super::*;

fn path(path: &str) -> Path {
    Path::parse(path.as_bytes()).expect("a good path")
}

fn folder() -> Kind {
    Kind::Folder(BTreeMap::new())
}

fn put(tree: &mut Tree, at: &str, kind: Kind) -> Result<(), NoPlace> {
    tree.put(&path(at), Attributes::of_root(0o755), kind)
}

fn link(target: &str) -> Kind {
    Kind::Link(target.into())
}

/// All names, `/` behind folders, targets behind links.
fn names(tree: &Tree) -> String {
    fn below(tree: &Tree, id: Id, at: &str, names: &mut Vec<String>) {
        for (name, id) in tree.entries(id) {
            let name = format!("{at}/{}", shown(name));
            names.push(match &tree.node(id).kind {
                Kind::Folder(_) => format!("{name}/"),
                Kind::Link(target) => format!("{name}>{}", shown(target)),
                _ => name.clone(),
            });
            below(tree, id, &name, names);
        }
    }
    let mut found = Vec::new();
    below(tree, ROOT, "", &mut found);
    found.join(" ")
}

#[test]
fn a_package_that_says_bin_gets_into_usr_bin() {
    let mut tree = Tree::new(LinkedFolders::Stay);
    put(&mut tree, "usr/bin", folder()).expect("a place");
    put(&mut tree, "bin", link("usr/bin")).expect("a place");
    put(&mut tree, "bin", folder()).expect("a place");
    put(&mut tree, "bin/bash", Kind::Pipe).expect("a place");
    tree.put_second(&path("usr/bin/rbash"), &path("bin/bash")).expect("it is there");
    assert_eq!(names(&tree), "/bin>usr/bin /usr/ /usr/bin/ /usr/bin/bash /usr/bin/rbash");
    assert_eq!(tree.find("/bin/bash"), tree.find("/usr/bin/rbash"));
    assert_eq!(tree.size(), (5, 0), "the second name is no second file, the root is one");
}

#[test]
fn links_lead_nowhere_but_into_the_tree() {
    let mut tree = Tree::new(LinkedFolders::Replaced);
    put(&mut tree, "etc/passwd", Kind::Pipe).expect("a place");
    for (at, target) in [("out", "../../../.."), ("a", "b"), ("b", "a"), ("abs", "/etc"), ("none", "nowhere")]
    {
        put(&mut tree, at, link(target)).expect("a place");
    }
    assert_eq!(tree.find("out/etc/passwd"), tree.find("/etc/passwd"));
    assert_eq!(tree.find("abs/../out/abs/passwd"), None, "`..` is in no path that is asked for");
    put(&mut tree, "out/evil", Kind::Pipe).expect("within the tree");
    assert!(tree.has_name("evil"));
    assert_eq!(put(&mut tree, "a/x", Kind::Pipe), Err(NoPlace::Loop));
    assert_eq!(put(&mut tree, "etc/passwd/x", Kind::Pipe), Err(NoPlace::NotAFolder));
    assert_eq!(put(&mut tree, "none/x", Kind::Pipe), Err(NoPlace::NotAFolder));
    assert_eq!(put(&mut tree, "etc", Kind::Pipe), Err(NoPlace::FullFolder));
    assert_eq!(tree.put_second(&path("x"), &path("etc")), Err(NoPlace::FolderTarget));
    assert_eq!(tree.put_second(&path("x"), &path("y")), Err(NoPlace::NoTarget));
    // what comes in the place of a link does not go through it
    put(&mut tree, "abs", folder()).expect("a place");
    put(&mut tree, "abs/new", Kind::Pipe).expect("a place");
    assert!(!tree.has_name("etc/new"));
}

#[test]
fn layers_take_away_what_others_brought_and_nothing_of_their_own() {
    let mut tree = Tree::new(LinkedFolders::Replaced);
    for at in ["a/one", "a/two", "b/deep/x", "c"] {
        put(&mut tree, at, Kind::Pipe).expect("a place");
    }
    tree.next_layer();
    put(&mut tree, "a/three", Kind::Pipe).expect("a place");
    put(&mut tree, "b/deep/y", Kind::Pipe).expect("a place");
    tree.make_opaque(&path("a"));
    tree.white_out(&path("b"));
    tree.white_out(&path("c"));
    tree.white_out(&path("not/there"));
    assert_eq!(names(&tree), "/a/ /a/three /b/ /b/deep/ /b/deep/y");
    tree.next_layer();
    put(&mut tree, "a", Kind::Pipe).expect("a file may replace a folder of an earlier layer");
    assert_eq!(names(&tree), "/a /b/ /b/deep/ /b/deep/y");
}

proptest::proptest! {
    /// Whatever comes, nothing panics, and what can be found has a place.
    #[test]
    fn nothing_of_an_archive_breaks_a_tree(
        steps in proptest::collection::vec(("[ab./]{0,8}", "[ab./]{0,8}", 0..6_u8), 0..40),
    ) {
        let mut tree = Tree::new(LinkedFolders::Stay);
        for (at, other, what) in steps {
            let (Ok(at), Ok(target)) = (Path::parse(at.as_bytes()), Path::parse(other.as_bytes())) else { continue };
            let attributes = Attributes::of_root(0o644);
            let _ = match what {
                0 => tree.put(&at, attributes, Kind::Pipe),
                1 => tree.put(&at, attributes, folder()),
                2 => tree.put(&at, attributes, link(&other)),
                3 => tree.put_second(&at, &target),
                4 => { tree.white_out(&at); Ok(()) }
                _ => { tree.make_opaque(&at); tree.next_layer(); Ok(()) }
            };
        }
        let _ = (tree.size(), names(&tree));
    }
}
