//! The way from the top of a document to one of its values: `tests[0].machine.cpus`.

use std::fmt;

/// One step down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(String),
    Index(usize),
}

/// A way down from the top of the document.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct KeyPath(pub Vec<Step>);

impl KeyPath {
    /// The value of a key of this mapping.
    pub fn key(&self, key: &str) -> Self {
        self.with(Step::Key(key.to_owned()))
    }

    /// An entry of this list.
    pub fn index(&self, index: usize) -> Self {
        self.with(Step::Index(index))
    }

    fn with(&self, step: Step) -> Self {
        let mut steps = self.0.clone();
        steps.push(step);
        Self(steps)
    }

    /// The nearest key on the way up; what a person would call the value.
    pub fn name(&self) -> &str {
        let keys = self.0.iter().rev().filter_map(|step| match step {
            Step::Key(key) => Some(key.as_str()),
            Step::Index(_) => None,
        });
        keys.into_iter().next().unwrap_or("the file")
    }

    /// The value in words: "`cpus`", "an entry of `modules`".
    pub fn described(&self) -> String {
        match self.0.last() {
            Some(Step::Index(_)) => format!("an entry of `{}`", self.name()),
            _ => format!("`{}`", self.name()),
        }
    }

    /// Whether `self` is `other` or above it.
    pub fn covers(&self, other: &Self) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if nth == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_read_as_people_write_them() {
        let path = KeyPath::default().key("tests").index(0).key("machine").key("cmdline").index(2);
        assert_eq!(path.to_string(), "tests[0].machine.cmdline[2]");
        assert_eq!(path.name(), "cmdline");
        assert_eq!(path.described(), "an entry of `cmdline`");
        assert!(KeyPath::default().key("tests").covers(&path) && !path.covers(&KeyPath::default()));
    }
}
