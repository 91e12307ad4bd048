//! Files that a distribution installs with a kernel: its configuration, and the lists of its modules. A guest has them where
//! its test asks for them, since some have megabytes. The modules themselves come when they are asked for ([`super::modules`]).

use std::io::Write;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::kernel::Kernel;
use crate::suite::KernelFiles;

/// The variable by which LTP finds a configuration (`lib/tst_kconfig.c` there); it takes one that is packed by its name.
const KCONFIG_PATH: &str = "KCONFIG_PATH";

/// A path in the guest and what is there.
type File = (String, Arc<[u8]>);

/// The wanted files of a kernel, as far as they are known.
pub(super) fn of(kernel: &Kernel, wanted: &[KernelFiles]) -> Vec<File> {
    let made = wanted.iter().map(|kind| match kind {
        KernelFiles::Config => configuration(kernel),
        KernelFiles::Modules => lists(kernel),
    });
    made.flatten().collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::KernelConfig;
    use crate::lab::sim;

    #[test]
    fn a_configuration_is_there_twice_and_named() {
        let mut kernel = (*sim::kernel("6.1")).clone();
        assert!(of(&kernel, &[]).is_empty() && environment(&kernel, &[]).is_none());
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
