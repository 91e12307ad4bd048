//! The whole way from a source to a stored kernel, with a stand-in for a kernel's source: a Makefile that knows the same
//! targets and makes files of the same names.

use parking_lot::Mutex;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::*;
use crate::kernel::{DebugState, KernelError, KernelSpec, Library, ModuleState, NoProgress};

mod architectures;
mod errors;
mod inspect;

const MAKEFILE: &str = "# a stand-in
VERSION = 6
PATCHLEVEL = 12
SUBLEVEL = 57
EXTRAVERSION =

allnoconfig alldefconfig:
\t@grep -v -x -f lost $(KCONFIG_ALLCONFIG) > $(O)/.config || true

vmlinux: $(O)/fast.o $(O)/slow.o
\t@echo '  LD      vmlinux'
\t@mkdir -p $(O)/include/config
\t@echo 6.12.57$(LOCALVERSION) > $(O)/include/config/kernel.release
\t@$(CC) -nostdlib -static -Wl,-e,fast -o $(O)/vmlinux $(O)/fast.o $(O)/slow.o
\t@echo kernel/fs/built-in.ko > $(O)/modules.builtin
\t@touch $(O)/System.map

Image: vmlinux
\t@echo $(CROSS_COMPILE) > ../cross
\t@mkdir -p $(O)/arch/arm64/boot
\t@(head -c 56 /dev/zero; echo ARMd; head -c 4096 /dev/zero) > $(O)/arch/arm64/boot/Image

modules: vmlinux
\t@echo $(CROSS_COMPILE) > ../cross
\t@echo '  LD [M]  fs/x.ko'
\t@mkdir -p $(O)/fs
\t@echo 'char name[] __attribute__((section(\".modinfo\"))) = \"name=x\";' \\
\t  'char magic[] __attribute__((section(\".modinfo\"))) = \"vermagic=6.12.57$(LOCALVERSION) SMP\";' > $(O)/fs/x.mod.c
\t@$(CC) -c -o $(O)/fs/x.ko $(O)/fs/x.mod.c
\t@echo fs/x.o > $(O)/modules.order

$(O)/%.o: %.c
\t@echo '  CC      $*.o'
\t@if [ $* = slow ]; then while [ -e ../hold ]; do sleep 0.02; done; fi
\t@$(CC) -c -o $@ $<
\t@echo $* >> $(O)/compiled
";

/// A stand-in for a source, a catalogue with fragments, and a cache, in one temporary folder.
struct World {
    root: tempfile::TempDir,
}

type Act = Box<dyn Fn() + Sync + Send>;

/// Keeps what is reported, and does something at a step.
#[derive(Default)]
struct Heard {
    stages: Mutex<Vec<Stage>>,
    at: Option<(&'static str, Act)>,
}

impl FetchProgress for Heard {
    fn report(&self, _: &str, stage: Stage) {
        if let (Some((file, act)), Stage::Compile { file: made, .. }) = (&self.at, &stage)
            && made == file
        {
            act();
        }
        self.stages.lock().push(stage);
    }
}

impl Heard {
    fn acting(file: &'static str, act: impl Fn() + Sync + Send + 'static) -> Heard {
        Heard { at: Some((file, Box::new(act))), ..Heard::default() }
    }

    /// The files that were made.
    fn made(&self) -> Vec<String> {
        let stages = self.stages.lock();
        let file = |stage: &Stage| match stage {
            Stage::Compile { file, .. } if !file.is_empty() => Some(file.clone()),
            _ => None,
        };
        stages.iter().filter_map(file).collect()
    }
}

impl World {
    /// `None`, with a loud remark, where the tools are missing.
    fn new() -> Option<World> {
        let missing = ["make", "gcc", "ld", "objcopy", "patch", "git", "tar"]
            .into_iter()
            .find(|tool| compiler::on_path(tool).is_none());
        if let Some(tool) = missing {
            loud_skip::skip(format_args!("there is no {tool} on this host"));
            return None;
        }
        let world = World { root: tempfile::tempdir().expect("a temporary folder") };
        let kconfig = "config PVH\n\tbool\nconfig MODULES\n\tbool\nconfig KASAN\n\tbool\n\tdepends on SLUB && !SLUB_TINY\n";
        for (file, text) in [
            ("linux/Makefile", MAKEFILE),
            ("linux/Kbuild", ""),
            ("linux/Kconfig", kconfig),
            ("linux/lost", ""),
            ("linux/fast.c", "int fast(void) { return 1; }\n"),
            ("linux/slow.c", "int slow(void) { return 1; }\n"),
            ("kernels/configs/tiny.config", "# base: allnoconfig\nCONFIG_PVH=y\nCONFIG_MODULES=y\n"),
            ("kernels/configs/kasan.config", "CONFIG_KASAN=y\n"),
        ] {
            world.write(file, text);
        }
        Some(world)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.root.path().join(below)
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().expect("a folder")).expect("it is writable");
        fs::write(path, text).expect("it is writable");
    }

