//! A profile with what it inherits.

use super::model::{Config, Given, GroupLimit, Override, Profile};
use super::{FORMAT, build};
use crate::yaml::Rejection;
use crate::yaml::problem::{LoadError, Problem, ProblemKind};

/// The profile that is used when none is named, and that all others inherit from.
pub const DEFAULT: &str = "default";

/// The profile of a run: itself, and those that it inherits from, the nearest first.
#[derive(Clone, Debug, Default)]
pub struct ActiveProfile {
    /// Its name.
    pub name: String,
    /// The configuration that it is from, if there is one.
    pub config: Option<Config>,
    chain: Vec<Profile>,
}

impl ActiveProfile {
    /// The profile of this name. `default` need not be in the file, which need not be there.
    ///
    /// # Errors
    /// There is no such profile.
    pub fn of(config: Option<Config>, name: &str) -> Result<ActiveProfile, LoadError> {
        let mut chain = Vec::new();
        let mut next = Some(name.to_owned());
        if let Some(config) = &config {
            if name != DEFAULT && !config.profiles.contains_key(name) {
                let Rejection { found, expected, help } = build::unknown_profile(name, &config.profiles);
                let headline = format!("there is no profile {found}: expected {expected}");
                let problem = Problem::new(&FORMAT, ProblemKind::WrongValue, &config.path, headline);
                return Err(LoadError::new(vec![problem.help(help)]));
            }
            while let Some(name) = next {
                let profile = config.profiles.get(&name).cloned().unwrap_or_default();
                next = match (&profile.inherits, name.as_str()) {
                    (Some(parent), _) => Some(parent.value.clone()),
                    (None, DEFAULT) => None,
                    (None, _) => Some(DEFAULT.to_owned()),
                };
                chain.push(profile);
            }
        }
        Ok(ActiveProfile { name: name.to_owned(), config, chain })
    }

    /// The value of a setting: the profile's own, else that of the nearest one that it inherits from.
    pub fn get<T: Clone>(&self, setting: impl Fn(&Profile) -> &Option<Given<T>>) -> Option<Given<T>> {
        self.chain.iter().find_map(|profile| setting(profile).clone())
    }

    /// The limits of cells side by side; of those that have one name the nearest.
    pub fn groups(&self) -> Vec<Given<GroupLimit>> {
        let mut groups: Vec<Given<GroupLimit>> = Vec::new();
        for limit in self.chain.iter().flat_map(|profile| &profile.groups) {
            if !groups.iter().any(|nearer| nearer.value.group.name == limit.value.group.name) {
                groups.push(limit.clone());
            }
        }
        groups
    }

    /// The overrides, the strongest first: the profile's own in their order, then those that it inherits.
    pub fn overrides(&self) -> Vec<Given<Override>> {
        self.chain.iter().flat_map(|profile| profile.overrides.iter().cloned()).collect()
    }
}
