//! How many files a whole build makes, for the bar of the next one.

use std::fs;
use std::path::Path;

/// In a build folder: the files that its largest build made.
const COUNT: &str = "kregress.steps";

/// In a build folder: the configuration that was asked for.
pub(super) const ASKED: &str = "kregress.config";

/// What a whole build of this configuration made elsewhere below `places`, the last one that was finished. Another version
/// of the source makes a few files more or less.
pub(super) fn elsewhere(places: &Path, config: &str) -> Option<u64> {
    let folders = |path: &Path| fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
    let outputs = folders(places).flat_map(|place| folders(&place).collect::<Vec<_>>());
    let counted = outputs.filter_map(|output| {
        let count = output.join(COUNT);
        let finished = fs::metadata(&count).and_then(|count| count.modified()).ok()?;
        let same = fs::read_to_string(output.join(ASKED)).is_ok_and(|asked| asked == config);
        let count: u64 = fs::read_to_string(&count).ok().filter(|_| same)?.trim().parse().ok()?;
        Some((finished, count))
    });
    counted.max().map(|(_, count)| count)
}

/// Remembers what a build that was finished made. One that made fewer than another in this folder went on with it.
pub(super) fn remember(output: &Path, made: u64) {
    let path = output.join(COUNT);
    let most = fs::read_to_string(&path).ok().and_then(|count| count.trim().parse::<u64>().ok());
    if most.is_none_or(|most| made > most) {
        // without it a bar lacks its end
        let _ = fs::write(path, made.to_string());
    }
}
