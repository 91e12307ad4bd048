//! The kernel's selftests: what the Makefiles below `tools/testing/selftests` build, or what an install folder lists.

mod known;
mod makefile;

use crate::draft::{Import, ProgramValue, SuiteDraft, TestDraft, USUAL_HANG};
use crate::text::kebab;

use known::Known;

pub use makefile::variable;

/// Memory of a guest, MiB: with 512 some tests of memory fail for want of it.
const MEMORY_MIB: u32 = 1024;

/// How long the kernel's runner lets a program run, seconds (`kselftest_default_timeout` of `kselftest/runner.sh`).
const DEFAULT_TIMEOUT: u32 = 45;

/// How much longer a translated guest may take than one with KVM.
const TRANSLATED: u32 = 4;

/// What counts as the bug, unless it is known better.
const FAILURE: &str = "^not ok";

/// Options of a folder's `config` that are no need: they show others when a kernel is configured.
const MENUS: &[&str] = &["EXPERT"];

/// A folder of selftests as the source has it.
#[derive(Clone, Debug, Default)]
pub struct Folder {
    /// Its path below `tools/testing/selftests`: `timers`, `net/forwarding`.
    pub name: String,
    /// The text of its `Makefile`.
    pub makefile: String,
    /// The text of its `settings`; empty where there is none.
    pub settings: String,
    /// The text of its `config`; empty where there is none.
    pub config: String,
}

/// A program of an install folder.
#[derive(Clone, Debug)]
pub struct Installed {
    /// The collection's name in `kselftest-list.txt`.
    pub folder: String,
    /// The program's name there.
    pub program: String,
    /// The whole path of its file.
    pub path: String,
    /// Why it cannot run in a guest, as far as the file tells.
    pub refusal: Option<String>,
    /// The text of its folder's `settings`; empty where there is none.
    pub settings: String,
}

/// The folders that the kernel's own runner takes: `TARGETS` of `tools/testing/selftests/Makefile`.
pub fn targets(makefile: &str) -> Vec<String> {
    let mut targets = variable(makefile, "TARGETS");
    targets.sort();
    targets.dedup();
    targets
}

/// The line of a kernel's source, `6.12`, by its top `Makefile`.
pub fn line(makefile: &str) -> Option<String> {
    let number = |name: &str| variable(makefile, name).first()?.parse::<u32>().ok();
    Some(format!("{}.{}", number("VERSION")?, number("PATCHLEVEL")?))
}

/// Makes suites of folders of a source tree, which the suites name as `tree`. With `line` they are for kernels that are no
/// older than the source.
pub fn read(folders: &[Folder], tree: &str, line: Option<&str>) -> Import {
    let mut import = Import::default();
    for folder in folders {
        let (programs, scripts) =
            (variable(&folder.makefile, "TEST_GEN_PROGS"), variable(&folder.makefile, "TEST_PROGS"));
        let alone = programs.len() == 1 && scripts.is_empty();
        for program in programs {
            let known = known::of(&folder.name, &program);
            if let Some(reason) = known.refusal {
                import.leave_out(&format!("{}:{program}", folder.name), reason);
                continue;
            }
            let path = format!("{}/{program}", folder.name);
            let keys =
                vec![("kselftest", ProgramValue::Text(path)), ("tree", ProgramValue::Text(tree.to_owned()))];
            let mut test = draft(&folder.name, &program, known, &folder.settings, line, keys);
            if alone {
                test.config = options(&folder.config)
                    .filter(|option| !MENUS.contains(option))
                    .map(str::to_owned)
                    .collect();
            } else {
                test.notes.extend(wanted(&folder.config));
            }
            add(&mut import, &folder.name, test);
        }
        for script in scripts {
            import.leave_out(
                &format!("{}:{script}", folder.name),
                "a script, which needs a userland with its commands",
            );
        }
    }
    import
}

/// Makes suites of the programs of an install folder.
pub fn installed(programs: &[Installed]) -> Import {
    let mut import = Import::default();
    for Installed { folder, program, path, refusal, settings } in programs {
        let known = known::of(folder, program);
        let refusal = refusal.as_deref().or(known.refusal);
        if let Some(reason) = refusal {
            import.leave_out(&format!("{folder}:{program}"), reason);
            continue;
        }
        let keys = vec![("kselftest", ProgramValue::Text(path.clone()))];
        add(&mut import, folder, draft(folder, program, known, settings, None, keys));
    }
    import
}

