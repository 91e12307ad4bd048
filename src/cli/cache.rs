//! `kregress cache`: what the store holds, whether it is whole, and making room.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use userland_image::{Settings, UserlandError, Userlands, Watch};

use crate::kernel::{BuildPlace, KeptChangelog, KernelError, Library, Stored, megabytes};
use crate::lab::prepare::collection::{
    KeptCollection, kept_collections, remove_collection, sweep_collections,
};
use crate::lab::prepare::userland;
use crate::plural::counted;
use crate::vm::snapshot::{Kept, Store};

/// Arguments of `kregress cache`.
#[derive(Debug, clap::Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    command: CacheCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CacheCommand {
    /// List the stored kernels, the build folders, debug information, the userlands, the programs of collections, the
    /// changelogs and the saved guests, the one unused for the longest time first
    List,
    /// Remove saved guests, then userlands, then programs of collections, then changelogs, then build folders, then debug
    /// information, then kernels that were not used for the longest time, except those in use
    Gc {
        /// How much may stay, like 500M or 20G
        #[arg(long, value_name = "SIZE")]
        max_size: Size,
    },
    /// Compare every stored file with its hash
    Verify {
        /// Remove what is damaged, so that it is fetched again when it is needed
        #[arg(long)]
        remove: bool,
    },
}

