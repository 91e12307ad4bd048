//! Reports: each a fold over the journal.
