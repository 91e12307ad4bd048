//! What a user reads when a kernel cannot be built.

use super::*;

#[test]
fn says_what_is_wrong() {
    let Some(world) = World::new() else { return };
    let mut said = String::new();
    let mut add = |what: &str, text: String| said += &format!("--- {what}\n{text}\n");
    let patch = |text: &str| vec![Patch { name: "fix.patch".into(), text: text.into() }];

    add(
        "a patch that does not apply",
        world.said(&BuildRequest {
            patches: patch(&PATCH.replace("return 1", "return 7")),
            ..world.request()
        }),
    );
    add("an unknown fragment", world.said(&BuildRequest { config: "tiny+kasam".into(), ..world.request() }));
    world.write("kernels/configs/typo.config", "CONFIG_KASSAN=y\n");
    world.write("linux/lost", "CONFIG_KASSAN=y\n");
    add("an option with a typo", world.said(&BuildRequest { config: "tiny+typo".into(), ..world.request() }));
    world.write("linux/lost", "CONFIG_KASAN=y\n");
    add(
        "an option that did not survive",
        world.said(&BuildRequest { config: "tiny+kasan".into(), ..world.request() }),
    );
    world.write("linux/slow.c", "int slow(void) { return one; }\n");
    add("a compile error", world.said(&world.request()));
    world.write("linux/slow.c", "int slow(void) { return 1; }\n");
    let full = MAKEFILE.replace(
        "\t@touch $(O)/System.map",
        "\t@echo 'ld: final link failed: No space left on device' >&2; exit 1",
    );
    world.write("linux/Makefile", &full);
    add("a full disk", world.said(&world.request()));
    world.write("linux/.config", "CONFIG_PVH=y\n");
    add("a tree that was compiled in place", world.said(&world.request()));
    insta::assert_snapshot!(said, @r"
    --- a patch that does not apply
    the patch fix.patch does not apply to ROOT/linux: hunk 1 of fast.c (line 3 of the patch) finds other lines at line 1 and nowhere fits:
        @@ -1 +1 @@
        -int fast(void) { return 7; }
        +int fast(void) { return 2; }
    --- an unknown fragment
    the configuration `tiny+kasam`: there is no fragment `kasam`; did you mean `kasan`?
    --- an option with a typo
    the configuration tiny+typo is not possible in this tree:
      ROOT/kernels/configs/typo.config:1: CONFIG_KASSAN=y was asked for, it came out as n: this tree has no such option; did you mean CONFIG_KASAN?
    add what an option needs, remove its line, or end the line with `# optional`
    --- an option that did not survive
    the configuration tiny+kasan is not possible in this tree:
      ROOT/kernels/configs/kasan.config:1: CONFIG_KASAN=y was asked for, it came out as n: it depends on `SLUB && !SLUB_TINY`, and here SLUB=n
    add what an option needs, remove its line, or end the line with `# optional`
    --- a compile error
    ROOT/linux does not compile with …
      slow.c: In function 'slow':
      slow.c:1:25: error: 'one' undeclared (first use in this function)
          1 | int slow(void) { return one; }
            |                         ^~~
      slow.c:1:25: note: each undeclared identifier is reported only once for each function it appears in
    the whole log is ROOT/cache/build/…/mine.log
    --- a full disk
    building mine failed on this host: the disk is full; make room (kregress cache gc) or choose another folder with KREGRESS_CACHE; the whole log is ROOT/cache/build/…/mine.log
    --- a tree that was compiled in place
    ROOT/linux: it has been compiled in place, and kbuild refuses to compile such a tree elsewhere; run `make mrproper` in it (it removes .config, too), or name it as git repository
    ");
}
