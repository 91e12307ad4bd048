//! The YAML model of suites: tests, needs, programs, doses, symptoms; loading with located errors.
