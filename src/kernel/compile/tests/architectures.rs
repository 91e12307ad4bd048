//! Kernels of other architectures, with a stand-in for unpacked cross tools: scripts that run the host's own.

use super::*;
use crate::arch::{AARCH64, Arch, PPC64LE};

impl World {
    /// Puts cross tools where they are unpacked, which note what they are called with. `None` where the host has its own.
    fn with_cross_tools(self, arch: &Arch) -> Option<World> {
        let prefix = format!("{}-", arch.triplet);
        if compiler::on_path(&format!("{prefix}gcc")).is_some() {
            loud_skip::skip(format_args!("{prefix}gcc is installed, and goes before an unpacked one"));
            return None;
        }
        let folder = format!("cache/tools/gcc-{}", arch.debian);
        let log = self.path("called");
        for tool in ["gcc", "ld", "objcopy"] {
            let text = format!("#!/bin/sh\necho {prefix}{tool} >> {}\nexec {tool} \"$@\"\n", log.display());
            self.script(&format!("{folder}/root/usr/bin/{prefix}{tool}"), &text);
        }
        self.script(&format!("{folder}/gcc"), "#!/bin/sh\nexit 1\n");
        Some(self)
    }

    /// Another process writes it: a child that another test starts meanwhile has what is open here until it is another
    /// program, and a file that somebody may write to cannot be run (`ETXTBSY`).
    fn script(&self, file: &str, text: &str) {
        let source = format!("{file}.text");
        self.write(&source, text);
        let files = [self.path(&source), self.path(file)];
        let installed = std::process::Command::new("install").args(["-m", "755"]).args(files).status();
        assert!(installed.expect("install is there").success(), "{file}");
    }

    fn called(&self, tool: &str) -> usize {
        let called = fs::read_to_string(self.path("called")).unwrap_or_default();
        called.lines().filter(|line| line.ends_with(tool)).count()
    }
}

#[test]
fn a_kernel_of_another_architecture_is_made_with_its_own_tools() {
    for (arch, image) in [(&AARCH64, "Image"), (&PPC64LE, "vmlinux")] {
        if arch.is_hosts() {
            continue;
        }
        let Some(world) = World::new().and_then(|world| world.with_cross_tools(arch)) else { return };
        world.write(
            "kernels/configs/tiny.config",
            "# base: allnoconfig\nCONFIG_MODULES=y\nCONFIG_PVH=y # only amd64\n",
        );
        let request = BuildRequest { arch, ..world.request() };
        let (kernel, made) = world.build(&request).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((kernel.arch, made.contains(&"fast.o".to_owned())), (arch, true));
        assert_eq!(kernel.config.as_ref().and_then(|config| config.get("PVH")), None, "{image}");
        assert!(world.called("-gcc") >= 3, "{image}: it compiled");
        // only an ELF file is stripped
        assert_eq!(world.called("-objcopy"), usize::from(image == "vmlinux"), "{image}");
        let cross = fs::read_to_string(world.path("linux/../cross")).expect("the makefile wrote it");
        assert!(cross.trim().ends_with(&format!("/bin/{}-", arch.triplet)), "{cross}");
        assert!(world.made(&request).is_empty(), "it is not built twice");
        // the same words for the host's own architecture mean another kernel, compiled from nothing
        assert_eq!(world.made(&world.request()).len(), ALL.len(), "{image}");
    }
}

#[test]
fn without_cross_tools_the_command_is_told_that_installs_them() {
    let Some(world) = World::new() else { return };
    if AARCH64.is_hosts() || compiler::on_path("aarch64-linux-gnu-gcc").is_some() {
        loud_skip::skip("there is a compiler for arm64 on this host");
        return;
    }
    // a mirror that is an empty folder has none either
    world.write("apt.conf", "Dir::Etc::sourcelist \"/dev/null\";\nDir::Etc::sourceparts \"/dev/null\";\n");
    let settings = Settings {
        apt_config: Some(world.path("apt.conf")),
        ..Settings::of_environment(&world.path("cache"))
    };
    let request = BuildRequest { arch: &AARCH64, ..world.request() };
    let builder = world.builder().with_sources(settings);
    let error = builder.build(&request, &NoProgress, &Cancel::new()).expect_err("there is no compiler");
    let said = error.to_string();
    assert!(error.is_hosts() && said.contains("for arm64 needs a cross compiler"), "{said}");
    assert!(said.contains("`sudo apt-get install gcc-aarch64-linux-gnu`"), "{said}");
}
