//! The scripts by which a person comes into the guest of an attempt of this run.

use std::path::Path;

use super::RunArgs;
use crate::cli::paths::PathArgs;
use crate::cli::word::word_of;
use crate::kernel::RequestedKernel;
use crate::runner::Reproduction;
use crate::vm::accel::AccelRequest;

/// Makes them for these kernels: with the folders, suites, modules and accelerator of the run.
pub(super) fn scripts(args: &RunArgs, paths: &PathArgs, kernels: &[RequestedKernel]) -> Reproduction {
    let mut options = Vec::new();
    for suite in &args.tests.suite {
        options.extend(["-s".to_owned(), absolute(suite)]);
    }
    if let Some(modules) = &args.kernels.modules {
        options.extend(["--modules-dir".to_owned(), absolute(&modules.display().to_string())]);
    }
    let folders = paths.words();
    options.extend(folders.chunks(2).flat_map(|pair| [pair[0].clone(), absolute(&pair[1])]));
    if args.guests.accel != AccelRequest::Auto {
        options.extend(["--accel".to_owned(), word_of(args.guests.accel).to_owned()]);
    }
    let image = |kernel: &RequestedKernel| match args.kernels.flavour {
        Some(flavour) if !kernel.spec().contains('/') => format!("{}/{}", kernel.spec(), word_of(flavour)),
        _ => kernel.spec(),
    };
    Reproduction {
        folder: std::env::current_dir().unwrap_or_default(),
        options,
        kernels: kernels.iter().map(|kernel| (kernel.name().to_owned(), image(kernel))).collect(),
    }
}

/// A file or folder by its whole path; a name that stands for one as it is.
fn absolute(given: &str) -> String {
    match Path::new(given).exists() {
        true => {
            std::path::absolute(given).map_or_else(|_| given.to_owned(), |path| path.display().to_string())
        }
        false => given.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command, definition};

    #[test]
    fn a_script_finds_what_the_run_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, "").expect("it is writable");
            path.display().to_string()
        };
        let (suite, modules, machines) = (file("my suite.yaml"), file("modules"), file("vm"));
        let words =
            ["kregress", "--machines", &machines, "run", "-s", &suite, "-s", "block", "--modules", &modules];
        let cli =
            Cli::try_parse_from(words.iter().chain(&["--accel", "tcg", "-k", "6.1"])).expect("a command");
        let Command::Run(args) = &cli.command else { panic!("it is a run") };
        let scripts = scripts(args, &cli.paths, &[]);
        let options = scripts.options.join(" ");
        for expected in [
            format!("-s {suite} -s block --modules-dir {modules} "),
            format!(" --machines {machines} "),
            " --accel tcg".to_owned(),
        ] {
            assert!(options.contains(&expected), "{options}");
        }
        assert_eq!(scripts.folder, std::env::current_dir().expect("a folder"));
        // `vm shell` takes them
        let shell = ["kregress", "vm", "shell", "--test", "block::race", "-k", "6.1"].map(str::to_owned);
        let taken = definition().try_get_matches_from(shell.into_iter().chain(scripts.options));
        assert!(taken.is_ok(), "{taken:?}");
    }
}
