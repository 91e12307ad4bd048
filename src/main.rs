//! The `kregress` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    kregress::cli::main()
}
