//! Modules that a guest asks for while it runs: its kernel, by modprobe, or what runs in it.

use crate::guest::message::{ModuleRequest, ToGuest};
use crate::kernel::{ModuleState, ModuleTree};
use crate::vm::guest::Guest;

/// Sends a module, with all that it needs and that is not loaded, in the order of loading.
pub(super) fn lend(modules: &ModuleTree, request: &ModuleRequest, guest: &mut dyn Guest) {
    let error = send(modules, request, guest).err();
    guest.send(&ToGuest::ModulesEnd { number: request.number, error });
}

fn send(modules: &ModuleTree, request: &ModuleRequest, guest: &mut dyn Guest) -> Result<(), String> {
    let ModuleRequest { number, name, loaded, contents } = request;
    let (state, release) = (modules.find(name), modules.release());
    if state == ModuleState::Missing {
        // as kmod says it: tests look for its words
        return Err(format!("Module {name} not found in directory /lib/modules/{release}"));
    }
    let order = modules.load_order(&[name]).map_err(|error| error.to_string())?;
    let spelt = name.replace('-', "_");
    for module in order.into_iter().filter(|module| !loaded.contains(&module.name)) {
        let bytes = match contents {
            true => modules.read(&module).map_err(|error| error.to_string())?,
            false => Vec::new(),
        };
        let message = ToGuest::ModuleFile {
            number: *number,
            path: format!("/lib/modules/{release}/{}", module.path_in_tree),
            optional: module.optional,
            asked: module.name == spelt,
            size: bytes.len() as u64,
            name: module.name,
        };
        guest.send_module(&message, &bytes);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::scripted::{Script, ScriptedGuest};

    #[test]
    fn a_guest_gets_what_it_asks_for_or_the_reason_why_not() {
        let modules = ModuleTree::of_builtin("6.1", &["ext4"]);
        let mut guest = ScriptedGuest::new(Script::default());
        for name in ["ext4", "net-pf-132"] {
            let request = ModuleRequest { number: 1, name: name.into(), loaded: vec![], contents: true };
            lend(&modules, &request, &mut guest);
        }
        insta::assert_snapshot!(guest.take_actions(), @r"
        0.0 modules: all sent
        0.0 modules: Module net-pf-132 not found in directory /lib/modules/6.1
        ");
    }
}
