//! Makes a userland: `make_userland CACHE PACKAGE…`, or `make_userland CACHE ./IMAGE`.

use std::path::Path;
use std::process::ExitCode;

use userland_image::{Progress, Settings, Source, Spec, UserlandError, Userlands, Watch};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [cache, wanted @ ..] = arguments.as_slice() else {
        eprintln!("usage: make_userland CACHE PACKAGE… | ./IMAGE");
        return ExitCode::from(2);
    };
    match make(cache, wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn make(cache: &str, wanted: &[String]) -> Result<(), UserlandError> {
    let progress = |progress: Progress<'_>| match progress {
        Progress::Downloading { .. } | Progress::Unpacking { .. } => {}
        Progress::Notice(text) => eprintln!("note: {text}"),
        other => eprintln!("{other:?}"),
    };
    let watch = Watch { progress: &progress, ..Watch::default() };
    let userlands = Userlands::open(Settings::new(cache))?;
    userlands.sweep();
    let source = match wanted {
        [one] if one.contains('/') => Source::Image(Path::new(one).to_path_buf()),
        packages => Source::Packages(packages.to_vec()),
    };
    let resolved = userlands.resolve(&Spec::new(source), &watch)?;
    let image = userlands.build(&resolved, &watch)?;
    println!(
        "{}: {} packages, {} bytes in files",
        image.path.display(),
        image.packages.len(),
        image.contents
    );
    Ok(())
}
