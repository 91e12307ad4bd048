//! Devices that a program plugs and unplugs: its requests are carried out at once, and answered in their order.

use std::collections::{BTreeSet, VecDeque};

use crate::guest::message::{HostRequest, ToGuest};
use crate::vm::VmError;
use crate::vm::device::QemuDevice;
use crate::vm::monitor::{DeviceEvent, Monitor};
use crate::vm::session::Session;

/// The most requests that wait for their answers.
const MOST_ASKED: usize = 1000;

/// The most bytes of answers that the agent has not taken.
const MOST_UNSENT: usize = 256 * 1024;

/// What QEMU can be asked to do with devices.
pub trait Hotplug {
    /// Plugs a device with everything that belongs to it.
    ///
    /// # Errors
    /// QEMU's refusal.
    fn plug(&mut self, device: &QemuDevice) -> Result<(), VmError>;

    /// Asks the guest to let go of a device.
    ///
    /// # Errors
    /// QEMU's refusal.
    fn unplug(&mut self, name: &str) -> Result<(), VmError>;
}

impl Hotplug for Monitor {
    fn plug(&mut self, device: &QemuDevice) -> Result<(), VmError> {
        if let Some(drive) = &device.drive {
            self.add_drive(drive)?;
        }
        let added = device.parts.iter().try_for_each(|part| self.add_device(part));
        if let (Err(_), Some(drive)) = (&added, &device.drive) {
            // the refusal is what the program must hear of
            let _ = self.delete_drive(drive);
        }
        added
    }

    fn unplug(&mut self, name: &str) -> Result<(), VmError> {
        self.delete_device(name)
    }
}

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
    devices: Vec<QemuDevice>,
    /// Names of the devices that are in the machine.
    plugged: BTreeSet<String>,
    /// How often anything was plugged.
    pluggings: u32,
    asked: VecDeque<Asked>,
    /// Whether the program asked for more than it takes.
    deaf: bool,
}

impl Plugging {
    /// The devices of a machine that was just started.
    pub fn new(devices: &[QemuDevice]) -> Plugging {
        let at_start = devices.iter().filter(|f| f.at_start).map(|f| f.name.clone());
        Plugging {
            devices: devices.to_vec(),
            plugged: at_start.collect(),
            pluggings: 0,
            asked: VecDeque::new(),
            deaf: false,
        }
    }

    /// Carries out a request; what can be answered now is sent. `false`: the program asks faster than it takes answers,
    /// and nothing more is done for it, because what waits for it must not grow without end.
    #[must_use]
    pub fn ask(&mut self, session: &mut Session, request: &HostRequest) -> bool {
        if self.asked.len() >= MOST_ASKED || session.unsent() > MOST_UNSENT {
            self.deaf = true;
        }
        if self.deaf {
            return false;
        }
        let asked = self.carry_out(session.monitor(), request);
        self.asked.push_back(asked);
        self.answer(session);
        true
    }

    /// Takes in an event about a device; what can be answered now is sent.
    pub fn on_event(&mut self, session: &mut Session, event: &DeviceEvent) {
        self.note(event);
        self.answer(session);
    }

    fn carry_out(&mut self, hotplug: &mut dyn Hotplug, request: &HostRequest) -> Asked {
        let refused = |error: String| Asked { waits_for: None, error: Some(error) };
        let (HostRequest::Plug { device } | HostRequest::Unplug { device }) = request;
        let Some(fitted) = self.devices.iter().find(|f| f.name == *device) else {
            return refused(self.no_such(device));
        };
        let done = match (request, self.plugged.contains(device)) {
            (HostRequest::Plug { .. }, true) => return refused(format!("{device} is plugged already")),
            (HostRequest::Unplug { .. }, false) => return refused(format!("{device} is not plugged")),
            (HostRequest::Plug { .. }, false) => {
                self.pluggings += 1;
                hotplug.plug(&fitted.renewed(self.pluggings)).map(|()| {
                    self.plugged.insert(device.clone());
                    None
                })
            }
            (HostRequest::Unplug { .. }, true) => hotplug.unplug(device).map(|()| Some(device.clone())),
        };
        match done {
            Ok(waits_for) => Asked { waits_for, error: None },
            Err(refusal) => refused(refusal.to_string()),
        }
    }

    fn no_such(&self, device: &str) -> String {
        let names: Vec<&str> = self.devices.iter().map(|f| f.name.as_str()).collect();
        match names.as_slice() {
            [] => format!("the machine has no device \"{device}\", it has none at all"),
            names => format!("the machine has no device \"{device}\", it has {}", names.join(", ")),
        }
    }

