//! The JSON form of a diagnosis, for other programs.

use serde::{Deserialize, Serialize};

use super::report::Report;

/// The diagnosis of one console: what `kregress explain --format json` prints, one object a line.
///
/// `{"file": …, "reports": [{"title": …, "alt_titles": […], "type": …, "corrupted": …, "frame": …, …}]}`; the reports
/// are in the order in which they begin, the first is the verdict on the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FileDiagnosis {
    /// The name of the file as it was given, `-` for standard input.
    pub file: String,
    /// The reports in it.
    pub reports: Vec<Report>,
}

impl FileDiagnosis {
    /// The object on one line, without a line feed.
    ///
    /// # Errors
    /// Never for values made by this module; the signature is serde's.
    pub fn to_line(&self) -> serde_json::Result<String> {
        serde_json::to_string(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_is_kept() {
        let console = b"[    1.000000] general protection fault, probably for non-canonical address 0xdead: 0000 [#1] SMP\n\
            [    1.000001] CPU: 2 UID: 0 PID: 77 Comm: mount Not tainted 6.17.13 #1\n\
            [    1.000002] RIP: 0010:some_func+0x46/0x210\n\
            [    1.000003] Call Trace:\n\
            [    1.000004]  caller_one+0x8d/0x1a0\n\
            [    1.000005]  __x64_sys_mount+0x8d/0x1a0\n\
            [    1.000006]  do_syscall_64+0x1/0x2\n";
        let diagnosis = FileDiagnosis { file: "console.log".to_owned(), reports: crate::diagnose(console) };
        insta::assert_snapshot!(diagnosis.to_line().unwrap(), @r#"{"file":"console.log","reports":[{"title":"general protection fault in some_func","alt_titles":["bad-access in some_func"],"type":"DoS","corrupted":false,"frame":"some_func","frames":["some_func","caller_one","__x64_sys_mount","do_syscall_64"],"suppressed":false,"panicked":false,"start":0,"end":361,"start_line":1,"task":"mount","pid":77,"cpu":2}]}"#);
        let back: FileDiagnosis = serde_json::from_str(&diagnosis.to_line().unwrap()).unwrap();
        assert_eq!(back, diagnosis);
        let empty = FileDiagnosis { file: "-".to_owned(), reports: Vec::new() };
        insta::assert_snapshot!(empty.to_line().unwrap(), @r#"{"file":"-","reports":[]}"#);
    }
}
