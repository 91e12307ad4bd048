//! QEMU dies of its own filter of system calls (SIGSYS), as versions before 8 do where they fork: the infrastructure failed, and
//! nothing is said of the kernel.

use std::os::unix::fs::PermissionsExt;

use super::hosts::{forget_runs, run};
use super::table::Outcome;
use crate::place::Place;

/// It does so when it starts a guest, and answers all that it is asked before.
pub fn at_the_start(place: &Place, options: &[&str]) -> Outcome {
    let wrapper = place.path().join("qemu-in-a-sandbox");
    let real = kregress::vm::qemu::Qemu::find().expect("QEMU").path;
    let real = which::which(&real).expect("QEMU's program");
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' -sandbox '*) kill -SYS $$ ;; esac\nexec {} \"$@\"\n",
        real.display()
    );
    std::fs::write(&wrapper, script).expect("a file");
    std::fs::set_permissions(&wrapper, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    forget_runs(place);
    let mut command = run(place, &["ends::clean", "ends::reports-the-symptom"], options);
    command.env("KREGRESS_QEMU", &wrapper);
    let ended = place.finish(command);
    let cells: Vec<_> = ended.events.iter().filter(|event| event["event"] == "cell").collect();
    let judged = cells.iter().find(|cell| cell["verdict"] != "lost");
    if let Some(cell) = judged {
        return Outcome::Wrong(format!("{} is {}", cell["test"], cell["verdict"]));
    }
    // what QEMU died of is said, so that nobody looks for it in the kernel
    let reasons = cells.iter().filter_map(|cell| cell["reason"].as_str());
    let named = reasons.filter(|reason| reason.contains("SIGSYS") || reason.contains("signal 31")).count();
    let told = cells.len() == 2 && named == 2 && ended.code == Some(102);
    Outcome::of((!told).then(|| {
        let reasons: Vec<_> = cells.iter().map(|cell| &cell["reason"]).collect();
        format!("exit code {:?}, {reasons:?}: {}", ended.code, ended.err)
    }))
}
