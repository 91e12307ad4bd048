//! `kregress kernels`: which kernels there are, and getting them ahead of a run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::kernel::{Available, KernelError, KernelSpec, Library, Stage, megabytes, progress_for_stderr};

/// Arguments of `kregress kernels`.
#[derive(Debug, clap::Args)]
pub struct KernelsArgs {
    #[command(subcommand)]
    command: KernelsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum KernelsCommand {
    /// List the kernels that are fetched, or with --available all that are known
    List {
        /// Also list what can be fetched; package lists older than a day are updated first
        #[arg(long)]
        available: bool,
        /// Update the package lists first
        #[arg(long, requires = "available")]
        update: bool,
    },
    /// Write the catalogue of Debian's kernels anew (kernels/debian.yaml)
    Update {
        /// The catalogue's folder
        #[arg(short, long, value_name = "DIR", default_value = "kernels")]
        output: PathBuf,
    },
    /// Download kernels into the store
    Fetch {
        /// Versions (6.17.13), ranges (6.12..7.2), latest:LINE, oldest:LINE, each-line, all, names or files
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<KernelSpec>,
        /// The lib/modules/RELEASE folder of a local image
        #[arg(long, value_name = "DIR")]
        modules: Option<PathBuf>,
    },
}

/// Runs the subcommand on the store in `cache` with the catalogues in `catalogue_dirs`. Fails with the exit code 1 if
/// a kernel could not be fetched, after all the others have been.
pub fn run(args: &KernelsArgs, cache: &Path, catalogue_dirs: &[PathBuf]) -> Result<ExitCode, KernelError> {
    let library = Library::open(cache, catalogue_dirs)?;
    let progress = progress_for_stderr();
    match &args.command {
        KernelsCommand::List { available, update } => {
            if *update || *available && library.lists_outdated() {
                library.update(progress.as_ref())?;
            }
            let kernels: Vec<Available> = library
                .available()
                .into_iter()
                .filter(|kernel| *available || kernel.stored.is_some())
                .collect();
            print!("{}", table(&kernels));
            if kernels.is_empty() {
                eprintln!("no kernel is fetched; see `kregress kernels list --available`");
            }
            Ok(ExitCode::SUCCESS)
        }
        KernelsCommand::Update { output } => {
            let (path, lost) = library.write_catalogue(output, progress.as_ref())?;
            for lost in lost {
                progress.report("", Stage::Warning(format!("{} cannot be had: {}", lost.name, lost.reason)));
            }
            println!("{}", path.display());
            Ok(ExitCode::SUCCESS)
        }
        KernelsCommand::Fetch { specs, modules } => {
            let specs: Vec<KernelSpec> =
                specs.iter().map(|spec| spec.clone().with_modules(modules.clone())).collect();
            let resolution = library.resolve(&specs, progress.as_ref())?;
            for left_out in &resolution.left_out {
                progress.report(
                    "",
                    Stage::Warning(format!("{} is left out: {}", left_out.name, left_out.reason)),
                );
            }
            let mut code = ExitCode::SUCCESS;
            for wanted in &resolution.wanted {
                match library.fetch(wanted, progress.as_ref()) {
                    Ok(kernel) => {
                        println!("{}", line(&kernel.name, &kernel.release, &kernel.modules.len().to_string()))
                    }
                    Err(error) => {
                        eprintln!("error: {}: {error}", wanted.name());
                        code = ExitCode::FAILURE;
                    }
                }
            }
            Ok(code)
        }
    }
}

fn line(name: &str, release: &str, modules: &str) -> String {
    format!("{name:16} {release:32} {modules} modules")
}

/// One line per kernel: name, flavour, release, state.
fn table(kernels: &[Available]) -> String {
    let mut text = String::new();
    for kernel in kernels {
        let flavour = kernel.flavour.map_or("-".to_string(), |flavour| flavour.to_string());
        let state = match (kernel.stored, &kernel.missing, kernel.download) {
            (Some(bytes), _, _) => format!("fetched, {}", megabytes(bytes)),
            (None, Some(reason), _) => format!("gone: {reason}"),
            (None, None, Some(bytes)) => format!("available, {}", megabytes(bytes)),
            (None, None, None) => "gone".to_string(),
        };
        text += &format!("{:24} {flavour:6} {:34} {state}\n", kernel.name, kernel.release);
    }
    text
}
