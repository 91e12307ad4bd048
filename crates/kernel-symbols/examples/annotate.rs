//! `annotate VMLINUX [MODULE.ko…] < LOG`: the log with file and line behind each place of a trace.

use std::collections::HashMap;
use std::error::Error;
use std::io::{Read as _, Write as _};
use std::path::Path;

use kernel_symbols::{Image, annotate};

fn main() -> Result<(), Box<dyn Error>> {
    let mut images = HashMap::new();
    for file in std::env::args().skip(1) {
        let name = Path::new(&file).file_name().unwrap_or_default().to_string_lossy().into_owned();
        let module = name.split_once(".ko").map(|(module, _)| module.replace('-', "_"));
        images.insert(module, Image::parse(&std::fs::read(&file)?)?);
    }
    let mut log = Vec::new();
    std::io::stdin().read_to_end(&mut log)?;
    let mut out = Vec::new();
    for line in log.split_inclusive(|byte| *byte == b'\n') {
        let lookup = |place: &kernel_symbols::Place| {
            let image = images.get(&place.module)?;
            image.lookup(place).inspect_err(|error| eprintln!("{error}")).ok()
        };
        annotate(line, |place| lookup(place).unwrap_or_default(), &mut out);
    }
    std::io::stdout().write_all(&out)?;
    Ok(())
}
