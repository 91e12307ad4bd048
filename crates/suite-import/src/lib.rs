//! Suites of kregress from the metadata of other test collections. Pure: texts in, texts out.
//!
//! A reader ([`ltp`], [`kselftest`], [`blktests`], [`xfstests`], [`syz`]) makes an [`Import`] of a collection's metadata, [`write`] the text of a suite's file, and
//! [`merge`] takes a new import into a file that was written before and may have been changed since.

pub mod blktests;
pub mod draft;
pub mod kselftest;
pub mod ltp;
pub mod merge;
pub mod syz;
pub mod text;
pub mod write;
pub mod xfstests;

pub use draft::{DiskDraft, Import, LeftOut, ProgramValue, SuiteDraft, TestDraft};
pub use merge::{Change, Merged, merge};
pub use write::write;
