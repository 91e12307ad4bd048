//! Loading the machines of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::{DEFAULT, Machine, MachineError};
use super::{FORMAT, build};
use crate::suite::MachineNeeds;
use crate::yaml::load;
use crate::yaml::problem::{LoadError, Problem, ProblemKind};
use crate::yaml::source::plain;

/// The machines of a folder. `default` is always there.
#[derive(Debug, Clone)]
pub struct Machines {
    folder: PathBuf,
    machines: BTreeMap<String, Machine>,
}

impl Machines {
    /// Loads the `*.yaml` and `*.yml` files of a folder. A folder that does not exist has no machines of its own.
    ///
    /// # Errors
    /// Everything that is wrong with any of the files, each problem with its place.
    pub fn load(folder: &Path) -> Result<Machines, LoadError> {
        let mut machines = BTreeMap::from([(DEFAULT.to_owned(), Machine::built_in())]);
        let files = match load::files(folder) {
            Ok(files) => files,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                let headline = format!("cannot read the folder of machines: {}", plain(&error));
                let problem = Problem::new(&FORMAT, ProblemKind::Unreadable, folder, headline)
                    .help("name a folder that holds machines, such as vm/".to_owned());
                return Err(LoadError::new(vec![problem]));
            }
        };
        let mut problems = Vec::new();
        for path in files {
            match load::read(&FORMAT, &path, build::machine) {
                Ok(machine) => drop(machines.insert(machine.name.clone(), machine)),
                Err(found) => problems.extend(found),
            }
        }
        if problems.is_empty() {
            Ok(Machines { folder: folder.to_owned(), machines })
        } else {
            Err(LoadError::new(problems))
        }
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// The machine that a test wants.
    ///
    /// # Errors
    /// As [`MachineError`] says.
    pub fn for_test(&self, needs: &MachineNeeds) -> Result<Machine, MachineError> {
        let base = self.machines.get(&needs.base).ok_or_else(|| MachineError::Missing {
            name: needs.base.clone(),
            folder: self.folder.display().to_string(),
            there: self.machines.keys().cloned().collect(),
        })?;
        base.for_test(needs)
    }
}
