//! A source that is looked at, patched and given back.

use super::*;

#[test]
fn a_folder_without_and_with_a_patch_is_compiled_once() {
    let Some(world) = World::new() else { return };
    let builder = || world.builder().for_patches();
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
    let inspect = |request: &BuildRequest| {
        let read = |folder: &Path| fs::read_to_string(folder.join("fast.c")).expect("it is there");
        let looked = builder().inspect(request, &NoProgress, &Cancel::new(), read);
        looked.unwrap_or_else(|error| panic!("{error}"))
    };
    assert!(inspect(&baseline).contains("return 1") && inspect(&patched).contains("return 2"));
    assert_eq!(made(&baseline), ALL);
    assert_eq!(made(&patched), ["fast.o", "vmlinux", "fs/x.ko"], "only what the patch touches");

    let tree = builder().take_patches_off(&baseline.source, &NoProgress).expect("it is writable");
    let tree = tree.expect("there is a copy");
    assert_ne!(tree, world.path("linux"));
    let text = |folder: &Path| fs::read_to_string(folder.join("fast.c")).expect("it is there");
    assert!(text(&tree).contains("return 1") && text(&world.path("linux")).contains("return 1"));
    assert_eq!(builder().kept_tree(&baseline.source).expect("it is readable"), Some(tree));
}

/// What `fast()` returns in a kernel: the operand of `mov $N,%eax` behind `mov %rsp,%rbp`.
fn returned(kernel: &Kernel) -> u8 {
    let image = fs::read(kernel.boot_image()).expect("it is stored");
    let code = [0x48, 0x89, 0xe5, 0xb8];
    let at = image.windows(code.len()).position(|bytes| bytes == code);
    image[at.expect("it returns a constant") + code.len()]
}

#[test]
fn refs_of_a_repository_follow_each_other_and_each_line_has_a_tree() {
    let Some(world) = World::new() else { return };
    let fast = |n: u8| world.write("linux/fast.c", &format!("int fast(void) {{ return {n}; }}\n"));
    world.git(&["init", "--quiet"]);
    world.git(&["add", "."]);
    world.git(&["commit", "--quiet", "-m", "6.12.57"]);
    fast(3);
    world.git(&["commit", "--quiet", "-a", "-m", "a later one of the line"]);
    let older = MAKEFILE.replace("VERSION = 6\nPATCHLEVEL = 12", "VERSION = 5\nPATCHLEVEL = 10");
    world.write("linux/Makefile", &older);
    fast(5);
    world.git(&["commit", "--quiet", "-a", "-m", "another line"]);

    let builder = world.builder().for_patches();
    // as a validation does it: without, with, and the patch taken off again
    let validate = |reference: &str, n: u8| {
        let text = PATCH.replace("return 2", "return 9").replace("return 1", &format!("return {n}"));
        let baseline = world.git_request(reference);
        let patches = vec![Patch { name: "fix".into(), text: text.into() }];
        let patched = BuildRequest { patches, ..baseline.clone() };
        let mut made = Vec::new();
        for (request, expected) in [(&baseline, n), (&patched, 9)] {
            let heard = Heard::default();
            let kernel = builder.build(request, &heard, &Cancel::new());
            let kernel = kernel.unwrap_or_else(|error| panic!("{reference}: {error}"));
            assert_eq!(returned(&kernel), expected, "{reference}");
            made.push(heard.made().len());
        }
        let tree = builder.take_patches_off(&baseline.source, &NoProgress).expect("it is writable");
        let tree = tree.expect("there is a tree");
        let text = fs::read_to_string(tree.join("fast.c")).expect("it is there");
        assert!(text.contains(&format!("return {n}")), "{reference}: {text}");
        (made, tree)
    };
    let (made, first) = validate("HEAD~2", 1);
    assert_eq!(made, [4, 3]);
    let (made, second) = validate("HEAD~1", 3);
    assert_eq!(made, [3, 3], "what both commits have is not compiled again");
    let (made, other) = validate("HEAD", 5);
    assert_eq!(made, [4, 3]);
    assert!(first == second && first != other, "{first:?} {second:?} {other:?}");
    assert_eq!(builder.tree_of(&world.git_request("HEAD").source).expect("it is there"), other);
}

#[test]
fn of_two_states_of_a_queue_only_what_differs_is_compiled() {
    let Some(world) = World::new() else { return };
    let change = |name: &str, to: &str| {
        Patch {
        name: name.into(),
        text: format!(
            "--- a/{name}.c\n+++ b/{name}.c\n@@ -1 +1 @@\n-int {name}(void) {{ return 1; }}\n+int {name}(void) {{ return {to}; }}\n"
        )
        .into_bytes(),
    }
    };
    world.git(&["init", "-q"]);
    world.git(&["add", "."]);
    world.git(&["commit", "-q", "-m", "Linux 6.12.57"]);
    for source in [world.request().source, world.git_request("HEAD").source] {
        let made = |patches: &[Patch]| {
            let heard = Heard::default();
            let request =
                BuildRequest { patches: patches.to_vec(), source: source.clone(), ..world.request() };
            let builder = world.builder().for_patches();
            builder.build(&request, &heard, &Cancel::new()).unwrap_or_else(|error| panic!("{error}"));
            heard.made()
        };
        let (fast, slow) = (change("fast", "2"), change("slow", "3"));
        assert_eq!(made(&[]), ALL, "{source:?}");
        assert_eq!(made(&[fast.clone(), slow.clone()]), ALL);
        // the same of one file, another of the other
        assert_eq!(made(std::slice::from_ref(&fast)), ["slow.o", "vmlinux", "fs/x.ko"]);
        assert_eq!(made(&[fast, change("slow", "4")]), ["slow.o", "vmlinux", "fs/x.ko"]);
        assert_eq!(made(&[change("slow", "4")]), ["fast.o", "vmlinux", "fs/x.ko"]);
    }
}
