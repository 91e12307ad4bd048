//! Who is to blame where something did not work: one answer for whatever prepares, fetches, builds and runs.

/// A failure by what it says something about, with the reason in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The test cannot be run: what it consists of does not build, or does not fit the kernel.
    Test(String),
    /// The kernel is not usable: it does not compile, its packages are gone, its files are damaged.
    Kernel(String),
    /// This host, its network or its user; nothing is known of test and kernel.
    Host(String),
    /// The user has ended it.
    Cancelled,
}
