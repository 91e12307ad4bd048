//! Queues of patches: what is read of them, how they are judged, what is reported.

mod building;
mod driving;
mod place;
mod reading;
mod reports;
