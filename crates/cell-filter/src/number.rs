//! Durations, compared.

use std::fmt;

/// How a number is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `=`
    Equal,
}

impl Sign {
    /// The sign at the beginning of a text, and what follows it.
    pub(crate) fn split(text: &str) -> Option<(Sign, &str)> {
        [
            (">=", Sign::AtLeast),
            ("<=", Sign::AtMost),
            (">", Sign::Above),
            ("<", Sign::Below),
            ("=", Sign::Equal),
        ]
        .into_iter()
        .find_map(|(sign, kind)| text.strip_prefix(sign).map(|rest| (kind, rest)))
    }
}

/// A duration that another one is compared with: `>30s`, `<= 2m`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    sign: Sign,
    seconds: f64,
}

impl Comparison {
    pub(crate) fn parse(text: &str) -> Result<Comparison, (usize, String)> {
        const EXPECTED: &str = "expected a comparison such as `>30s`, `<=2m` or `>500ms`";
        let Some((sign, rest)) = Sign::split(text) else {
            return Err((0, EXPECTED.to_owned()));
        };
        let number = rest.trim();
        let at = text.len() - rest.trim_start().len();
        let digits = number.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(number.len());
        let (digits, unit) = number.split_at(digits);
        let factor = match unit.trim() {
            "ms" => 0.001,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "" => return Err((at + digits.len(), format!("a duration has a unit: `{digits}s`, `m` or `h`"))),
            other => {
                return Err((at + digits.len(), format!("`{other}` is no unit: ms, s, m and h are")));
            }
        };
        let value: f64 = digits.parse().map_err(|_| (at, EXPECTED.to_owned()))?;
        Ok(Comparison { sign, seconds: value * factor })
    }

    /// Whether so many seconds are meant.
    pub fn holds(&self, seconds: f64) -> bool {
        match self.sign {
            Sign::Above => seconds > self.seconds,
            Sign::AtLeast => seconds >= self.seconds,
            Sign::Below => seconds < self.seconds,
            Sign::AtMost => seconds <= self.seconds,
            Sign::Equal => (seconds - self.seconds).abs() < f64::EPSILON,
        }
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::Above => ">",
            Sign::AtLeast => ">=",
            Sign::Below => "<",
            Sign::AtMost => "<=",
            Sign::Equal => "=",
        };
        write!(f, "{sign}{}s", self.seconds)
    }
}
