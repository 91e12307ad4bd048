//! The faults of the campaign: hostile guests, the host's own, and kills at any moment.

#![allow(dead_code, reason = "the tests use the short form, the bench all of it")]

pub mod builds;
mod clocks;
pub mod cuts;
pub mod fetches;
pub mod guests;
pub mod hosts;
pub mod kills;
mod left;
pub mod power;
mod sandbox;
pub mod searches;
pub mod table;
mod words;
