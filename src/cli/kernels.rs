//! `kregress kernels`: which kernels there are, and getting them ahead of a run.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::interrupt::{self, Ending, beside};
use super::prepare::Preparation;
use crate::arch::{ARCHES, Arch, GUEST};
use crate::cancel::Cancel;
use crate::kernel::{
    ArchChoice, Available, FetchProgress, KernelError, KernelSpec, KernelState, Library, Stage, megabytes,
};
use crate::plural::counted;
use crate::progress::Fetching;

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
        /// Also list what can be fetched: the catalogues, and the package lists if there are any
        #[arg(long)]
        available: bool,
        /// Fetch Debian's package lists first
        #[arg(long, requires = "available")]
        update: bool,
        /// Of this architecture: arm64, s390x … or each-arch [default: amd64]
        #[arg(long, value_name = "ARCH", requires = "available")]
        arch: Option<ArchChoice>,
        /// Print one JSON object a line: name, version, line, flavour, state (fetched, built, available, to-build, gone),
        /// size in bytes, release, options that find bugs, and where it comes from
        #[arg(long)]
        json: bool,
    },
    /// Download kernels into the store
    Fetch {
        /// Versions (6.17.13), ranges (6.12..7.2), latest:LINE, oldest:LINE, each-line, all, names or files
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<KernelSpec>,
        /// The modules of a kernel file: a lib/modules/RELEASE folder, a package or an archive
        #[arg(long, value_name = "PATH")]
        modules: Option<PathBuf>,
    },
    /// Download kernels, boot each once on the default machine and save the guest, so that runs need not
    Prepare {
        /// As for `kernels fetch`
        #[arg(required = true, value_name = "SPEC")]
        specs: Vec<KernelSpec>,
        /// The modules of a kernel file: a lib/modules/RELEASE folder, a package or an archive
        #[arg(long, value_name = "PATH")]
        modules: Option<PathBuf>,
    },
    /// Compile kernels that a catalogue names into the store
    Build {
        /// Names of kernels in the catalogues whose source is a folder, a git commit, a tarball or a source package
        #[arg(required = true, value_name = "NAME")]
        names: Vec<KernelSpec>,
        /// Compilers at a time [default: one per processor]
        #[arg(short, long, value_name = "N")]
        jobs: Option<usize>,
    },
    /// Write the catalogue of Debian's kernels anew (kernels/debian.yaml)
    Update {
        /// The catalogue's folder
        #[arg(short, long, value_name = "DIR", default_value = "kernels")]
        output: PathBuf,
    },
}

/// Kernels fetched at the same time: while one is unpacked another one comes in.
const FETCH_JOBS: usize = 2;

