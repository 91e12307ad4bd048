//! Events on disk: append-only JSON lines.
