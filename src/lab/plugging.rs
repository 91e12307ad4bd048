//! Devices that a program plugs and unplugs: its requests are carried out at once, and answered in their order.

use std::collections::{BTreeSet, VecDeque};

use crate::guest::message::{HostRequest, ToGuest};
use crate::vm::guest::{DeviceEvent, Guest};
use crate::vm::spec::VmDevice;

/// The most requests that wait for their answers.
const MOST_ASKED: usize = 1000;

/// The most bytes of answers that the agent has not taken.
const MOST_UNSENT: usize = 256 * 1024;

/// The most requests that are refused one after the other: whoever goes on does not take the answers, however fast
/// the agent does.
const MOST_REFUSED: usize = 100_000;

/// A request with what came of it.
#[derive(Debug)]
struct Asked {
    /// The device that the guest must let go of first.
    waits_for: Option<String>,
    error: Option<String>,
}

/// The devices of one machine and the requests for them.
#[derive(Debug)]
pub struct Plugging {
    /// Names of the machine's devices.
    devices: Vec<String>,
    /// Those that are in the machine.
    plugged: BTreeSet<String>,
    asked: VecDeque<Asked>,
    /// Requests that were refused since the last that was not.
    refused: usize,
    /// Whether the program asked for more than it takes.
    deaf: bool,
}

impl Plugging {
    /// The devices of a machine that was just started.
    pub fn new(devices: &[VmDevice]) -> Plugging {
        let at_start = devices.iter().filter(|device| device.at_start());
        Plugging {
            devices: devices.iter().map(|device| device.name().to_owned()).collect(),
            plugged: at_start.map(|device| device.name().to_owned()).collect(),
            asked: VecDeque::new(),
            refused: 0,
            deaf: false,
        }
    }

    /// Carries out a request; what can be answered now is sent. `false`: the program asks faster than it takes answers,
    /// and nothing more is done for it, because what waits for it must not grow without end.
    #[must_use]
    pub fn ask(&mut self, guest: &mut dyn Guest, request: &HostRequest) -> bool {
        let too_many = self.asked.len() >= MOST_ASKED || self.refused >= MOST_REFUSED;
        if too_many || guest.unsent() > MOST_UNSENT {
            self.deaf = true;
        }
        if self.deaf {
            return false;
        }
        let asked = self.carry_out(guest, request);
        self.refused = if asked.error.is_some() { self.refused + 1 } else { 0 };
        self.asked.push_back(asked);
        self.answer(guest);
        true
    }

    /// Takes in an event about a device; what can be answered now is sent.
    pub fn on_event(&mut self, guest: &mut dyn Guest, event: &DeviceEvent) {
        let (DeviceEvent::Deleted(name) | DeviceEvent::Refused(name)) = event;
        if let DeviceEvent::Deleted(name) = event {
            self.plugged.remove(name);
        }
        let waiting = self.asked.iter_mut().filter(|a| a.waits_for.as_deref() == Some(name));
        for asked in waiting {
            asked.waits_for = None;
            if let DeviceEvent::Refused(_) = event {
                asked.error = Some(format!("the guest does not let go of {name}"));
            }
        }
        self.answer(guest);
    }

    fn carry_out(&mut self, guest: &mut dyn Guest, request: &HostRequest) -> Asked {
        let refused = |error: String| Asked { waits_for: None, error: Some(error) };
        let (HostRequest::Plug { device } | HostRequest::Unplug { device }) = request;
        if !self.devices.contains(device) {
            return refused(self.no_such(device));
        }
        let done = match (request, self.plugged.contains(device)) {
            (HostRequest::Plug { .. }, true) => return refused(format!("{device} is plugged already")),
            (HostRequest::Unplug { .. }, false) => return refused(format!("{device} is not plugged")),
            (HostRequest::Plug { .. }, false) => guest.plug(device).map(|()| {
                self.plugged.insert(device.clone());
                None
            }),
            (HostRequest::Unplug { .. }, true) => guest.unplug(device).map(|()| Some(device.clone())),
        };
        match done {
            Ok(waits_for) => Asked { waits_for, error: None },
            Err(refusal) => refused(refusal.to_string()),
        }
    }

    fn no_such(&self, device: &str) -> String {
        match self.devices.as_slice() {
            [] => format!("the machine has no device \"{device}\", it has none at all"),
            names => format!("the machine has no device \"{device}\", it has {}", names.join(", ")),
        }
    }

