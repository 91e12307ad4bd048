//! The settings of a project's configuration, laid under what the command line and the environment say. Settings have
//! one order of strength: command line, environment, override, profile, default.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;
use serde_json::{Value, json};

use super::error::CliError;
use super::guests::GuestArgs;
use super::selection::{DEFAULT_KERNELS, KernelArgs, TestArgs};
use super::word::{Words, word_of};
use crate::config::{self, ActiveProfile, DEFAULT, FILE_NAME, Given, GroupLimit, Override, Profile, Tuning};
use crate::yaml::Location;

/// Which profile of the configuration is meant.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Project")]
pub struct ConfigArgs {
    /// The profile of kregress.yaml, which is looked for in this folder and above, whose settings are used [default:
    /// default]
    #[arg(long, global = true, env = "KREGRESS_PROFILE", value_name = "NAME")]
    profile: Option<String>,
}

impl ConfigArgs {
    /// The options by which another process of this command has the same settings.
    pub fn words(&self) -> Vec<String> {
        self.profile.iter().flat_map(|name| ["--profile".to_owned(), name.clone()]).collect()
    }

    /// Takes a variable of the environment that is empty for one that is not set; a profile that the command line names
    /// has to be there, whether or not the command has settings of it.
    ///
    /// # Errors
    /// The configuration cannot be read, or has no such profile.
    pub fn check(&mut self, matches: &ArgMatches) -> Result<(), CliError> {
        match matches.value_source("profile") {
            Some(ValueSource::CommandLine) => self.active().map(drop),
            Some(ValueSource::EnvVariable) => {
                self.profile.take_if(|name| name.is_empty());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The profile that is meant, of the configuration of the current folder.
    ///
    /// # Errors
    /// The configuration cannot be read, or has no such profile.
    pub fn active(&self) -> Result<ActiveProfile, CliError> {
        let name = self.profile.as_deref().unwrap_or(DEFAULT);
        let here = std::env::current_dir().unwrap_or_default();
        let config = config::find(&here).map(|path| config::load(&path)).transpose();
        let config = config.map_err(CliError::located)?;
        if config.is_none() && name != DEFAULT {
            return Err(CliError::setup(format!(
                "there is no {FILE_NAME} in this folder or above, so there is no profile {name:?} either"
            )));
        }
        ActiveProfile::of(config, name).map_err(CliError::located)
    }
}

/// Where a setting comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "from")]
pub enum Origin {
    /// An option of the command line.
    Option {
        /// Its name, with the dashes.
        name: String,
    },
    /// A variable of the environment.
    Environment {
        /// Its name.
        name: String,
    },
    /// The configuration.
    File(Location),
    /// Nobody said anything.
    Default,
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Origin::Option { name } | Origin::Environment { name } => f.write_str(name),
            Origin::File(location) => location.fmt(f),
            Origin::Default => f.write_str("default"),
        }
    }
}

/// A setting as it is in force.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    /// Its key.
    pub name: String,
    /// Its value; `null` where that is left to the suites or to the host.
    pub value: Value,
    /// What that means where it is `null`.
    #[serde(skip)]
    pub otherwise: &'static str,
    /// Where it comes from.
    pub origin: Origin,
}

/// What a profile is laid under: the arguments of a subcommand, as clap read them.
pub struct Layer<'a> {
    /// The profile.
    pub profile: &'a ActiveProfile,
    /// The subcommand's arguments.
    pub matches: &'a ArgMatches,
    /// The subcommand, for names of its options and variables.
    pub command: &'a clap::Command,
}

