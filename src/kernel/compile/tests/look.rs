//! A source that is looked at, patched and given back.

use super::*;

#[test]
fn a_folder_without_and_with_a_patch_is_compiled_once() {
    let Some(world) = World::new() else { return };
    let builder = || world.builder().with_copies();
    let made = |request: &BuildRequest| {
        let heard = Heard::default();
        builder().build(request, &heard, &Cancel::new()).unwrap_or_else(|error| panic!("{error}"));
        heard.made()
    };
    let baseline = world.request();
    let patched = BuildRequest {
        name: "mine+patch".into(),
        patches: vec![Patch { name: "fix".into(), text: PATCH.into() }],
        ..baseline.clone()
    };
    let look = |request: &BuildRequest| {
        let read = |folder: &Path| fs::read_to_string(folder.join("fast.c")).expect("it is there");
        let looked = builder().look(request, &NoProgress, &Cancel::new(), read);
        looked.unwrap_or_else(|error| panic!("{error}"))
    };
    assert!(look(&baseline).contains("return 1") && look(&patched).contains("return 2"));
    assert_eq!(made(&baseline), ALL);
    assert_eq!(made(&patched), ["fast.o", "vmlinux", "fs/x.ko"], "only what the patch touches");

    let tree = builder().take_patches_off(&baseline.source, &NoProgress).expect("it is writable");
    let tree = tree.expect("there is a copy");
    assert_ne!(tree, world.path("linux"));
    let text = |folder: &Path| fs::read_to_string(folder.join("fast.c")).expect("it is there");
    assert!(text(&tree).contains("return 1") && text(&world.path("linux")).contains("return 1"));
    assert_eq!(builder().kept_tree(&baseline.source).expect("it is readable"), Some(tree));
}
