//! Executes a plan on a lab: capacity, order, retries, cancellation.