/// Runs the subcommand on the store in `cache` with the catalogues in `catalogue_folders`. Gives the exit code 1 if a
/// kernel could not be fetched, after all the others have been.
pub fn run(args: &KernelsArgs, cache: &Path, catalogue_folders: &[PathBuf]) -> Result<ExitCode, KernelError> {
    let library = Library::open(cache, catalogue_folders)?;
    let progress = Fetching::on_stderr();
    match &args.command {
        KernelsCommand::List { available, update, arch, json } => {
            let arches: Vec<&'static Arch> = match arch {
                Some(ArchChoice::Each) => ARCHES.to_vec(),
                Some(ArchChoice::One(arch)) => vec![*arch],
                Some(ArchChoice::Any) | None => vec![GUEST],
            };
            for arch in
                arches.iter().filter(|arch| *update || **arch != GUEST && library.lists_of(arch).is_none())
            {
                library.update_of(arch, &progress)?;
            }
            let kernels: Vec<Available> = library
                .available()
                .into_iter()
                .filter(|kernel| match arch {
                    Some(_) => arches.contains(&kernel.arch),
                    None => kernel.stored.is_some() || *available && kernel.arch == GUEST,
                })
                .collect();
            print!("{}", if *json { json_lines(&kernels) } else { table(&kernels) });
            if kernels.is_empty() {
                eprintln!("no kernel is fetched; see `kregress kernels list --available`");
            }
            Ok(ExitCode::SUCCESS)
        }
        KernelsCommand::Fetch { specs, modules } | KernelsCommand::Prepare { specs, modules } => {
            let preparation = match &args.command {
                KernelsCommand::Prepare { .. } => match Preparation::new(cache) {
                    Ok(preparation) => Some(preparation),
                    Err(error) => {
                        eprintln!("error: {error}");
                        return Ok(ExitCode::FAILURE);
                    }
                },
                _ => None,
            };
            let specs: Vec<KernelSpec> =
                specs.iter().map(|spec| spec.clone().with_modules(modules.clone())).collect();
            let resolution = library.resolve(&specs, &progress)?;
            for left_out in &resolution.left_out {
                let text = format!("{} is left out: {}", left_out.name, left_out.reason);
                progress.report("", Stage::Warning(text));
            }
            let cancel = Cancel::new();
            let library = library.with_cancel(&cancel);
            let bars = progress.bars();
            // without the handler Ctrl-C ends the process at once
            let _hidden = interrupt::watch(Ending::Fetch, bars.clone(), &cancel, || ());
            let failed = AtomicBool::new(false);
            library.fetch_all(&resolution.wanted, FETCH_JOBS, &progress, &|wanted, result| {
                let error = match &result {
                    Ok(kernel) => {
                        let saved = preparation.as_ref().map(|p| p.save(kernel, &cancel));
                        saved.and_then(Result::err).map(|error| format!("it was not saved: {error}"))
                    }
                    Err(error) => Some(error.to_string()),
                };
                beside(bars.as_ref(), || {
                    // what was broken off is no error of the kernel
                    if let Some(error) = error.filter(|_| !cancel.is_set()) {
                        eprintln!("error: {}: {error}", wanted.name());
                        failed.store(true, Ordering::Relaxed);
                    }
                    if let Ok(kernel) = &result {
                        println!(
                            "{:16} {:32} {}",
                            kernel.name,
                            kernel.release,
                            counted(kernel.modules.len(), "module")
                        );
                    }
                });
            });
            if cancel.is_set() {
                return Ok(crate::report::ExitStatus::Interrupted.into());
            }
            Ok(if failed.into_inner() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }
        KernelsCommand::Build { names, jobs } => build(library, names, *jobs, &progress),
        KernelsCommand::Update { output } => {
            let (path, lost) = library.write_catalogue(output, &progress)?;
            for lost in lost {
                progress.report("", Stage::Warning(format!("{} is unavailable: {}", lost.name, lost.reason)));
            }
            println!("{}", path.display());
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// Builds one kernel after the other, as each takes all processors.
fn build(
    library: Library,
    names: &[KernelSpec],
    jobs: Option<usize>,
    progress: &Fetching,
) -> Result<ExitCode, KernelError> {
    let cancel = Cancel::new();
    let library = library.with_cancel(&cancel).with_build_jobs(jobs);
    // without the handler Ctrl-C ends the process, and the compilers at their next message
    let _hidden = interrupt::watch(Ending::Build, progress.bars(), &cancel, || ());
    let wanted = library.resolve(names, progress)?.wanted;
    let mut failed = false;
    for wanted in &wanted {
        if !wanted.is_to_build() {
            eprintln!("error: {} is not compiled; `kregress kernels fetch {0}` gets it", wanted.name());
            failed = true;
            continue;
        }
        match library.fetch(wanted, progress) {
            Ok(kernel) => {
                println!(
                    "{:16} {:32} {}",
                    kernel.name,
                    kernel.release,
                    counted(kernel.modules.len(), "module")
                );
            }
            Err(error) => {
                eprintln!("error: {}: {error}", wanted.name());
                failed = true;
            }
        }
        if cancel.is_set() {
            return Ok(crate::report::ExitStatus::Interrupted.into());
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// One line per kernel under a heading.
fn table(kernels: &[Available]) -> String {
    let row = |columns: [&str; 6]| {
        let [name, line, flavour, size, release, state] = columns;
        format!("{name:24} {line:5} {flavour:7} {size:>9}  {release:32} {state}").trim_end().to_string()
            + "\n"
    };
    if kernels.is_empty() {
        return String::new();
    }
    let mut text = row(["KERNEL", "LINE", "FLAVOUR", "SIZE", "RELEASE", "STATE"]);
    for kernel in kernels {
        let flavour = kernel.flavour.map_or("-".to_string(), |flavour| flavour.to_string());
        let line = kernel.line().map_or("-".to_string(), |line| line.to_string());
        let size = kernel.size().map_or(String::new(), megabytes);
        let with_options = |state: &str| match kernel.options.is_empty() {
            true => state.to_string(),
            false => format!("{state} ({})", kernel.options.join(" ")),
        };
        let told = |text: &Option<String>| text.clone().unwrap_or_default();
        let state = match kernel.state() {
            KernelState::Fetched => with_options("fetched"),
            KernelState::Built => with_options("built"),
            KernelState::Available => "available".to_string(),
            KernelState::ToBuild => format!("to be built from {}", told(&kernel.source)),
            KernelState::Gone => format!("gone: {}", told(&kernel.missing)),
        };
        text += &row([&kernel.name, &line, &flavour, &size, &kernel.release, &state]);
    }
    text
}

/// A line of `--json`: what is known of the kernel, and what follows from that.
#[derive(Serialize)]
struct ListedKernel<'a> {
    #[serde(flatten)]
    kernel: &'a Available,
    line: Option<String>,
    state: KernelState,
    size: Option<u64>,
}

fn json_lines(kernels: &[Available]) -> String {
    let listed = kernels.iter().map(|kernel| ListedKernel {
        kernel,
        line: kernel.line().map(|line| line.to_string()),
        state: kernel.state(),
        size: kernel.size(),
    });
    // a value made of strings and numbers is always serialisable
    listed.filter_map(|kernel| serde_json::to_string(&kernel).ok()).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Flavour;

    fn kernels() -> Vec<Available> {
        let kernel = |version: &str, release: &str, flavour| Available {
            arch: GUEST,
            name: version.split('+').next().unwrap_or(version).to_string(),
            version: version.parse().expect("a version"),
            release: release.to_string(),
            flavour: Some(flavour),
            options: Vec::new(),
            package_version: Some("1".to_string()),
            suites: vec!["trixie".to_string()],
            stored: None,
            download: Some(50_208_396),
            missing: None,
            source: None,
        };
        let mut kernels = vec![
            kernel("6.17.13+deb13", "6.17.13+deb13-cloud-amd64", Flavour::Cloud),
            kernel("6.17.13+deb13", "6.17.13+deb13-amd64", Flavour::Plain),
            kernel("6.19.6+deb13", "6.19.6+deb13-cloud-amd64", Flavour::Cloud),
        ];
        kernels[0].stored = Some(107_600_000);
        kernels[0].options = vec!["KFENCE".to_string(), "DETECT_HUNG_TASK".to_string()];
        kernels[1].name = "6.17.13-plain".to_string();
        kernels[2].missing = Some("linux-modules-6.19.6 is gone from the mirror (404)".to_string());
        for (name, stored) in [("fix-kasan", Some(45_000_000)), ("fix", None)] {
            let mut built = kernel("6.12.57", stored.map_or("", |_| "6.12.57-small+kasan"), Flavour::Plain);
            built.options = stored.map_or_else(Vec::new, |_| vec!["KASAN".to_string()]);
            (built.name, built.flavour, built.download, built.stored) =
                (name.to_string(), None, None, stored);
            built.source = Some("v6.12.57 of kernels/../linux, small+kasan".to_string());
            kernels.push(built);
        }
        kernels
    }

    #[test]
    fn lists_what_there_is_and_in_which_state() {
        insta::assert_snapshot!(table(&kernels()), @r"
        KERNEL                   LINE  FLAVOUR      SIZE  RELEASE                          STATE
        6.17.13                  6.17  cloud    107.6 MB  6.17.13+deb13-cloud-amd64        fetched (KFENCE DETECT_HUNG_TASK)
        6.17.13-plain            6.17  plain     50.2 MB  6.17.13+deb13-amd64              available
        6.19.6                   6.19  cloud     50.2 MB  6.19.6+deb13-cloud-amd64         gone: linux-modules-6.19.6 is gone from the mirror (404)
        fix-kasan                6.12  -         45.0 MB  6.12.57-small+kasan              built (KASAN)
        fix                      6.12  -                                                   to be built from v6.12.57 of kernels/../linux, small+kasan
        ");
        assert_eq!(table(&[]), "");
    }

    #[test]
    fn json_has_a_line_per_kernel() {
        let states: Vec<String> = kernels().iter().map(|kernel| format!("{:?}", kernel.state())).collect();
        assert_eq!(states, ["Fetched", "Available", "Gone", "Built", "ToBuild"]);
        let lines = json_lines(&kernels()).lines().map(str::to_owned).collect::<Vec<_>>();
        for key in ["\"line\":\"6.12\",\"state\":\"to-build\",\"size\":null", "\"source\":\"v6.12.57 of"] {
            assert!(lines[4].contains(key), "{}", lines[4]);
        }
        insta::assert_snapshot!(json_lines(&kernels()[..1]), @r#"{"name":"6.17.13","version":"6.17.13+deb13","release":"6.17.13+deb13-cloud-amd64","flavour":"cloud","options":["KFENCE","DETECT_HUNG_TASK"],"package_version":"1","suites":["trixie"],"stored":107600000,"download":50208396,"missing":null,"line":"6.17","state":"fetched","size":107600000}"#);
    }
}
