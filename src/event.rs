//! What happens in a run, as plain data.