fn add(import: &mut Import, folder: &str, test: TestDraft) {
    let start = || SuiteDraft {
        summary: format!("selftests of the kernel, {folder}"),
        memory_mib: MEMORY_MIB,
        hang: Some(USUAL_HANG),
        ..SuiteDraft::default()
    };
    import.add(&format!("kselftest-{}", kebab(folder)), start, test);
}

fn draft(
    folder: &str,
    program: &str,
    known: Known,
    settings: &str,
    line: Option<&str>,
    keys: Vec<(&'static str, ProgramValue)>,
) -> TestDraft {
    let file = program.rsplit('/').next().unwrap_or(program);
    let texts = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    TestDraft {
        packages: texts(known.packages),
        modules: texts(known.modules),
        kvm: known.kvm,
        kernel: range(line.or(known.since), known.until),
        notes: Some(known.why).filter(|why| !why.is_empty()).map(str::to_owned).into_iter().collect(),
        name: kebab(file),
        summary: format!("{program} of tools/testing/selftests/{folder}"),
        program: keys,
        terminate: Some(timeout(settings).saturating_mul(TRANSLATED).min(3600) + 30),
        symptom: format!("{{reported: {{matching: '{}'}}}}", known.failure.unwrap_or(FAILURE)),
        ..TestDraft::default()
    }
}

/// From the first to the last line of kernels, as in `needs.kernel`.
fn range(first: Option<&str>, last: Option<&str>) -> Option<String> {
    (first.is_some() || last.is_some())
        .then(|| format!("{}..{}", first.unwrap_or_default(), last.unwrap_or_default()))
}

/// `timeout=` of a folder's settings; 0 there means none, which here is an hour.
fn timeout(settings: &str) -> u32 {
    let given = settings.lines().find_map(|line| line.trim().strip_prefix("timeout=")?.trim().parse().ok());
    match given {
        None => DEFAULT_TIMEOUT,
        Some(0) => 3600,
        Some(seconds) => seconds,
    }
}

/// What a folder's `config` asks for. It is for whoever builds a kernel for all of the folder: most programs need a part.
fn wanted(config: &str) -> Option<String> {
    let options: Vec<&str> = assignments(config).collect();
    let shown: Vec<&str> = options.iter().take(12).copied().collect();
    let more = if options.len() > shown.len() { " …" } else { "" };
    (!options.is_empty()).then(|| format!("its folder asks for a kernel with {}{more}", shown.join(" ")))
}

/// The options that a folder's `config` wants to be there, built in or as modules.
fn options(config: &str) -> impl Iterator<Item = &str> {
    assignments(config).filter_map(|line| line.strip_suffix("=y").or_else(|| line.strip_suffix("=m")))
}

fn assignments(config: &str) -> impl Iterator<Item = &str> {
    config.lines().filter_map(|line| line.trim().strip_prefix("CONFIG_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::write;

    #[test]
    fn programs_that_are_built_become_tests() {
        let folder = Folder {
            name: "clocks/deep".into(),
            makefile: "TEST_GEN_PROGS := tick_fast tick_slow\nTEST_PROGS = run.sh\n".into(),
            settings: "timeout=120\n".into(),
            config: "CONFIG_A=y\n# no\nCONFIG_B=m\n".into(),
        };
        let import = read(&[folder], "/src/linux", None);
        insta::assert_snapshot!(write(&import.suites[0], "kregress import kselftest"), @r#"
        # Written by `kregress import kselftest`. It may be changed: importing again keeps every entry that was changed or removed here.
        suite: kselftest-clocks-deep
        summary: "selftests of the kernel, clocks/deep"
        defaults:
          machine: {memory: 1024M}
          hang: {seconds: 120}
        tests:
        # import 7436b3b02d07d635

          - name: tick-fast
            summary: tick_fast of tools/testing/selftests/clocks/deep
            program:
              kselftest: clocks/deep/tick_fast
              tree: /src/linux
            timeout: {terminate: 510s}
            symptom: {reported: {matching: '^not ok'}}
            # its folder asks for a kernel with A=y B=m
            # import c2c0ffca6b464c2f

          - name: tick-slow
            summary: tick_slow of tools/testing/selftests/clocks/deep
            program:
              kselftest: clocks/deep/tick_slow
              tree: /src/linux
            timeout: {terminate: 510s}
            symptom: {reported: {matching: '^not ok'}}
            # its folder asks for a kernel with A=y B=m
            # import f2be547e91be73c6

        # imported: tick-fast tick-slow
        "#);
        assert_eq!(import.left_out[0].test, "clocks/deep:run.sh");
    }

    #[test]
    fn a_program_that_calls_commands_by_other_names_gets_a_userland() {
        let makefile = "TEST_GEN_PROGS := non-regular null-argv\n".to_owned();
        let folder = Folder { name: "exec".into(), makefile, ..Folder::default() };
        let import = read(&[folder], "/src/linux", None);
        let packages: Vec<&[String]> = import.suites[0].tests.iter().map(|test| &*test.packages).collect();
        assert_eq!(packages, [&["coreutils".to_owned()][..], &[]]);
    }

    #[test]
    fn what_a_folder_asks_for_is_a_need_of_its_only_program() {
        let folder = |makefile: &str| Folder {
            name: "nfc".into(),
            makefile: makefile.into(),
            config: "CONFIG_EXPERT=y\nCONFIG_NFC=m\n# CONFIG_X is not set\nCONFIG_NAME=\"a\"\nCONFIG_NCI=y\n"
                .into(),
            ..Folder::default()
        };
        let table = [
            ("TEST_GEN_PROGS := one\n", &["NFC", "NCI"][..]),
            ("TEST_GEN_PROGS := one two\n", &[]),
            ("TEST_GEN_PROGS := one\nTEST_PROGS := run.sh\n", &[]),
        ];
        for (makefile, needs) in table {
            let import = read(&[folder(makefile)], "/src/linux", None);
            let test = &import.suites[0].tests[0];
            assert_eq!(test.config, needs, "{makefile}");
            assert_eq!(test.notes.is_empty(), !needs.is_empty(), "{makefile}");
        }
    }

    #[test]
    fn what_is_known_of_a_program_is_in_its_suite() {
        let folder = |name: &str, makefile: &str| Folder {
            name: name.into(),
            makefile: makefile.into(),
            ..Folder::default()
        };
        let folders = [
            folder("tdx", "TEST_GEN_PROGS := tdx_guest_test\n"),
            folder("timers", "TEST_GEN_PROGS := posix_timers\n"),
        ];
        let import = read(&folders, "/src/linux", Some("6.12"));
        assert_eq!(import.left_out[0].test, "tdx:tdx_guest_test");
        let timers = &import.suites[0].tests[0];
        assert_eq!(timers.symptom, "{reported: {matching: '^not ok .*check_'}}");
        assert_eq!(timers.notes.len(), 1);
        assert_eq!(timers.kernel.as_deref(), Some("6.12.."));
    }

    #[test]
    fn a_test_is_for_kernels_from_its_source_on() {
        for (makefile, expected) in [
            ("# a comment\nVERSION = 6\nPATCHLEVEL = 12\nSUBLEVEL = 118\n", Some("6.12")),
            ("VERSION = 7\n", None),
            ("VERSION = x\nPATCHLEVEL = 1\n", None),
        ] {
            assert_eq!(line(makefile).as_deref(), expected, "{makefile}");
        }
        let table = [
            ((Some("6.12"), None), Some("6.12..")),
            ((Some("6.12"), Some("6.19")), Some("6.12..6.19")),
            ((None, Some("6.19")), Some("..6.19")),
            ((None, None), None),
        ];
        for ((first, last), expected) in table {
            assert_eq!(range(first, last).as_deref(), expected);
        }
    }

    #[test]
    fn installed_programs_are_files() {
        let program = |name: &str, refusal: Option<&str>| Installed {
            folder: "a".into(),
            program: name.into(),
            path: format!("/opt/a/{name}"),
            refusal: refusal.map(str::to_owned),
            settings: String::new(),
        };
        let import = installed(&[program("one", None), program("two", Some("it needs libraries"))]);
        let test = &import.suites[0].tests[0];
        assert_eq!(test.program, [("kselftest", ProgramValue::Text("/opt/a/one".into()))]);
        assert_eq!(test.terminate, Some(DEFAULT_TIMEOUT * TRANSLATED + 30));
        assert_eq!(import.left_out[0].reason, "it needs libraries");
    }

    #[test]
    fn settings_and_targets_are_read() {
        for (text, seconds) in
            [("", 45), ("timeout=0\n", 3600), (" timeout=300", 300), ("x=1\ntimeout=x", 45)]
        {
            assert_eq!(timeout(text), seconds, "{text}");
        }
        assert_eq!(targets("TARGETS = b\nTARGETS += a\nTARGETS += b/c\nTARGETS_X = d\n"), ["a", "b", "b/c"]);
    }
}
