//! The seam between the runner and what runs an attempt.