    fn builder(&self) -> Builder {
        Builder::new(&self.path("cache"), &[self.path("kernels")])
    }

    fn request(&self) -> BuildRequest {
        BuildRequest {
            arch: crate::arch::GUEST,
            name: "mine".to_string(),
            source: BuildSource::Folder(self.path("linux")),
            patches: Vec::new(),
            config: "tiny".to_string(),
            compiler: None,
            jobs: Some(1),
        }
    }

    fn git_request(&self, reference: &str) -> BuildRequest {
        let (repository, reference) = (self.path("linux"), reference.to_string());
        BuildRequest { source: BuildSource::Git { repository, reference }, ..self.request() }
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "init.defaultBranch=main"])
            .args(arguments)
            .current_dir(self.path("linux"))
            .output()
            .expect("git is there");
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_string()
    }

    /// Builds and answers what was made on the way.
    fn build(&self, request: &BuildRequest) -> Result<(Kernel, Vec<String>), BuildError> {
        let heard = Heard::default();
        let kernel = self.builder().build(request, &heard, &Cancel::new())?;
        Ok((kernel, heard.made()))
    }

    fn made(&self, request: &BuildRequest) -> Vec<String> {
        self.build(request).unwrap_or_else(|error| panic!("{error}")).1
    }

    fn said(&self, request: &BuildRequest) -> String {
        let error = self
            .build(request)
            .map(|(kernel, _)| kernel.release)
            .expect_err("it cannot be built")
            .to_string();
        let error = error.replace(&self.root.path().display().to_string(), "ROOT");
        let places = regex::Regex::new("(folder|git)-[0-9a-f]{12}|gcc \\(.*").expect("a pattern");
        places.replace_all(&error, "…").into_owned()
    }
}

const ALL: [&str; 4] = ["fast.o", "slow.o", "vmlinux", "fs/x.ko"];
const PATCH: &str =
    "--- a/fast.c\n+++ b/fast.c\n@@ -1 +1 @@\n-int fast(void) { return 1; }\n+int fast(void) { return 2; }\n";

#[test]
fn debug_information_is_kept_beside_a_kernel_that_was_built_with_some() {
    let Some(world) = World::new() else { return };
    let library = || Library::open(&world.path("cache"), &[world.path("kernels")]).expect("a good catalogue");
    let built = |config: &str| {
        let request = BuildRequest { config: config.to_owned(), ..world.request() };
        let built = world.builder().build(&request, &NoProgress, &Cancel::new());
        built.unwrap_or_else(|error| panic!("{error}"))
    };
    let DebugState::Nowhere(why) = library().debug_of(&built("tiny")) else { panic!("it has none") };
    insta::assert_snapshot!(why, @"kernel mine was compiled without debug information; add `debuginfo` to its configuration (config: tiny+debuginfo), and it is kept with the kernel");

    let kernel = built("tiny+debuginfo");
    let DebugState::Here(folder) = library().debug_of(&kernel) else { panic!("it is kept") };
    let mut names: Vec<String> = fs::read_dir(&folder)
        .expect("the folder")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["System.map.gz", "debug.json", "vmlinux.gz", "x.ko.gz"]);
    assert_eq!(library().collect_garbage(0).expect("a writable store").debug.len(), 1);
    let DebugState::Nowhere(why) = library().debug_of(&kernel) else { panic!("it was removed") };
    assert!(why.contains("not in the cache any more; remove "), "{why}");
}

