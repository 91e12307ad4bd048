//! Searches twenty changes for the one that brought a bug which shows in about every third attempt.

use std::sync::Arc;

use flaky_bisect::{Aims, Costs, Find, History, Search, Seen, Step};

fn main() {
    let costs = Costs { kernel: 30.0, attempt: 4.0 };
    let mut search = Search::new(Arc::new(History::linear(20)), Find::Cause, Aims::default(), costs);
    // a small generator, so that the example prints the same every time
    let mut state = 1u32;
    let mut shows = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16 < 0x5555
    };
    let mut attempts = 0;
    loop {
        match search.next() {
            Step::Try { node, .. } => {
                attempts += 1;
                search.observe(node, Seen::new(u32::from(node >= 13 && shows()), 1));
            }
            Step::Ended(answer) => {
                println!("{answer:?} after {attempts} attempts");
                return;
            }
        }
    }
}
