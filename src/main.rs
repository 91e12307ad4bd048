//! The `kregress` command; as PID 1 of a guest it is the guest's init.

fn main() {
    if kregress::guest::is_guest_init() {
        kregress::guest::agent::main();
    }
}
