//! Bisections from the candidates to the report: attempts in a simulated lab, judged as real ones are, and histories in
//! real git repositories. Starts no virtual machine.

mod command;
mod commits;
mod driving;
mod git;
mod import;
mod place;
mod reports;
