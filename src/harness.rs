//! Suites as a libtest-mimic test harness.
