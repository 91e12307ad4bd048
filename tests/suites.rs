//! The project's own suites as trials named `suite::test@kernel`. Which kernels: `KREGRESS_TEST_KERNELS`, by default
//! one on which the first suites' bugs differ, and one of another line.

fn main() -> std::process::ExitCode {
    kregress::harness::Harness::new("suites").kernels(["6.12.57", "7.2.13"]).strict().main()
}
