use super::*;
use crate::write::write;
use proptest::prelude::*;

/// Metadata in the form that LTP's build writes, of tests that LTP has not.
const METADATA: &str = r#"{"testsuite": {"version": "x"}, "defaults": {"timeout": 30}, "tests": {
  "pipe_race07": {
    "fname": "testcases/kernel/syscalls/pipe/pipe_race07.c",
    "doc": ["Two writers share a :manpage:`pipe(2)`. One of them", "closes it.", "", "[Algorithm]"],
    "tags": [["linux-git", "0123456789abcdef0123456789abcdef01234567"], ["linux-git", "89abcdef0123"], ["CVE", "2030-10001"]],
    "needs_kconfigs": ["CONFIG_USER_NS=y", "CONFIG_A | CONFIG_B"],
    "needs_cmds": [{"cmd": "sh"}, {"cmd": "parted", "optional": true}],
    "needs_drivers": ["dummy"], "resource_files": ["pipe_race07_child"],
    "runtime": "300", "min_runtime": "20", "timeout": "10", "min_cpus": "4", "min_mem_avail": "2000", "min_kver": "5.8",
    "taint_check": "TST_TAINT_W | TST_TAINT_D"},
  "untagged01": {"fname": "testcases/kernel/syscalls/x/untagged01.c"},
  "script01.sh": {"fname": "testcases/commands/script01.sh", "tags": [["CVE", "2030-2"]]},
  "arm01": {"fname": "testcases/cve/arm01.c", "tags": [["CVE", "2030-3"]], "supported_archs": ["aarch64"]},
  "disk01": {"fname": "testcases/kernel/fs/disk01.c", "tags": [["CVE", "2030-4"]], "format_device": true},
  "raw01": {"fname": "testcases/kernel/fs/raw01.c", "tags": [["CVE", "2030-5"], ["glibc-git", "abc"]], "needs_device": true},
  "user01": {"fname": "testcases/cve/user01.c", "tags": [["CVE", "2030-6"]], "needs_cmds": [{"cmd": "useradd"}]}
}}"#;

fn options(all: bool) -> Options {
    let commands = BTreeSet::from(["sh".to_owned()]);
    Options { tree: "/src/ltp".into(), all, seconds: 10, commands }
}

fn no_source(_: &str) -> Option<String> {
    None
}