impl Layer<'_> {
    /// Where an argument was given, if the command has it and it was.
    pub fn given(&self, id: &str) -> Option<Origin> {
        let argument = self.command.get_arguments().find(|argument| argument.get_id() == id)?;
        match self.matches.value_source(id)? {
            ValueSource::CommandLine => Some(Origin::Option {
                name: match (argument.get_long(), argument.get_value_names()) {
                    (Some(long), _) => format!("--{long}"),
                    (None, Some([name, ..])) => name.to_string(),
                    (None, _) => id.to_owned(),
                },
            }),
            ValueSource::EnvVariable => {
                let name = argument.get_env().unwrap_or_default().to_string_lossy().into_owned();
                Some(Origin::Environment { name })
            }
            _ => None,
        }
    }

    /// Of several arguments the first that was given.
    pub fn given_of(&self, ids: &[&str]) -> Option<Origin> {
        ids.iter().find_map(|id| self.given(id))
    }

    /// Takes a setting from the profile where no argument was given: hands its value to `take`, and answers where the
    /// value in force comes from.
    pub fn settle<T: Clone>(
        &self,
        ids: &[&str],
        setting: impl Fn(&Profile) -> &Option<Given<T>>,
        take: impl FnOnce(T),
    ) -> Origin {
        if let Some(origin) = self.given_of(ids) {
            return origin;
        }
        match self.profile.get(setting) {
            Some(Given { value, at }) => {
                take(value);
                Origin::File(at)
            }
            None => Origin::Default,
        }
    }

    /// The kernels.
    pub fn kernels(&self, args: &mut KernelArgs) -> Effective {
        let folder = self.profile.config.as_ref().map(config::Config::folder).unwrap_or(Path::new(""));
        let only_takes_away = args.kernel.iter().all(|kernel| kernel.starts_with('!'));
        let mut origin = self.given("kernel");
        let mut otherwise = None;
        if only_takes_away && let Some(Given { value, at }) = self.profile.get(|p| &p.kernels) {
            // as on the command line, where nothing but what is taken away is named
            let from_all = value.iter().all(|kernel| kernel.starts_with('!'));
            let defaults = DEFAULT_KERNELS.iter().filter(|_| from_all).map(|kernel| (*kernel).to_owned());
            otherwise = Some(
                defaults.chain(value.iter().map(|kernel| beside(folder, kernel))).collect::<Vec<String>>(),
            );
            origin = origin.or(Some(Origin::File(at)));
        }
        let value = match (&otherwise, only_takes_away) {
            (Some(kernels), _) => kernels.iter().chain(&args.kernel).cloned().collect(),
            (None, true) => {
                DEFAULT_KERNELS.iter().map(|kernel| (*kernel).to_owned()).chain(args.kernel.clone()).collect()
            }
            (None, false) => args.kernel.clone(),
        };
        args.otherwise = otherwise;
        Effective::new("kernels", json!(value), origin.unwrap_or(Origin::Default), "")
    }

    /// Which tests: words, expressions and suites of the command line take the place of the profile's filter.
    pub fn tests(&self, args: &mut TestArgs) -> Effective {
        let ids = ["filters", "expressions", "suite", "rerun"];
        let origin = self.settle(
            &ids,
            |p| &p.filter,
            |filter| {
                args.expressions = vec![filter.as_str().to_owned()];
            },
        );
        let value = match &args.expressions[..] {
            [] => Value::Null,
            expressions => json!(expressions.join(" | ")),
        };
        let otherwise = if origin == Origin::Default { "every test" } else { "as the command line says" };
        Effective::new("filter", value, origin, otherwise)
    }

    /// How attempts are made by a command whose tests no override changes.
    pub fn guests_of_all(&self, args: &mut GuestArgs) -> Vec<Effective> {
        let timeout = self.settle(&["timeout"], |p| &p.timeout, |time| args.timeout = Some(time));
        let timeout = Effective::new("timeout", json!(args.timeout.map(time)), timeout, "as each suite says");
        let mut settings = self.guests(args);
        settings.push(timeout);
        settings
    }

    /// How attempts are made, without what overrides change as well.
    pub fn guests(&self, args: &mut GuestArgs) -> Vec<Effective> {
        let jobs = self.settle(&["jobs"], |p| &p.jobs, |jobs| args.jobs = Some(jobs));
        let retries = self.settle(&["retries"], |p| &p.retries, |retries| args.retries = retries);
        let boot = self.settle(&["boot_timeout"], |p| &p.boot_timeout, |time| args.boot_timeout = time);
        let accel = self.settle(&["accel"], |p| &p.accel, |accel| args.accel = accel);
        vec![
            Effective::new("retries", json!(args.retries), retries, ""),
            Effective::new("boot-timeout", json!(time(args.boot_timeout)), boot, ""),
            Effective::new("jobs", json!(args.jobs), jobs, "as many as the host carries"),
            Effective::new("accel", json!(word(args.accel)), accel, ""),
        ]
    }
}

