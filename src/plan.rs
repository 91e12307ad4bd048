//! Suites × kernels, filtered, to a list of cells.
