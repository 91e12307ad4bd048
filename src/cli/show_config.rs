//! `kregress show-config`: every setting as it is in force, and where it comes from.

use serde_json::{Value, json};

use super::config::{Effective, Layer};
use super::run::RunArgs;
use crate::config::ActiveProfile;

/// Print the settings of a run and where each comes from.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every option of `kregress run` is taken, and shown as the origin of what it sets.

Examples:
  kregress show-config                          the default profile
  kregress show-config --profile ci -k 6.12.57  another, and an option of run
  kregress show-config --format json            for programs")]
pub struct ShowConfigArgs {
    /// How to print them
    #[arg(long, value_enum, default_value_t)]
    format: ConfigFormat,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum ConfigFormat {
    /// For people
    #[default]
    Human,
    /// One JSON object
    Json,
}

/// Prints the settings.
pub fn run(args: &mut ShowConfigArgs, layer: &Layer<'_>) {
    let settings = args.run.configure(layer);
    match args.format {
        ConfigFormat::Human => print!("{}", human(layer.profile, &settings)),
        ConfigFormat::Json => {
            let config = layer.profile.config.as_ref().map(|config| config.path.display().to_string());
            let profile = &layer.profile.name;
            println!("{}", json!({"config": config, "profile": profile, "settings": settings}));
        }
    }
}

fn human(profile: &ActiveProfile, settings: &[Effective]) -> String {
    let rows: Vec<[String; 3]> = settings
        .iter()
        .map(|setting| [setting.name.clone(), shown(setting), setting.origin.to_string()])
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (names, values) = (width(0), width(1).min(60));
    let mut text = match &profile.config {
        Some(config) => format!("# profile {} of {}\n", profile.name, config.path.display()),
        None => "# there is no kregress.yaml in this folder or above\n".to_owned(),
    };
    for [name, value, origin] in rows {
        text.push_str(&format!("{name:names$}  {value:values$}  # {origin}\n"));
    }
    text
}

/// A value as it stands in a configuration.
fn shown(setting: &Effective) -> String {
    fn plain(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            Value::Array(entries) => {
                format!("[{}]", entries.iter().map(plain).collect::<Vec<_>>().join(", "))
            }
            Value::Object(entries) => {
                let entries = entries.iter().filter(|(_, value)| !value.is_null());
                let entries: Vec<String> =
                    entries.map(|(key, value)| format!("{key}: {}", plain(value))).collect();
                format!("{{{}}}", entries.join(", "))
            }
            other => other.to_string(),
        }
    }
    match &setting.value {
        Value::Null => format!("({})", setting.otherwise),
        value => plain(value),
    }
}
