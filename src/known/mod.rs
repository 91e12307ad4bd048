//! The entries of the suites' `known` lists against what runs saw: how old each is, what it hides, whether it has
//! outlived what it speaks of.

mod standing;

pub use standing::{OUTLIVED, Seen, Standing, State, standings};