#[test]
fn a_source_becomes_a_kernel_once() {
    let Some(world) = World::new() else { return };
    let (kernel, made) = world.build(&world.request()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(made, ALL);
    assert_eq!((kernel.name.as_str(), kernel.release.as_str()), ("mine", "6.12.57-tiny"));
    assert_eq!(kernel.version.upstream().to_string(), "6.12.57");
    assert_eq!((kernel.flavour, &kernel.vmlinux), (None, &None), "the image is an ELF kernel itself");
    assert!(fs::read(kernel.boot_image()).expect("it is stored").starts_with(b"\x7fELF"));
    assert_eq!(kernel.config.as_ref().and_then(|config| config.get("PVH")), Some("y"));
    assert_eq!(
        (kernel.modules.find("x"), kernel.modules.find("built_in")),
        (ModuleState::Loadable, ModuleState::Builtin)
    );
    let order = kernel.modules.load_order(&["x"]).expect("it is there");
    assert!(kernel.modules.read(&order[0]).expect("it is stored").starts_with(b"\x7fELF"));
    let KernelOrigin::Built { source, config, .. } = &kernel.origin else { panic!("{:?}", kernel.origin) };
    assert_eq!((source, config.as_str()), (&world.path("linux").display().to_string(), "tiny"));

    assert!(world.made(&world.request()).is_empty(), "the same input is not built twice");
    // a new time is no new contents
    world.write("linux/fast.c", "int fast(void) { return 1; }\n");
    assert!(world.made(&world.request()).is_empty());
}

#[test]
fn after_a_change_only_what_depends_on_it_is_made() {
    let Some(world) = World::new() else { return };
    world.made(&world.request());
    world.write("linux/fast.c", "int fast(void) { return 3; }\n");
    assert_eq!(world.made(&world.request()), ["fast.o", "vmlinux", "fs/x.ko"]);
    assert!(!world.path("linux/fast.o").exists() && !world.path("linux/.config").exists());

    let patched = BuildRequest {
        patches: vec![Patch { name: "fix.patch".into(), text: PATCH.replace("return 1", "return 3").into() }],
        ..world.request()
    };
    assert_eq!(world.made(&patched), ALL, "a copy of the folder is patched, not the folder");
    assert!(fs::read_to_string(world.path("linux/fast.c")).expect("it is there").contains("return 3"));
    assert!(world.made(&patched).is_empty());
    let again = BuildRequest {
        patches: vec![Patch {
            name: "2".into(),
            text: PATCH.replace("return 1", "return 3").replace("return 2", "return 4").into(),
        }],
        ..patched
    };
    assert_eq!(world.made(&again), ["fast.o", "vmlinux", "fs/x.ko"]);
}

#[test]
fn a_fragment_that_is_edited_meanwhile_changes_no_later_build() {
    let Some(world) = World::new() else { return };
    let builder = world.builder().for_patches();
    let config = |request: &BuildRequest| {
        let kernel = builder.build(request, &NoProgress, &Cancel::new()).unwrap_or_else(|e| panic!("{e}"));
        let has = |option| kernel.config.as_ref().and_then(|config| config.get(option)).map(str::to_owned);
        (kernel.digest.clone(), has("PVH"), has("KASAN"))
    };
    let baseline = config(&world.request());
    world.write(
        "kernels/configs/tiny.config",
        "# base: allnoconfig\nCONFIG_PVH=y\nCONFIG_MODULES=y\nCONFIG_KASAN=y\n",
    );
    let patch = Patch { name: "fix".into(), text: PATCH.into() };
    let patched = config(&BuildRequest { patches: vec![patch], ..world.request() });
    assert_ne!(baseline.0, patched.0);
    assert_eq!((&baseline.1, &baseline.2), (&patched.1, &patched.2));
    assert_eq!(patched.2, None);
    // another command reads what is there then
    let (kernel, _) = world.build(&world.request()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(kernel.config.as_ref().and_then(|config| config.get("KASAN")), Some("y"));
}

#[test]
fn commits_share_a_build_folder_and_the_repository_stays_as_it_is() {
    let Some(world) = World::new() else { return };
    world.git(&["init", "--quiet"]);
    world.git(&["add", "."]);
    world.git(&["commit", "--quiet", "-m", "one"]);
    world.write("linux/slow.c", "int slow(void) { return 2; }\n");
    world.git(&["commit", "--quiet", "-a", "-m", "two"]);
    world.git(&["commit", "--quiet", "--allow-empty", "-m", "the same files"]);
    world.write("linux/fast.c", "not committed");
    let before = (
        world.git(&["status", "--porcelain"]),
        world.git(&["worktree", "list"]),
        world.git(&["for-each-ref"]),
    );

    assert_eq!(world.made(&world.git_request("HEAD~2")), ALL);
    assert_eq!(world.made(&world.git_request("HEAD")), ["slow.o", "vmlinux", "fs/x.ko"]);
    assert!(world.made(&world.git_request("HEAD~1")).is_empty(), "it holds the same files as HEAD");
    let patch = Patch { name: "fix.patch".into(), text: PATCH.into() };
    let patched = BuildRequest { patches: vec![patch], ..world.git_request("HEAD") };
    assert_eq!(world.made(&patched), ["fast.o", "vmlinux", "fs/x.ko"]);

    let after = (
        world.git(&["status", "--porcelain"]),
        world.git(&["worktree", "list"]),
        world.git(&["for-each-ref"]),
    );
    assert_eq!(before, after);
    insta::assert_snapshot!(world.said(&world.git_request("maim")), @"the repository ROOT/linux: it has no commit `maim`; did you mean `main`?");
}

#[test]
fn only_a_build_from_nothing_has_a_total_and_gives_one() {
    let Some(world) = World::new() else { return };
    let totals = |request: &BuildRequest| {
        let heard = Heard::default();
        world.builder().build(request, &heard, &Cancel::new()).unwrap_or_else(|error| panic!("{error}"));
        let stages = heard.stages.into_inner();
        let mut totals: Vec<Option<u64>> = stages
            .iter()
            .filter_map(|stage| if let Stage::Compile { total, .. } = stage { Some(*total) } else { None })
            .collect();
        totals.dedup();
        totals
    };
    world.git(&["init", "-q"]);
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "one"]);
    let commit = world.git_request("HEAD");
    assert_eq!(totals(&world.request()), [None], "nothing was built before");
    world.write("linux/fast.c", "int fast(void) { return 3; }\n");
    assert_eq!(totals(&world.request()), [None], "nobody knows what a change makes compile");
    assert_eq!(totals(&commit), [Some(ALL.len() as u64)], "as many as the other source took");
    let other = BuildRequest { config: "tiny+kasan".into(), ..world.request() };
    assert_eq!(totals(&other), [None], "another configuration says nothing");
}

