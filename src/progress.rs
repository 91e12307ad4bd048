//! The live view of a run; reads events only.