/// Groups and overrides, without what was said with more strength than an override has.
pub fn shown_limits(
    groups: &[Given<GroupLimit>],
    overrides: &[Given<Override>],
    fixed: Tuning,
) -> Vec<Effective> {
    let group = |Given { value, at }: &Given<GroupLimit>| {
        let GroupLimit { filter, group } = value;
        let name = group.name.replace("group ", "groups.");
        let value = json!({"filter": filter.as_str(), "max": group.max});
        Effective::new(name, value, Origin::File(at.clone()), "")
    };
    let over = |(nth, Given { value, at }): (usize, &Given<Override>)| {
        let Override { filter, attempts, retries, timeout } = value;
        let value = json!({
            "filter": filter.as_str(),
            "attempts": attempts.as_ref().filter(|_| fixed.attempts.is_none()).map(|given| given.value),
            "retries": retries.as_ref().filter(|_| fixed.retries.is_none()).map(|given| given.value),
            "timeout": timeout.as_ref().filter(|_| fixed.timeout.is_none()).map(|given| time(given.value)),
        });
        Effective::new(format!("overrides[{nth}]"), value, Origin::File(at.clone()), "")
    };
    groups.iter().map(group).chain(overrides.iter().enumerate().map(over)).collect()
}

impl Effective {
    /// A setting.
    pub fn new(name: impl Into<String>, value: Value, origin: Origin, otherwise: &'static str) -> Effective {
        Effective { name: name.into(), value, otherwise, origin }
    }
}

/// A duration as the configuration has it: `1m30s`.
pub fn time(time: Duration) -> String {
    let (seconds, milliseconds) = (time.as_secs(), time.subsec_millis());
    let parts = [(seconds / 3600, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let mut text: String =
        parts.iter().filter(|(n, _)| *n > 0).map(|(n, unit)| format!("{n}{unit}")).collect();
    if milliseconds > 0 {
        text.push_str(&format!("{milliseconds}ms"));
    }
    text
}

/// The word of a value.
pub fn word<T: Words + PartialEq>(value: T) -> &'static str {
    word_of(value)
}

/// A kernel of the configuration: a file's path is read against the configuration's folder.
fn beside(folder: &Path, kernel: &str) -> String {
    let is_path = ["./", "../"].iter().any(|start| kernel.starts_with(start));
    match is_path && folder != Path::new("") {
        true => folder.join(PathBuf::from(kernel.trim_start_matches("./"))).display().to_string(),
        false => kernel.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_back() {
        for text in ["90s", "1m30s", "2h", "1h1s", "500ms", "120s"] {
            let read = crate::suite::parse_duration(text).unwrap();
            assert_eq!(crate::suite::parse_duration(&time(read)).unwrap(), read, "{text}");
        }
        assert_eq!(time(Duration::from_secs(90)), "1m30s");
    }

    #[test]
    fn files_lie_beside_the_configuration() {
        let table = [
            ("/p", "./bzImage", "/p/bzImage"),
            ("/p", "../linux/bzImage", "/p/../linux/bzImage"),
            ("/p", "6.12.57", "6.12.57"),
            ("/p", "/boot/vmlinuz", "/boot/vmlinuz"),
            ("", "./bzImage", "./bzImage"),
        ];
        for (folder, kernel, wanted) in table {
            assert_eq!(beside(Path::new(folder), kernel), wanted);
        }
    }
}
