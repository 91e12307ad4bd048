//! Durations (`20s`, `2m`, `1m30s`, `500ms`), memory sizes (`512M`, `1G`) and bounded numbers as files of the project write them.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::rejection::Rejection;

/// Longest duration that may be asked for.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Memory of a guest, in MiB: below, no Debian kernel boots; above, no host has it to spare.
const MEMORY_MIB: RangeInclusive<u64> = 64..=256 * 1024;

/// Parses `20s`, `2m`, `1m30s`, `1h`, `500ms`.
pub fn duration(text: &str) -> Result<Duration, Rejection> {
    let expected = "a duration such as `20s`, `2m` or `1m30s`";
    if text.parse::<f64>().is_ok() {
        return Err(
            Rejection::of(text, expected).help(format!("a number needs its unit: `{text}s` for seconds"))
        );
    }
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (digits, after) = split_at_first(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_at_first(after, |c| c.is_ascii_digit());
        let milliseconds = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => 3_600_000,
            _ => return Err(Rejection::of(text, expected).help("units are `ms`, `s`, `m` and `h`")),
        };
        let number: u64 = digits.parse().map_err(|_| Rejection::of(text, expected))?;
        total = total.saturating_add(Duration::from_millis(number.saturating_mul(milliseconds)));
        rest = after;
    }
    if total.is_zero() {
        return Err(Rejection::of(text, "a duration above zero"));
    }
    if total > LONGEST {
        return Err(Rejection::of(text, "a duration of at most 24h"));
    }
    Ok(total)
}

/// Parses `512M`, `1G` (also `512MiB`, `1GiB`) into MiB.
pub fn memory_mib(text: &str) -> Result<u32, Rejection> {
    let expected = "a memory size such as `512M` or `1G`";
    let (digits, unit) = split_at_first(text, |c| !c.is_ascii_digit());
    let factor = match unit {
        "M" | "MiB" => 1,
        "G" | "GiB" => 1024,
        "" if !digits.is_empty() => {
            return Err(
                Rejection::of(text, expected).help(format!("a number needs its unit: `{text}M` for MiB"))
            );
        }
        _ => return Err(Rejection::of(text, expected).help("units are `M` and `G` (powers of 1024)")),
    };
    let number: u64 = digits.parse().map_err(|_| Rejection::of(text, expected))?;
    let mib = number.saturating_mul(factor);
    match u32::try_from(mib) {
        Ok(fitting) if MEMORY_MIB.contains(&mib) => Ok(fitting),
        _ => Err(Rejection::of(text, "a memory size from 64M to 256G")),
    }
}

/// Parses the size of a disk of zeroes, which takes no room on the host.
pub(crate) fn disk_mib(text: &str) -> Result<u32, Rejection> {
    let expected = "a size from 1M to 1024G";
    let number = |digits: &str, factor: u32| {
        digits
            .parse::<u32>()
            .ok()
            .and_then(|n| n.checked_mul(factor))
            .filter(|mib| (1..=1 << 20).contains(mib))
    };
    let mib = match (text.strip_suffix('M'), text.strip_suffix('G')) {
        (Some(digits), _) => number(digits, 1),
        (_, Some(digits)) => number(digits, 1024),
        _ => None,
    };
    mib.ok_or_else(|| Rejection::of(text, expected))
}

/// Parses a number and checks that it lies in the range.
pub(crate) fn within<T>(text: &str, range: RangeInclusive<T>) -> Result<T, Rejection>
where
    T: FromStr + PartialOrd + Display,
{
    let expected = || format!("a whole number from {} to {}", range.start(), range.end());
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| Rejection::of(text, expected()))
}

/// Parses a chance or a share: above 0, at most 1.
pub(crate) fn fraction(text: &str) -> Result<f64, Rejection> {
    text.parse()
        .ok()
        .filter(|number: &f64| *number > 0.0 && *number <= 1.0)
        .ok_or_else(|| Rejection::of(text, "a number above 0 and at most 1, such as `0.25`"))
}

/// Parses the growth of a leak, in objects per iteration.
pub(crate) fn growth(text: &str) -> Result<f64, Rejection> {
    text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0).ok_or_else(|| {
        Rejection::of(text, "a number above 0")
            .help("it is how many objects of the cache one iteration leaks on a bad kernel")
    })
}

fn split_at_first(text: &str, stop: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(stop).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, milliseconds) in
            [("20s", 20_000), ("2m", 120_000), ("1m30s", 90_000), ("500ms", 500), ("1h", 3_600_000)]
        {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "s", "20", "1.5s", "-1s", "0s", "25h", "3d", "20 s", "99999999999999999999s", "２s"]
        {
            assert!(duration(text).is_err(), "{text}");
        }
        insta::assert_snapshot!(duration("20").unwrap_err(), @"found `20`, expected a duration such as `20s`, `2m` or `1m30s`");
        assert_eq!(
            duration("20").unwrap_err().help.as_deref(),
            Some("a number needs its unit: `20s` for seconds")
        );
    }

    #[test]
    fn memory() {
        for (text, mib) in [("512M", 512), ("1G", 1024), ("64MiB", 64), ("256GiB", 262_144)] {
            assert_eq!(memory_mib(text), Ok(mib), "{text}");
        }
        for text in ["", "512", "63M", "257G", "1T", "M", "1.5G", "-1G", "99999999999999999999G"] {
            assert!(memory_mib(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers() {
        assert_eq!(within("2", 1..=256u32), Ok(2));
        assert!(within("0", 1..=256u32).is_err());
        assert!(within("two", 1..=256u32).is_err());
        assert_eq!(fraction("0.5"), Ok(0.5));
        for text in ["0", "1.01", "nan", "inf", "-1", "half"] {
            assert!(fraction(text).is_err(), "{text}");
        }
        assert!(growth("0").is_err() && growth("inf").is_err() && growth("2").is_ok());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,24}") {
            let _ = (duration(&text), memory_mib(&text), fraction(&text), growth(&text));
        }
    }
}
