//! What is said of one test so far, and what would be tried next for it.

use flaky_bisect::Gain;

use super::kernel::KernelOf;
use super::report::{Class, Why};

/// Attempts of a test on a kernel.
#[derive(Clone, Debug, PartialEq)]
pub struct Want {
    /// Where.
    pub kernel: KernelOf,
    /// At most so many; they end at the first bad one.
    pub attempts: u32,
    /// What for.
    pub why: Why,
}

/// What would be tried next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Nothing: the class is final.
    Nothing,
    /// Each of these has to be made, in any order.
    Wants(Vec<Want>),
    /// One of these kernels, by what it tells of the culprit.
    Narrow(Vec<(KernelOf, Vec<Gain>)>),
}

/// A test.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    /// What is said of it if nothing more is tried.
    pub class: Class,
    /// What would be tried.
    pub next: Next,
}

impl State {
    /// It is settled.
    pub fn settled(class: Class) -> State {
        State { class, next: Next::Nothing }
    }

    /// It is not, and this is tried next.
    pub fn open(class: Class, kernel: KernelOf, attempts: u32, why: Why) -> State {
        State { class, next: Next::Wants(vec![Want { kernel, attempts, why }]) }
    }
}
