//! Loading the machines of a folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::model::{DEFAULT, Machine, MachineError};
use super::{FORMAT, build};
use crate::suite::{MachineNeeds, Test};
use crate::yaml::load;
use crate::yaml::problem::{LoadError, Problem, ProblemKind};
use crate::yaml::source::plain;

/// The machines of some folders. `default` is always there.
#[derive(Debug, Clone)]
pub struct Machines {
    /// The first of them, for messages.
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

    /// Loads several folders; of machines that have the same name the one in the first of them counts.
    ///
    /// # Errors
    /// As [`Machines::load`].
    pub fn load_all(folders: &[PathBuf]) -> Result<Machines, LoadError> {
        let mut all = Machines { folder: PathBuf::new(), machines: BTreeMap::new() };
        for folder in folders.iter().rev() {
            let Machines { folder, machines } = Machines::load(folder)?;
            all.folder = folder;
            all.machines.extend(machines);
        }
        Ok(all)
    }

    /// All of them by name.
    pub fn iter(&self) -> impl Iterator<Item = &Machine> {
        self.machines.values()
    }

    /// The machine of a test, with the disk of its userland. A machine that lies beside the test's suite goes before
    /// those of the folders.
    ///
    /// # Errors
    /// As [`MachineError`] says.
    pub fn of(&self, test: &Test) -> Result<Machine, MachineError> {
        let folder = test.span.file.parent().unwrap_or(Path::new(""));
        let machine = match beside(folder, &test.machine.base)? {
            Some(base) => base.for_test(&test.machine)?,
            None => self.for_test(&test.machine)?,
        };
        if test.userland.is_some() { machine.with_userland() } else { Ok(machine) }
    }

    /// The machine that is wanted.
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

/// The machine of this name that lies beside a suite: in its folder, where suites lie as well, or in `vm/` there.
fn beside(folder: &Path, name: &str) -> Result<Option<Machine>, MachineError> {
    let file = format!("{name}.yaml");
    let own = Some(folder.join(&file)).filter(|path| path.is_file() && !is_suite(path));
    let Some(path) = own.or_else(|| Some(folder.join("vm").join(&file)).filter(|path| path.is_file())) else {
        return Ok(None);
    };
    match load::read(&FORMAT, &path, build::machine) {
        Ok(machine) => Ok(Some(machine)),
        Err(found) => Err(MachineError::Mistakes { shown: LoadError::new(found).render(false, 100) }),
    }
}

/// Whether a file says of itself that it is a suite.
fn is_suite(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().any(|line| line.starts_with("suite:"))
}
