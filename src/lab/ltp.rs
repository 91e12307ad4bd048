//! The environment that programs of the Linux Test Project read.

use std::time::Duration;

use crate::guest::layout::INBOX;
use crate::vm::spec::Accel;

/// How much longer than with KVM a program may take in a translated guest before LTP calls it stuck: LTP itself allows kernels
/// with slow debugging options four times as long, and hosts that translate are often shared.
const TRANSLATED: u32 = 8;

/// What LTP takes for `LTP_RUNTIME_MUL` (`lib/tst_test.c`).
const RUNTIME_MULTIPLIERS: (f64, f64) = (0.01, 100.0);

/// The variables of a program that runs for `runtime` by itself and is given a dose of so many seconds.
pub(super) fn environment(
    runtime: Option<Duration>,
    seconds: Option<u32>,
    accel: Accel,
) -> Vec<(String, String)> {
    // what systemd-detect-virt(1) would say, which LTP calls: in a virtual machine it allows clocks ten times as much
    let (timeout, hypervisor) = match accel {
        Accel::Kvm => (1, "kvm"),
        Accel::Tcg => (TRANSLATED, "qemu"),
    };
    let mut variables = vec![
        // tests look for their children and helpers there
        ("PATH".to_owned(), format!("{INBOX}:/bin:/sbin:/usr/bin:/usr/sbin")),
        ("LTPROOT".to_owned(), INBOX.to_owned()),
        ("LTP_COLORIZE_OUTPUT".to_owned(), "0".to_owned()),
        ("LTP_TIMEOUT_MUL".to_owned(), timeout.to_string()),
        ("LTP_VIRT_OVERRIDE".to_owned(), hypervisor.to_owned()),
    ];
    if let (Some(runtime), Some(seconds)) = (runtime, seconds) {
        let (least, most) = RUNTIME_MULTIPLIERS;
        let multiplier = (f64::from(seconds) / runtime.as_secs_f64()).clamp(least, most);
        variables.push(("LTP_RUNTIME_MUL".to_owned(), format!("{multiplier:.4}")));
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dose_scales_the_runtime_and_the_host_the_timeout() {
        let said = |runtime: Option<u64>, seconds, accel| {
            let variables = environment(runtime.map(Duration::from_secs), seconds, accel);
            let of =
                |name: &str| variables.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
            let hypervisor = of("LTP_VIRT_OVERRIDE").unwrap();
            (of("LTP_RUNTIME_MUL"), format!("{} {hypervisor}", of("LTP_TIMEOUT_MUL").unwrap()))
        };
        assert_eq!(said(Some(300), Some(30), Accel::Tcg), (Some("0.1000".into()), "8 qemu".into()));
        assert_eq!(said(Some(1), Some(3600), Accel::Kvm), (Some("100.0000".into()), "1 kvm".into()));
        assert_eq!(said(Some(30), None, Accel::Kvm), (None, "1 kvm".into()));
        assert_eq!(said(None, Some(30), Accel::Kvm), (None, "1 kvm".into()));
    }
}
