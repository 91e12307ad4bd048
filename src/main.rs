//! The `kregress` command; as PID 1 of a guest it is the guest's init.

use std::process::ExitCode;

fn main() -> ExitCode {
    if kregress::guest::is_guest_init() {
        kregress::guest::agent::main();
    }
    kregress::cli::main()
}
