//! Observations to a verdict. Pure.