    fn answer(&mut self, guest: &mut dyn Guest) {
        while self.asked.front().is_some_and(|asked| asked.waits_for.is_none()) {
            let error = self.asked.pop_front().and_then(|asked| asked.error);
            guest.send(&ToGuest::Answer { error });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Device, DeviceKind};
    use crate::vm::scripted::{Script, ScriptedGuest};

    fn plugging(names: &[&str]) -> Plugging {
        let fit = |name: &&str| {
            let device =
                Device { name: (*name).into(), at_start: false, behind: None, kind: DeviceKind::Igb };
            VmDevice { device, nth: 1, image: None }
        };
        Plugging::new(&names.iter().map(fit).collect::<Vec<_>>())
    }

    fn ask(plugging: &mut Plugging, guest: &mut ScriptedGuest, line: &str) -> String {
        assert!(plugging.ask(guest, &HostRequest::parse(line).unwrap()));
        guest.take_actions()
    }

    #[test]
    fn answers_keep_the_order_of_requests() {
        let (mut plugging, mut guest) = (plugging(&["a", "b"]), ScriptedGuest::new(Script::new()));
        assert_eq!(ask(&mut plugging, &mut guest, "plug a"), "0.0 plug a\n0.0 answer: done\n");
        // carried out at once, and answered when the guest has let go
        assert_eq!(ask(&mut plugging, &mut guest, "unplug a"), "0.0 unplug a\n");
        assert_eq!(ask(&mut plugging, &mut guest, "plug b"), "0.0 plug b\n");
        assert_eq!(ask(&mut plugging, &mut guest, "plug a"), "");
        plugging.on_event(&mut guest, &DeviceEvent::Deleted("b".into()));
        assert_eq!(guest.take_actions(), "");
        plugging.on_event(&mut guest, &DeviceEvent::Deleted("a".into()));
        insta::assert_snapshot!(guest.take_actions(), @r"
        0.0 answer: done
        0.0 answer: done
        0.0 answer: a is plugged already
        ");
        assert_eq!(ask(&mut plugging, &mut guest, "plug a"), "0.0 plug a\n0.0 answer: done\n");
    }

    #[test]
    fn refusals_are_answered() {
        let script = Script::new().refuses_to_plug("stuck", "Bus 'pcie.0' does not support hotplugging");
        let (mut plugging, mut guest) = (plugging(&["stuck", "a"]), ScriptedGuest::new(script));
        let mut said = String::new();
        for line in ["plug x", "plug stuck", "unplug a", "plug a", "unplug a"] {
            said += &ask(&mut plugging, &mut guest, line);
        }
        plugging.on_event(&mut guest, &DeviceEvent::Refused("a".into()));
        said += &guest.take_actions();
        insta::assert_snapshot!(said, @r#"
        0.0 answer: the machine has no device "x", it has stuck, a
        0.0 plug stuck
        0.0 answer: QEMU's monitor: Bus 'pcie.0' does not support hotplugging
        0.0 answer: a is not plugged
        0.0 plug a
        0.0 answer: done
        0.0 unplug a
        0.0 answer: the guest does not let go of a
        "#);
    }

    #[test]
    fn a_program_that_takes_no_answers_is_listened_to_no_more() {
        let (mut plugging, mut guest) = (plugging(&["a"]), ScriptedGuest::new(Script::new()));
        let request = HostRequest::parse("unplug a").unwrap();
        let plug = HostRequest::parse("plug a").unwrap();
        assert!(plugging.ask(&mut guest, &plug) && plugging.ask(&mut guest, &request));
        // nothing is answered before the guest has let go of a
        let carried_out = (0..2000).take_while(|_| plugging.ask(&mut guest, &request)).count();
        assert_eq!(carried_out, MOST_ASKED - 1);
        assert!(!plugging.ask(&mut guest, &plug), "it stays so");
    }

    #[test]
    fn a_program_that_is_only_refused_is_listened_to_no_more() {
        let (mut plugging, mut guest) = (plugging(&["a"]), ScriptedGuest::new(Script::new()));
        let unknown = HostRequest::parse("plug x").unwrap();
        let refused = |plugging: &mut Plugging, guest: &mut ScriptedGuest| {
            (0..MOST_REFUSED - 1).all(|_| plugging.ask(guest, &unknown))
        };
        assert!(refused(&mut plugging, &mut guest));
        // one that is carried out is no flood
        assert!(plugging.ask(&mut guest, &HostRequest::parse("plug a").unwrap()));
        assert!(refused(&mut plugging, &mut guest));
        assert!(plugging.ask(&mut guest, &unknown) && !plugging.ask(&mut guest, &unknown));
    }
}
