//! `cargo run -p cell-filter --example choose 'suite(block) & kernel(6.12..)'`: which of a few cells are meant.

use cell_filter::{Facts, Filter, Known};

fn main() {
    let text = std::env::args().nth(1).unwrap_or_else(|| "suite(block) & kernel(6.12..)".to_owned());
    let filter = match Filter::parse(&text) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("error: {error}");
            std::process::exit(2);
        }
    };
    for (suite, test) in [("block", "block::elevator-switch-race"), ("cifs", "cifs::fsconfig-source-leak")] {
        for kernel in ["6.1.170", "6.12.57", "7.2.13"] {
            let version = kernel.parse().expect("a version");
            let facts =
                Facts { suite, test, kernel: Some(kernel), version: Some(&version), ..Facts::default() };
            if filter.evaluate(&facts) == Known::Yes {
                println!("{test}[{kernel}]");
            }
        }
    }
}
