//! Kernel versions: parsing, order, lines and ranges.
