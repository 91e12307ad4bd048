//! A backend whose machines play scripts.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::Mutex;

use super::{Clock, Script, ScriptedGuest};
use crate::vm::VmError;
use crate::vm::backend::{Backend, StartFrom};
use crate::vm::guest::Guest;
use crate::vm::spec::{Accel, VmSpec};

/// A backend whose machines play these scripts, in the order in which they are started.
pub(crate) struct ScriptedBackend {
    clock: Clock,
    scripts: Mutex<VecDeque<Script>>,
    starts: Mutex<Vec<&'static str>>,
}

impl ScriptedBackend {
    pub(crate) fn new(scripts: impl IntoIterator<Item = Script>) -> Arc<ScriptedBackend> {
        Arc::new(ScriptedBackend {
            clock: Clock::new(),
            scripts: Mutex::new(scripts.into_iter().collect()),
            starts: Mutex::default(),
        })
    }

    /// How each machine was started so far.
    pub(crate) fn starts(&self) -> String {
        self.starts.lock().join(", ")
    }

    /// How many scripts nobody played.
    pub(crate) fn left(&self) -> usize {
        self.scripts.lock().len()
    }
}

impl Backend for ScriptedBackend {
    fn name(&self) -> &'static str {
        "script"
    }

    fn version(&self) -> String {
        "1.0".to_owned()
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn start(&self, _: &VmSpec, from: StartFrom) -> Result<Box<dyn Guest>, VmError> {
        let failed = |text: &str| VmError::Start {
            program: "script".into(),
            source: std::io::Error::other(text.to_owned()),
        };
        let script = self.scripts.lock().pop_front().ok_or_else(|| failed("there is no further script"))?;
        self.starts.lock().push(match &from {
            StartFrom::Boot => "boot",
            StartFrom::Template(_) => "boot to save",
            StartFrom::Snapshot(_) => "restore",
        });
        if let StartFrom::Template(files) = from {
            // what is restored later
            let mut state = std::fs::File::from(files.state);
            state.write_all(b"state").map_err(VmError::io("the state's file"))?;
        }
        Ok(Box::new(ScriptedGuest::with_clock(script, self.clock.clone())))
    }

    fn snapshot_inputs(&self, machine: &VmSpec) -> String {
        format!("script\nmemory {}\n", machine.memory_mib)
    }

    fn missing(&self, _: &crate::machine::Machine, _: Option<Accel>) -> Option<String> {
        None
    }

    fn may_run_stale_code(&self, _: &VmSpec) -> bool {
        false
    }
}
