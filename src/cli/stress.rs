//! `--stress-count` and `--stress-duration`: every cell again and again.

use std::time::Duration;

use super::guests::parse_time;
use crate::runner::Stress;

/// How often every cell is judged.
#[derive(Debug, clap::Args)]
pub struct StressArgs {
    /// Judge every cell so many times. It is bad if it was once; all attempts count for its result, its record is told after
    /// each time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    stress_count: Option<u32>,
    /// Judge every cell once, and again as long as this time is not over, such as 10m
    #[arg(long, value_name = "TIME", value_parser = parse_time, conflicts_with = "stress_count")]
    stress_duration: Option<Duration>,
}

impl StressArgs {
    /// What is asked for, from now on.
    pub fn stress(&self) -> Stress {
        Stress::new(self.stress_count, self.stress_duration)
    }
}
