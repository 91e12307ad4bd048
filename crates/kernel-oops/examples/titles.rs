//! Prints the title of every crash report in a kernel log on standard input, with the reason where one is damaged.

use std::io::{Read, stdin};

fn main() -> std::io::Result<()> {
    let mut log = Vec::new();
    stdin().read_to_end(&mut log)?;
    for report in kernel_oops::diagnose(&log) {
        match report.corrupted_reason {
            Some(reason) => println!("{} {{{reason}}}", report.title),
            None => println!("{}", report.title),
        }
    }
    Ok(())
}