/// Why the cache cannot be looked after.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// Its kernels.
    #[error(transparent)]
    Kernel(#[from] KernelError),
    /// Its userlands.
    #[error(transparent)]
    Userland(#[from] UserlandError),
    /// Its collections, and its changelogs.
    #[error("cannot remove {folder}: {source}", folder = folder.display())]
    Remove {
        /// The folder or file.
        folder: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

/// A number of bytes as people write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(u64);

impl Size {
    /// Bytes.
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let factor: u64 = match unit.trim().trim_end_matches(['B', 'b']) {
            "" => 1,
            "k" | "K" => 1000,
            "m" | "M" => 1_000_000,
            "g" | "G" => 1_000_000_000,
            "t" | "T" => 1_000_000_000_000,
            "Ki" => 1 << 10,
            "Mi" => 1 << 20,
            "Gi" => 1 << 30,
            "Ti" => 1 << 40,
            _ => {
                return Err(format!(
                    "`{unit}` is no unit of size; expected a number with K, M, G or T, like 20G"
                ));
            }
        };
        let number: u64 = number
            .parse()
            .map_err(|_| format!("`{text}` is no size; expected a number with K, M, G or T, like 20G"))?;
        number.checked_mul(factor).map(Size).ok_or_else(|| format!("`{text}` is larger than any disk"))
    }
}

/// Runs the subcommand on the store in `cache`. `verify` gives the exit code 1 if something is damaged.
pub fn run(args: &CacheArgs, cache: &Path) -> Result<ExitCode, CacheError> {
    let userlands = Userlands::open(Settings::new(cache.join(userland::FOLDER)))?;
    let library = Library::open(cache, &[])?;
    let guests = Store::new(cache);
    match &args.command {
        CacheCommand::List => {
            let stored = library.stored();
            for kernel in &stored {
                println!("{}", line(kernel));
            }
            let places = library.build_places();
            for place in &places {
                println!("{}", place_line(place));
            }
            let debug = library.stored_debug();
            for debug in &debug {
                println!("{}", debug_line(debug));
            }
            println!("{}", total(&stored, &places, &debug));
            let images = userlands.stored();
            for image in &images {
                println!("{}", userland_line(image));
            }
            if !images.is_empty() {
                let bytes = images.iter().map(|image| image.bytes).sum();
                println!("{}, {}", counted(images.len(), "userland"), megabytes(bytes));
            }
            let collections = kept_collections(cache);
            for collection in &collections {
                println!("{}", collection_line(collection));
            }
            if !collections.is_empty() {
                let bytes = collections.iter().map(|collection| collection.bytes).sum();
                println!("{}, {}", counted(collections.len(), "collection"), megabytes(bytes));
            }
            let changelogs = library.lone_changelogs();
            for changelog in &changelogs {
                println!("{}", changelog_line(changelog));
            }
            if !changelogs.is_empty() {
                let bytes = changelogs.iter().map(KeptChangelog::bytes).sum();
                println!("{}, {}", counted(changelogs.len(), "changelog"), megabytes(bytes));
            }
            let kept = guests.kept();
            for guest in &kept {
                println!("{}", guest_line(guest));
            }
            if !kept.is_empty() {
                let bytes = kept.iter().map(|guest| guest.bytes).sum();
                println!("{}, {}", counted(kept.len(), "saved guest"), megabytes(bytes));
            }
        }
        CacheCommand::Gc { max_size } => {
            // a guest is saved again in seconds, a kernel is fetched again in minutes
            let kernels: u64 = library.stored().iter().map(|kernel| kernel.bytes).sum();
            let places: u64 = library.build_places().iter().map(|place| place.bytes).sum();
            let debug: u64 = library.stored_debug().iter().map(|debug| debug.bytes).sum();
            let images: u64 = userlands.stored().iter().map(|image| image.bytes).sum();
            let programs: u64 = kept_collections(cache).iter().map(|collection| collection.bytes).sum();
            let texts: u64 = library.lone_changelogs().iter().map(KeptChangelog::bytes).sum();
            let others = kernels + places + debug + images + programs + texts;
            for guest in guests.shrink(max_size.0.saturating_sub(others), None) {
                println!("removed {}", guest_line(&guest));
            }
            let guests: u64 = guests.kept().iter().map(|guest| guest.bytes).sum();
            let room = max_size.0.saturating_sub(kernels + places + debug + programs + texts + guests);
            let images = shrink_userlands(&userlands, room)?;
            let room = max_size.0.saturating_sub(kernels + places + debug + texts + guests + images);
            let programs = shrink_collections(cache, room)?;
            let room = max_size.0.saturating_sub(kernels + places + debug + guests + images + programs);
            let kept = guests + images + programs + shrink_changelogs(&library, room)?;
            let collected = library.collect_garbage(max_size.0.saturating_sub(kept))?;
            for place in &collected.places {
                println!("removed {}", place_line(place));
            }
            for debug in &collected.debug {
                println!("removed {}", debug_line(debug));
            }
            for kernel in &collected.removed {
                println!("removed {}", line(kernel));
            }
            for kernel in &collected.in_use {
                println!("in use  {}", line(kernel));
            }
            println!("{} left", megabytes(collected.left + kept));
        }
        CacheCommand::Verify { remove } => {
            let mut code = ExitCode::SUCCESS;
            for (kernel, result) in library.verify() {
                let Err(error) = result else {
                    println!("ok      {}", line(&kernel));
                    continue;
                };
                code = ExitCode::FAILURE;
                println!("damaged {}", line(&kernel));
                eprintln!("error: {error}");
                if *remove && library.remove(&kernel)? {
                    println!("removed {}", line(&kernel));
                }
            }
            for (debug, result) in library.verify_debug() {
                let Err(error) = result else {
                    println!("ok      {}", debug_line(&debug));
                    continue;
                };
                code = ExitCode::FAILURE;
                println!("damaged {}", debug_line(&debug));
                eprintln!("error: {error}");
                if *remove && library.remove_debug(&debug)? {
                    println!("removed {}", debug_line(&debug));
                }
            }
            for image in userlands.stored() {
                let Err(error) = userlands.verify(&image.key) else {
                    println!("ok      {}", userland_line(&image));
                    continue;
                };
                code = ExitCode::FAILURE;
                println!("damaged {}", userland_line(&image));
                eprintln!("error: the userland {}: {error}; it is made again when it is needed", image.key);
                if *remove && userlands.remove(&image.key)? {
                    println!("removed {}", userland_line(&image));
                }
            }
            for (guest, result) in guests.verify() {
                let Err(error) = result else {
                    println!("ok      {}", guest_line(&guest));
                    continue;
                };
                code = ExitCode::FAILURE;
                println!("damaged {}", guest_line(&guest));
                eprintln!("error: {}: {error}; it is made again when it is needed", guest.folder.display());
                if *remove {
                    guests.forget(&guest);
                    println!("removed {}", guest_line(&guest));
                }
            }
            return Ok(code);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes userlands until those that are left take no more than this, and answers how much they take. The packages that they
/// were made of are fetched again for new ones.
fn shrink_userlands(userlands: &Userlands, most: u64) -> Result<u64, UserlandError> {
    let images = userlands.stored();
    let mut left: u64 = images.iter().map(|image| image.bytes).sum();
    userlands.sweep();
    if left > most {
        userlands.remove_packages(&Watch::default())?;
    }
    for image in images {
        if left > most && userlands.remove(&image.key)? {
            left -= image.bytes;
            println!("removed {}", userland_line(&image));
        }
    }
    Ok(left)
}

/// Removes programs of collections until those that are left take no more than this, and answers how much they take. They are
/// compiled again when a test needs them.
fn shrink_collections(cache: &Path, most: u64) -> Result<u64, CacheError> {
    sweep_collections(cache);
    let collections = kept_collections(cache);
    let mut left: u64 = collections.iter().map(|collection| collection.bytes).sum();
    for collection in collections {
        if left <= most {
            break;
        }
        let refused = |source| CacheError::Remove { folder: collection.folder.clone(), source };
        if remove_collection(&collection).map_err(refused)? {
            left -= collection.bytes;
            println!("removed {}", collection_line(&collection));
        } else {
            println!("in use  {}", collection_line(&collection));
        }
    }
    Ok(left)
}

/// Removes changelogs, those of the oldest versions first, until those that are left take no more than this, and answers how
/// much they take.
fn shrink_changelogs(library: &Library, most: u64) -> Result<u64, CacheError> {
    let changelogs = library.lone_changelogs();
    let mut left: u64 = changelogs.iter().map(KeptChangelog::bytes).sum();
    for changelog in changelogs {
        if left <= most {
            break;
        }
        let line = changelog_line(&changelog);
        left -= changelog.bytes();
        changelog.remove().map_err(|source| CacheError::Remove { folder: changelog.path.clone(), source })?;
        println!("removed {line}");
    }
    Ok(left)
}

fn changelog_line(changelog: &KeptChangelog) -> String {
    format!("{:32} {:>9} changelog", changelog.version, megabytes(changelog.bytes()))
}

fn collection_line(collection: &KeptCollection) -> String {
    format!("{:32} {:>9} programs of a collection", collection.name, megabytes(collection.bytes))
}

fn userland_line(image: &userland_image::Stored) -> String {
    format!(
        "{:32} {:>9} userland {}",
        image.summary,
        megabytes(image.bytes),
        &image.key[..image.key.len().min(12)]
    )
}

fn line(kernel: &Stored) -> String {
    format!("{:32} {:>9}", kernel.release, megabytes(kernel.bytes))
}

fn guest_line(guest: &Kept) -> String {
    let release = guest.release.as_deref().unwrap_or("cannot be saved");
    format!("{release:32} {:>9} guest {}", megabytes(guest.bytes), &guest.name[..guest.name.len().min(12)])
}

fn place_line(place: &BuildPlace) -> String {
    let name = place.folder.file_name().unwrap_or_default().to_string_lossy();
    format!("{:32} {:>9}", format!("build/{name}"), megabytes(place.bytes))
}

fn debug_line(debug: &Stored) -> String {
    format!("{} debug information", line(debug))
}

fn total(stored: &[Stored], places: &[BuildPlace], debug: &[Stored]) -> String {
    let mut text =
        format!("{}, {}", counted(stored.len(), "kernel"), megabytes(stored.iter().map(|k| k.bytes).sum()));
    if !places.is_empty() {
        let bytes = megabytes(places.iter().map(|place| place.bytes).sum());
        let are = if places.len() == 1 { "source with a build folder" } else { "sources with build folders" };
        text += &format!("; {} {are}, {bytes}", places.len());
    }
    if !debug.is_empty() {
        let bytes = megabytes(debug.iter().map(|debug| debug.bytes).sum());
        text += &format!("; debug information of {}, {bytes}", debug.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes() {
        for (text, bytes) in
            [("0", 0), ("500M", 500_000_000), ("20G", 20_000_000_000), ("3 kB", 3000), ("1GiB", 1 << 30)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        let wrong = ["", "G", "5X", "-1", "99999999999T"].map(|text| text.parse::<Size>().expect_err(text));
        insta::assert_snapshot!(wrong.join("\n"), @"
        `` is no size; expected a number with K, M, G or T, like 20G
        `G` is no size; expected a number with K, M, G or T, like 20G
        `X` is no unit of size; expected a number with K, M, G or T, like 20G
        `-1` is no unit of size; expected a number with K, M, G or T, like 20G
        `99999999999T` is larger than any disk
        ");
    }
}
