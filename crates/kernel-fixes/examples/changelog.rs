//! `changelog FILE VERSION CVE-OR-TITLE…` says of each fix whether the package of that version has it.

use kernel_fixes::{Changelog, Fix, Standing};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, version, fixes @ ..] = arguments.as_slice() else {
        return Err("usage: changelog FILE VERSION CVE-OR-TITLE…".into());
    };
    let changelog = Changelog::parse(&std::fs::read_to_string(file)?);
    for name in fixes {
        let fix = if name.starts_with("CVE-") { Fix::of_cve(name) } else { Fix::titled(name) };
        match changelog.standing(&fix, version) {
            Standing::Contains(evidence) => println!("{name}: contained since {evidence}"),
            Standing::Lacks(evidence) => println!("{name}: lacking, it came with {evidence}"),
            Standing::Unknown => println!("{name}: the changelog does not say"),
        }
    }
    Ok(())
}
