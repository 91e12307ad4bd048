//! The guest's init.

use std::process::ExitCode;

fn main() -> ExitCode {
    if guest_agent::is_modprobe() {
        return guest_agent::modprobe();
    }
    if guest_agent::is_guest_init() {
        guest_agent::main();
    }
    eprintln!("kregress-agent is the init of kregress's guests, and does nothing outside of one");
    ExitCode::FAILURE
}