    fn note(&mut self, event: &DeviceEvent) {
        let (DeviceEvent::Deleted(id) | DeviceEvent::Refused(id)) = event;
        if let DeviceEvent::Deleted(id) = event {
            self.plugged.remove(id);
        }
        let waiting = self.asked.iter_mut().filter(|a| a.waits_for.as_deref() == Some(id));
        for asked in waiting {
            asked.waits_for = None;
            if let DeviceEvent::Refused(_) = event {
                asked.error = Some(format!("the guest does not let go of {id}"));
            }
        }
    }

    fn answer(&mut self, session: &mut Session) {
        while let Some(answer) = self.next_answer() {
            session.send(&answer);
        }
    }

    fn next_answer(&mut self) -> Option<ToGuest> {
        self.asked.front().filter(|asked| asked.waits_for.is_none())?;
        self.asked.pop_front().map(|asked| ToGuest::Answer { error: asked.error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Device, DeviceKind};

    /// Takes every device but those named `stuck`.
    #[derive(Default)]
    struct FakeHotplug(Vec<String>);

    impl Hotplug for FakeHotplug {
        fn plug(&mut self, device: &QemuDevice) -> Result<(), VmError> {
            self.0.push(format!("plug {}", device.name));
            match device.name.as_str() {
                "stuck" => Err(VmError::Monitor("Bus 'pcie.0' does not support hotplugging".into())),
                _ => Ok(()),
            }
        }

        fn unplug(&mut self, name: &str) -> Result<(), VmError> {
            self.0.push(format!("unplug {name}"));
            Ok(())
        }
    }

    fn plugging(names: &[&str]) -> Plugging {
        let fit = |name: &&str| {
            let device =
                Device { name: (*name).into(), at_start: false, behind: None, kind: DeviceKind::Igb };
            crate::vm::device::fit(&device, 1, None)
        };
        Plugging::new(&names.iter().map(fit).collect::<Vec<_>>())
    }

    fn ask(plugging: &mut Plugging, fake: &mut FakeHotplug, line: &str) -> Vec<Option<String>> {
        let asked = plugging.carry_out(fake, &HostRequest::parse(line).unwrap());
        plugging.asked.push_back(asked);
        answers(plugging)
    }

    fn answers(plugging: &mut Plugging) -> Vec<Option<String>> {
        std::iter::from_fn(|| plugging.next_answer())
            .map(|answer| match answer {
                ToGuest::Answer { error } => error,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn answers_keep_the_order_of_requests() {
        let (mut plugging, mut fake) = (plugging(&["a", "b"]), FakeHotplug::default());
        assert_eq!(ask(&mut plugging, &mut fake, "plug a"), [None]);
        assert_eq!(ask(&mut plugging, &mut fake, "unplug a"), []);
        assert_eq!(ask(&mut plugging, &mut fake, "plug b"), []);
        assert_eq!(ask(&mut plugging, &mut fake, "plug a"), []);
        // carried out at once all the same
        assert_eq!(fake.0, ["plug a", "unplug a", "plug b"]);
        plugging.note(&DeviceEvent::Deleted("b".into()));
        assert_eq!(answers(&mut plugging), []);
        plugging.note(&DeviceEvent::Deleted("a".into()));
        assert_eq!(answers(&mut plugging), [None, None, Some("a is plugged already".to_owned())]);
        assert_eq!(ask(&mut plugging, &mut fake, "plug a"), [None]);
    }

    #[test]
    fn refusals_are_answered() {
        let (mut plugging, mut fake) = (plugging(&["stuck", "a"]), FakeHotplug::default());
        let mut error = |line: &str| ask(&mut plugging, &mut fake, line).remove(0).unwrap();
        insta::assert_snapshot!(error("plug x"), @r#"the machine has no device "x", it has stuck, a"#);
        insta::assert_snapshot!(error("plug stuck"), @"QEMU's monitor: Bus 'pcie.0' does not support hotplugging");
        insta::assert_snapshot!(error("unplug a"), @"a is not plugged");
        assert_eq!(ask(&mut plugging, &mut fake, "plug a"), [None]);
        assert_eq!(ask(&mut plugging, &mut fake, "unplug a"), []);
        plugging.note(&DeviceEvent::Refused("a".into()));
        assert_eq!(answers(&mut plugging), [Some("the guest does not let go of a".to_owned())]);
    }
}
