//! What one attempt produced, as plain data.