#[test]
fn a_tarball_is_unpacked_once() {
    let Some(world) = World::new() else { return };
    let packed =
        Command::new("tar").args(["-czf", "linux.tar.gz", "linux"]).current_dir(world.root.path()).status();
    assert!(packed.is_ok_and(|status| status.success()));
    let request =
        BuildRequest { source: BuildSource::Tarball(world.path("linux.tar.gz")), ..world.request() };
    assert_eq!(world.made(&request), ALL);
    let patched =
        BuildRequest { patches: vec![Patch { name: "fix.patch".into(), text: PATCH.into() }], ..request };
    assert_eq!(world.made(&patched), ["fast.o", "vmlinux", "fs/x.ko"]);

    world.write("linux.tar.gz", "hello, this is no tarball at all");
    assert!(world.said(&patched).starts_with("ROOT/linux.tar.gz: it cannot be unpacked"));
}

#[test]
fn a_cancelled_build_goes_on_where_it_ended() {
    let Some(world) = World::new() else { return };
    world.write("hold", "");
    let cancel = Cancel::new();
    let token = cancel.clone();
    let heard = Heard::acting("slow.o", move || token.set());
    let error = world.builder().build(&world.request(), &heard, &cancel).expect_err("it was cancelled");
    assert!(matches!(error, BuildError::Cancelled { .. }), "{error}");
    fs::remove_file(world.path("hold")).expect("it is there");
    assert_eq!(world.made(&world.request()), ["slow.o", "vmlinux", "fs/x.ko"]);
}

