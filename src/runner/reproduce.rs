//! The script beside the evidence of an attempt, by which a person comes into the guest that its test had.

use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::event::CellId;
use crate::journal::AttemptDir;
use crate::progress::printable;
use crate::report::quoted;

/// What scripts of a run say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reproduction {
    /// The folder in which the run was started.
    pub folder: PathBuf,
    /// Options of `kregress vm shell` by which the run's suites, machines, catalogues and modules are found.
    pub options: Vec<String>,
    /// What selects each kernel, by its name.
    pub kernels: HashMap<String, String>,
}

impl Reproduction {
    /// The script for an attempt of a cell.
    pub fn script(&self, cell: &CellId, attempt: u32) -> String {
        let kernel = self.kernels.get(&cell.kernel).unwrap_or(&cell.kernel);
        let words = ["kregress", "vm", "shell", "--test", &cell.test, "-k", kernel];
        let words = words.into_iter().chain(self.options.iter().map(String::as_str)).map(quoted);
        format!(
            "#!/bin/sh\n\
             # A shell in the guest of {cell}, attempt {attempt}; ./run-test in it runs the program.\n\
             # Options of `kregress vm shell`, such as --gdb, can be given to this script.\n\
             cd {folder} || exit\n\
             exec {words} \"$@\"\n",
            cell = printable(&cell.to_string()),
            folder = quoted(&self.folder.to_string_lossy()),
            words = words.collect::<Vec<_>>().join(" "),
        )
    }

    /// Writes it into the attempt's folder.
    pub(super) fn write(&self, dir: &AttemptDir, cell: &CellId, attempt: u32) -> std::io::Result<()> {
        let path = dir.reproduce();
        std::fs::write(&path, self.script(cell, attempt))?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_script_names_the_test_the_kernel_and_where_they_are_found() {
        let reproduction = Reproduction {
            folder: "/home/me/my work".into(),
            options: ["-s", "/s/it's.yaml", "--modules-dir", "/m m", "--machines", "/$vm"]
                .map(str::to_owned)
                .into(),
            kernels: HashMap::from([("bzImage".to_owned(), "/home/me/my work/bzImage".to_owned())]),
        };
        let cell = |kernel: &str| CellId { test: "block::race".into(), kernel: kernel.into() };
        let text = reproduction.script(&cell("bzImage"), 2);
        insta::assert_snapshot!(text, @r#"
        #!/bin/sh
        # A shell in the guest of block::race@bzImage, attempt 2; ./run-test in it runs the program.
        # Options of `kregress vm shell`, such as --gdb, can be given to this script.
        cd '/home/me/my work' || exit
        exec kregress vm shell --test block::race -k '/home/me/my work/bzImage' -s '/s/it'\''s.yaml' --modules-dir '/m m' --machines '/$vm' "$@"
        "#);
        let plain = Reproduction::default().script(&cell("arm64:6.12.57"), 1);
        assert!(
            plain.ends_with("exec kregress vm shell --test block::race -k arm64:6.12.57 \"$@\"\n"),
            "{plain}"
        );
        // a name with a line break in it ends no comment
        let odd = Reproduction::default().script(&cell("a\nfalse"), 1);
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("a", &text), ("b", &plain), ("c", &odd)] {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("it is writable");
            assert!(Command::new("sh").arg("-n").arg(&path).status().expect("sh starts").success(), "{text}");
        }
        // what the shell makes of it
        let words = format!(
            "kregress() {{ printf '<%s>' \"$@\"; }}\n{}",
            text.replace("exec ", "").replace("cd ", ": ")
        );
        let output = Command::new("sh").args(["-c", &words, "sh", "--gdb"]).output().expect("sh starts");
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            "<vm><shell><--test><block::race><-k></home/me/my work/bzImage><-s></s/it's.yaml><--modules-dir></m m>\
             <--machines></$vm><--gdb>"
        );
    }
}
