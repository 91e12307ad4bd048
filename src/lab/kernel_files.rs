//! Files that a distribution installs with a kernel: its configuration, the lists of its modules, and the device nodes that
//! have some of them loaded. A guest has the files where its test asks for them, since some have megabytes. The modules themselves come when they are asked for ([`super::modules`]).

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::guest::message::{DeviceNode, ToGuest};
use crate::kernel::Kernel;
use crate::suite::KernelFiles;

/// The variable by which LTP finds a configuration (`lib/tst_kconfig.c` there); it takes one that is packed by its name.
const KCONFIG_PATH: &str = "KCONFIG_PATH";

/// A path in the guest and what is there.
type File = (String, Arc<[u8]>);

/// The wanted files of a kernel, as far as they are known.
///
/// Beside the lists of modules lie those modules that the test names: some tests look for a module's file, and for its parameters.
pub(super) fn of(kernel: &Kernel, wanted: &[KernelFiles], modules: &[String]) -> Vec<File> {
    let made = wanted.iter().map(|kind| match kind {
        KernelFiles::Config => configuration(kernel),
        KernelFiles::Modules => lists(kernel).into_iter().chain(named(kernel, modules)).collect(),
    });
    made.flatten().collect()
}

/// The nodes by which programs have modules loaded; none where the kernel has no such module.
pub(super) fn nodes(kernel: &Kernel) -> Option<ToGuest> {
    let nodes = kernel.modules.static_nodes().map(|node| {
        let path = format!("/dev/{}", node.path);
        DeviceNode { path, major: node.major, minor: node.minor, mode: node.mode }
    });
    let nodes: Vec<DeviceNode> = nodes.collect();
    (!nodes.is_empty()).then_some(ToGuest::Nodes { nodes })
}

/// Variables that say where they are.
pub(super) fn environment(kernel: &Kernel, wanted: &[KernelFiles]) -> Option<(String, String)> {
    let has = wanted.contains(&KernelFiles::Config) && kernel.config.is_some();
    has.then(|| (KCONFIG_PATH.to_owned(), format!("{}.gz", configuration_path(kernel))))
}

fn configuration_path(kernel: &Kernel) -> String {
    format!("/boot/config-{}", kernel.release)
}

fn configuration(kernel: &Kernel) -> Vec<File> {
    let Some(config) = &kernel.config else { return Vec::new() };
    let (path, text) = (configuration_path(kernel), config.text().as_bytes());
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    // writing into memory does not fail
    let packed = packed.write_all(text).and_then(|()| packed.finish()).unwrap_or_default();
    vec![(format!("{path}.gz"), packed.into()), (path, text.into())]
}

fn lists(kernel: &Kernel) -> Vec<File> {
    let folder = format!("/lib/modules/{}", kernel.release);
    let files = kernel.modules.listing().into_iter();
    files.map(|(name, text)| (format!("{folder}/{name}"), text.into_bytes().into())).collect()
}

/// Files of modules, as far as they are some and can be read; loading them says what is wrong with them.
fn named(kernel: &Kernel, modules: &[String]) -> impl Iterator<Item = File> {
    modules.iter().filter_map(|name| {
        let order = kernel.modules.load_order(&[name]).ok()?;
        // others may come behind it
        let file = order.iter().find(|file| file.name == name.replace('-', "_"))?;
        let contents = kernel.modules.read(file).ok()?;
        // they are unpacked, whatever the kernel's package packs them with
        let path = file.path_in_tree.split_once(".ko").map_or(&*file.path_in_tree, |(path, _)| path);
        Some((format!("/lib/modules/{}/{path}.ko", kernel.release), contents.into()))
    })
}

#[cfg(test)]
mod tests {
    use kernel_modules::{ModuleTree, fixtures, index_folder};

    use super::*;
    use crate::kernel::KernelConfig;
    use crate::lab::sim;

    #[test]
    fn the_named_modules_lie_there_unpacked() {
        let folder = tempfile::tempdir().expect("a folder");
        let modules = folder.path().join("lib/modules/6.1");
        std::fs::create_dir_all(modules.join("kernel/drivers")).expect("a folder");
        let module = fixtures::module(&[("name", "null_blk")]);
        std::fs::write(modules.join("kernel/drivers/null_blk.ko.xz"), fixtures::xz(&module)).expect("a file");
        let mut kernel = (*sim::kernel("6.1")).clone();
        kernel.modules = ModuleTree::in_folder(index_folder("6.1", &modules).expect("modules"), &modules);
        let named = ["null-blk".to_owned(), "none".to_owned()];
        let files = of(&kernel, &[KernelFiles::Modules], &named);
        let modules: Vec<&str> =
            files.iter().map(|(path, _)| &**path).filter(|path| path.ends_with(".ko")).collect();
        assert_eq!(modules, [format!("/lib/modules/{}/kernel/drivers/null_blk.ko", kernel.release)]);
        assert!(of(&kernel, &[KernelFiles::Config], &named).is_empty());
    }

    #[test]
    fn a_configuration_is_there_twice_and_named() {
        let mut kernel = (*sim::kernel("6.1")).clone();
        assert!(of(&kernel, &[], &[]).is_empty() && environment(&kernel, &[]).is_none());
        kernel.config = Some(KernelConfig::parse("CONFIG_A=y\n# CONFIG_B is not set\n"));
        let files = configuration(&kernel);
        assert_eq!(files[1].0, format!("/boot/config-{}", kernel.release));
        assert_eq!(&*files[1].1, b"CONFIG_A=y\n# CONFIG_B is not set\n");
        let mut text = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&*files[0].1), &mut text).expect("gzip");
        assert_eq!(text, *files[1].1);
        let named = environment(&kernel, &[KernelFiles::Config]).expect("a variable");
        assert_eq!(named, ("KCONFIG_PATH".to_owned(), files[0].0.clone()));
    }
}