#[test]
fn two_at_once_build_it_once() {
    let Some(world) = World::new() else { return };
    let made: Vec<Vec<String>> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2).map(|_| scope.spawn(|| world.made(&world.request()))).collect();
        threads.into_iter().map(|thread| thread.join().expect("it was built")).collect()
    });
    assert_eq!(made.iter().filter(|made| made.is_empty()).count(), 1, "{made:?}");
}

#[test]
fn a_source_that_changes_meanwhile_gives_no_kernel() {
    let Some(world) = World::new() else { return };
    let changed = world.path("linux/fast.c");
    let heard = Heard::acting("slow.o", move || {
        fs::write(&changed, "int fast(void) { return 9; }\n").expect("it is writable");
        // younger than what was made of it, also where the file system's clock has ticks
        let later = std::time::SystemTime::now() + std::time::Duration::from_millis(20);
        let file = fs::File::options().write(true).open(&changed).expect("it is writable");
        file.set_modified(later).expect("it has a time");
    });
    let error = world.builder().build(&world.request(), &heard, &Cancel::new()).expect_err("it changed");
    assert!(error.to_string().contains("were changed while it was compiled"), "{error}");
    assert_eq!(world.made(&world.request()), ["fast.o", "vmlinux", "fs/x.ko"]);
}

#[test]
fn a_catalogue_names_kernels_to_build() {
    let Some(world) = World::new() else { return };
    world.write(
        "kernels/mine.yaml",
        "kernels:\n  - name: mine\n    source: {folder: ../linux}\n    config: tiny\n    patches: [fix.patch]\n  \
         - {name: other, source: {folder: ../linux}, config: tiny, patches: [nowhere.patch]}\n",
    );
    world.write("kernels/fix.patch", PATCH);
    let library = Library::open(&world.path("cache"), &[world.path("kernels")])
        .unwrap_or_else(|error| panic!("{error}"));
    let spec = |text: &str| text.parse::<KernelSpec>().expect("a spec");
    let listed =
        || library.available().into_iter().find(|kernel| kernel.name == "mine").expect("it is listed");
    assert_eq!((listed().stored, listed().version.to_string().as_str()), (None, "6.12.57"));

    let wanted = library.resolve(&[spec("mine")], &NoProgress).expect("it is named").wanted;
    assert!(wanted[0].is_to_build() && !wanted[0].is_fetched());
    let kernel = library.fetch(&wanted[0], &NoProgress).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((kernel.name.as_str(), kernel.release.as_str()), ("mine", "6.12.57-tiny"));
    assert!(listed().stored.is_some() && listed().release == "6.12.57-tiny");
    assert!(library.available().iter().filter(|kernel| kernel.release == "6.12.57-tiny").count() == 1);
    let by_version = library.resolve(&[spec("6.12.57")], &NoProgress).expect("Debian has it").wanted;
    assert_ne!(by_version[0].name(), "mine", "a version means a distribution's kernel");

    let missing = library.resolve(&[spec("other")], &NoProgress).expect_err("its patch is missing");
    assert!(matches!(missing, KernelError::Build(BuildError::Patch(PatchError::Read { .. }))), "{missing}");
}

#[test]
fn garbage_collection_takes_build_folders_before_kernels_and_spares_those_in_use() {
    let Some(world) = World::new() else { return };
    let kernel = world.build(&world.request()).unwrap_or_else(|error| panic!("{error}")).0;
    let library = Library::open(&world.path("cache"), &[]).unwrap_or_else(|error| panic!("{error}"));
    let place = library.build_places().pop().expect("it was built");
    let stored: u64 = library.stored().iter().map(|kernel| kernel.bytes).sum();
    assert!(place.bytes > 0);

    let name = place.folder.file_name().expect("a name").to_string_lossy().into_owned();
    let store = Store::open(&world.path("cache"));
    let lock = store.lock(&format!("build-{name}"), || ()).expect("nobody builds");
    assert!(library.collect_garbage(stored).expect("it is writable").places.is_empty());
    drop(lock);
    let collected = library.collect_garbage(stored).expect("it is writable");
    assert_eq!((collected.places.len(), collected.removed.len(), collected.left), (1, 0, stored));
    assert!(kernel.image.is_file() && world.made(&world.request()).is_empty(), "the kernel is still there");
}