#[test]
fn tagged_tests_become_suites_by_their_area() {
    let import = read(METADATA, &no_source, &options(false)).unwrap();
    let text: String = import.suites.iter().map(|suite| write(suite, "kregress import ltp")).collect();
    insta::assert_snapshot!(text, @r#"
    # Written by `kregress import ltp`. It may be changed: importing again keeps every entry that was changed or removed here.
    suite: ltp-cve
    summary: "tests of the Linux Test Project, cve"
    defaults:
      machine: {memory: 1024M}
      hang: {seconds: 120}
      kernel-files: [config, modules]
    tests:
    # import 1f2180d807553365

      - name: arm01
        summary: "LTP's arm01"
        links:
          - https://nvd.nist.gov/vuln/detail/CVE-2030-3
        program:
          ltp: testcases/cve/arm01
          tree: /src/ltp
        timeout: {terminate: 270s}
        symptom: {reported: {matching: 'TFAIL'}}
        # it is for aarch64; LTP skips it elsewhere
        # import 2853b5d17f40d906

      - name: user01
        summary: "LTP's user01"
        links:
          - https://nvd.nist.gov/vuln/detail/CVE-2030-6
        userland: {packages: [passwd]}
        program:
          ltp: testcases/cve/user01
          tree: /src/ltp
        timeout: {terminate: 270s}
        symptom: {reported: {matching: 'TFAIL'}}
        # import 96e80e6c837651c5

    # imported: arm01 user01
    # Written by `kregress import ltp`. It may be changed: importing again keeps every entry that was changed or removed here.
    suite: ltp-fs
    summary: "tests of the Linux Test Project, fs"
    defaults:
      machine: {memory: 1024M}
      hang: {seconds: 120}
      kernel-files: [config, modules]
    tests:
    # import 2f9b42404bdd009d

      - name: disk01
        summary: "LTP's disk01"
        links:
          - https://nvd.nist.gov/vuln/detail/CVE-2030-4
        machine: {disks: [{name: scratch, blank: 300M, variable: LTP_DEV}]}
        userland: {packages: [e2fsprogs]}
        program:
          ltp: testcases/kernel/fs/disk01
          tree: /src/ltp
        timeout: {terminate: 270s}
        symptom: {reported: {matching: 'TFAIL'}}
        # import cad76728fb42c115

      - name: raw01
        summary: "LTP's raw01"
        links:
          - https://nvd.nist.gov/vuln/detail/CVE-2030-5
        machine: {disks: [{name: scratch, blank: 300M, variable: LTP_DEV}]}
        userland: {packages: [e2fsprogs]}
        program:
          ltp: testcases/kernel/fs/raw01
          tree: /src/ltp
        timeout: {terminate: 270s}
        symptom: {reported: {matching: 'TFAIL'}}
        # tag glibc-git: abc
        # import 98fe32005f32d83a

    # imported: disk01 raw01
    # Written by `kregress import ltp`. It may be changed: importing again keeps every entry that was changed or removed here.
    suite: ltp-syscalls
    summary: "tests of the Linux Test Project, syscalls"
    defaults:
      machine: {memory: 1024M}
      hang: {seconds: 120}
      kernel-files: [config, modules]
    tests:
    # import 10603ad3ab9b39a1

      - name: pipe-race07
        summary: Two writers share a pipe(2)
        links:
          - https://git.kernel.org/linus/0123456789abcdef0123456789abcdef01234567
          - https://git.kernel.org/linus/89abcdef0123
          - https://nvd.nist.gov/vuln/detail/CVE-2030-10001
        history: {fixed: {commit: 0123456789abcdef0123456789abcdef01234567}, also-fixed: [{commit: 89abcdef0123}], cves: [CVE-2030-10001]}
        needs: {modules: [dummy], config: [USER_NS=y], kernel: 5.8..}
        machine: {cpus: 4, memory: 2256M}
        userland: {packages: [parted]}
        program:
          ltp: testcases/kernel/syscalls/pipe/pipe_race07
          tree: /src/ltp
          beside: [pipe_race07_child]
          runtime: 300s
        dose: {seconds: 20}
        timeout: {terminate: 370s}
        symptom: {any: [{reported: {matching: 'TFAIL'}}, {crash: any}]}
        # it checks the configuration itself: CONFIG_A | CONFIG_B
        # import 2b8852e2e912ae5d

    # imported: pipe-race07
    "#);
    let left_out: String =
        import.left_out.iter().map(|left| format!("{}: {}\n", left.test, left.reason)).collect();
    insta::assert_snapshot!(left_out, @r"
    script01.sh: a script, which needs LTP's shell library
    ");
}

#[test]
fn all_tests_are_imported_where_that_is_asked() {
    let import = read(METADATA, &no_source, &options(true)).unwrap();
    let names: Vec<&str> =
        import.suites.iter().flat_map(|suite| &suite.tests).map(|test| test.name.as_str()).collect();
    assert!(names.contains(&"untagged01"), "{names:?}");
}

#[test]
fn other_files_are_refused_in_words() {
    for (text, start) in
        [("{}", "it has no `tests`"), ("[", "it is no JSON"), ("{\"tests\": []}", "it has no")]
    {
        let error = read(text, &no_source, &options(false)).unwrap_err().to_string();
        assert!(error.starts_with(start), "{error}");
    }
}

proptest! {
    #[test]
    fn no_fields_make_a_panic(
        fields in prop::collection::btree_map(
            "(fname|doc|tags|runtime|timeout|needs_cmds|needs_kconfigs|min_kver|resource_files|min_cpus|supported_archs)",
            "(\"testcases/a/b[.]c\"|-1|\"x\"|\\[\\]|\\[\"a\", 3\\]|\\[\\[\"CVE\"\\]\\]|\\[\\{\"cmd\": \"x\"\\}\\]|null|true)",
            0..8,
        )
    ) {
        let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key:?}: {value}")).collect();
        read(&format!("{{\"tests\": {{\"t\": {{{}}}}}}}", fields.join(", ")), &no_source, &options(true)).unwrap();
    }
}

#[test]
fn what_writes_to_its_own_memory_has_the_kernel_permit_it() {
    let metadata = r#"{"tests": {
      "cow01": {"fname": "testcases/kernel/mem/cow01.c", "tags": [["CVE", "2030-1"]]},
      "cow02": {"fname": "testcases/kernel/mem/cow02.c", "tags": [["CVE", "2030-2"]]},
      "map01": {"fname": "testcases/kernel/mem/map01.c", "tags": [["CVE", "2030-3"]]}}}"#;
    let source = |path: &str| match path {
        "testcases/kernel/mem/cow01.c" => Some(r#"open("/proc/self/mem", O_RDWR);"#.to_owned()),
        "testcases/kernel/mem/cow02.c" => Some(r#"SAFE_EXECLP("cow02_child", NULL);"#.to_owned()),
        "testcases/kernel/mem/cow02_child.c" => Some(r#"open("/proc/self/mem", O_RDWR);"#.to_owned()),
        "testcases/kernel/mem/map01.c" => Some(r#"open("/proc/self/maps", O_RDONLY);"#.to_owned()),
        _ => None,
    };
    let import = read(metadata, &source, &options(false)).unwrap();
    let text = write(&import.suites[0], "kregress import ltp");
    let forced = |test: &&TestDraft| !test.cmdline.is_empty();
    let names: Vec<&str> = import.suites[0].tests.iter().filter(forced).map(|test| &*test.name).collect();
    assert_eq!(names, ["cow01", "cow02"]);
    assert_eq!(text.matches("machine: {cmdline: [proc_mem.force_override=always]}").count(), 2, "{text}");
}
