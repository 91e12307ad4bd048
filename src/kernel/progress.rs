//! What there is to say while kernels are fetched or built. How it is shown is decided in `progress`.

/// Where the fetching of one kernel is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stage {
    /// The package lists are fetched (the kernel's name is empty then).
    Lists,
    /// Another process has the lock of what this one needs; what that one does, in words.
    Waiting(&'static str),
    /// Packages come in.
    Download {
        /// Bytes that are here.
        done: u64,
        /// Bytes in all.
        total: u64,
    },
    /// Packages are unpacked and modules indexed.
    Unpack,
    /// The kernel is decompressed.
    Extract,
    /// Packages that have left the index are looked for in the pool.
    LookUp,
    /// A source is unpacked, checked out or configured.
    Prepare(String),
    /// A commit is checked out.
    CheckOut {
        /// How much of it, percent.
        percent: u8,
    },
    /// It is compiled.
    Compile {
        /// Files that are made.
        done: u64,
        /// About how many a whole build makes; absent where this one continues another, or nobody knows.
        total: Option<u64>,
        /// The file that was made last.
        file: String,
    },
    /// It was built and is in the store.
    Built {
        /// Bytes that it takes there.
        bytes: u64,
        /// How long it took.
        seconds: u64,
    },
    /// It is in the store.
    Ready {
        /// Bytes that it takes there.
        bytes: u64,
    },
    /// It failed; the error is reported by whoever asked for the kernel.
    Failed,
    /// Something that does not stop the work.
    Warning(String),
}

/// What another process does, for [`Stage::Waiting`].
pub mod waiting {
    /// The same kernel is being fetched.
    pub const FETCHES_IT: &str = "another process fetches it";
    /// The same kernel is being put into the store.
    pub const STORES_IT: &str = "another process stores it";
    /// The tree that is kept of a source is in use.
    pub const USES_SOURCE: &str = "another process compiles this source, or reads it";
    /// The package lists are in use.
    pub const ASKS_APT: &str = "another process asks apt";
}

/// Is told how the fetching goes, from several threads.
pub trait FetchProgress: Sync {
    /// `kernel` has reached `stage`.
    fn report(&self, kernel: &str, stage: Stage);
}

/// Says nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl FetchProgress for NoProgress {
    fn report(&self, _: &str, _: Stage) {}
}

/// Bytes as megabytes, the unit that package tools use.
pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
