//! Prints the files to load for the modules behind the first argument, a `lib/modules/RELEASE` folder.

use std::path::Path;
use std::process::ExitCode;

use kernel_modules::{ModuleError, ModuleTree, index_folder};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, modules @ ..] = arguments.as_slice() else {
        eprintln!("usage: load_order /lib/modules/RELEASE MODULE…");
        return ExitCode::from(2);
    };
    match order(Path::new(folder), modules) {
        Ok(order) => order.iter().for_each(|line| println!("{line}")),
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn order(folder: &Path, modules: &[String]) -> Result<Vec<String>, ModuleError> {
    let release = folder.file_name().unwrap_or_default().to_string_lossy();
    let tree = ModuleTree::in_folder(index_folder(&release, folder)?, folder);
    let names: Vec<&str> = modules.iter().map(String::as_str).collect();
    Ok(tree.load_order(&names)?.into_iter().map(|file| file.path_in_tree).collect())
}
