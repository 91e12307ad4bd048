//! How to run a test by hand, without this program.

use crate::suite::{ProgramSource, Test};

/// The lines that do so.
pub fn reproducer(test: &Test) -> Vec<String> {
    let launch = test.program.launch();
    let mut lines: Vec<String> =
        test.sysctl.iter().map(|(name, value)| format!("sysctl {name}={value}")).collect();
    if !test.needs.modules.is_empty() {
        lines.push(format!("modprobe -a {}", test.needs.modules.join(" ")));
    }
    let arguments: String = launch.args.iter().map(|arg| format!(" {arg}")).collect();
    match launch.source {
        ProgramSource::Script(script) => lines.extend(script.lines().map(str::to_owned)),
        ProgramSource::Compiled { file, flags } => {
            let flags: String = flags.iter().map(|flag| format!(" {flag}")).collect();
            let name = file.file_name().unwrap_or_default().to_string_lossy();
            lines.push(format!("gcc -static -o reproducer {name}{flags}"));
            lines.push(format!("./reproducer{arguments}"));
        }
        ProgramSource::File(path) => {
            lines.push(format!("./{}{arguments}", path.file_name().unwrap_or_default().to_string_lossy()));
        }
        ProgramSource::Collection(of) => {
            lines.push(format!("{}: {}{arguments}", of.collection.word(), of.program.display()));
        }
    }
    lines
}
