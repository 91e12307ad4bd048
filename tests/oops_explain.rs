//! `kregress explain` with its surroundings passed in.

use kregress::cli::explain;

use clap::Parser;

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: explain::ExplainArgs,
}

const CONSOLE: &str = "\
[    1.000000] Linux version 6.17.13
[    2.000000] WARNING: CPU: 1 PID: 42 at fs/ext4/inode.c:12 ext4_map+0x10/0x20
[    2.000001] CPU: 1 UID: 0 PID: 42 Comm: fsstress Not tainted 6.17.13 #1
[    2.000002] RIP: 0010:ext4_map+0x10/0x20
[    2.000003] Call Trace:
[    2.000004]  ext4_write+0x10/0x20
[    2.000005]  vfs_write+0x10/0x20
[    2.000006]  do_syscall_64+0x10/0x20
[    2.000007] ---[ end trace 0000000000000000 ]---
";

const AROUND: explain::Around<'static> =
    explain::Around { today: jiff::civil::date(2026, 11, 21), coloured: false, kernel: None };

/// Runs the command on files in a folder of its own; paths are shown relative to it.
fn explain_in(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let root = format!("{}/", folder.path().display());
    let arguments = arguments.iter().map(|argument| match argument.strip_prefix('@') {
        Some(name) => format!("{root}{name}"),
        None => (*argument).to_owned(),
    });
    let cli = Cli::try_parse_from(std::iter::once("explain".to_owned()).chain(arguments)).unwrap();
    let mut out = Vec::new();
    let text = match explain::explain(&cli.args, &AROUND, &mut out) {
        Ok(_) => String::from_utf8(out).unwrap(),
        Err(explain::ExplainError::Known(error)) => error.render(false, 100),
        Err(error) => format!("error: {error}"),
    };
    text.replace(&root, "")
}

#[test]
fn a_reader_sees_the_lines_that_matter() {
    let text = explain_in(&[("a.log", CONSOLE), ("b.log", "nothing\n")], &["@a.log", "@b.log"]);
    insta::assert_snapshot!(text, @r#"
    a.log: 1 report

    × WARNING in ext4_map
      ╭─[a.log:2]
    2 │ WARNING: CPU: 1 PID: 42 at fs/ext4/inode.c:12 ext4_map+0x10/0x20
      ┆
    4 │ RIP: 0010:ext4_map+0x10/0x20
      ·           ───────┬ blamed
      ┆
    6 │  ext4_write+0x10/0x20
    7 │  vfs_write+0x10/0x20
    8 │  do_syscall_64+0x10/0x20
      ╰─
       what: A WARN() check of the kernel fired: something that should never happen did. (WARNING)
       task: fsstress, pid 42, on cpu 1

    b.log: no crash report
    "#);
}

#[test]
fn what_is_not_shown_is_told() {
    let line = "[    2.0] WARNING: CPU: 1 PID: 42 at fs/x.c:12 f+0x10/0x20\n";
    let told = |count: usize| {
        let text = explain_in(&[("a.log", &line.repeat(count))], &["@a.log"]);
        text.lines().filter(|line| line.contains("more line")).collect::<String>()
    };
    insta::assert_snapshot!(format!("{}|{}|{}", told(16), told(17), told(40)), @"|1 more line begins a report that is not shown: there are too many like it|24 more lines begin reports that are not shown: there are too many, or too many alike");
}

#[test]
fn programs_get_one_object_a_file() {
    let files = [("a.log", CONSOLE), ("b.log", "nothing\n")];
    insta::assert_snapshot!(explain_in(&files, &["@a.log", "@b.log", "--format", "json"]), @r#"
    {"file":"a.log","reports":[{"title":"WARNING in ext4_map","alt_titles":[],"type":"WARNING","corrupted":false,"frame":"ext4_map","frames":["ext4_map","ext4_write","vfs_write","do_syscall_64"],"suppressed":false,"panicked":false,"start":37,"end":427,"start_line":2,"task":"fsstress","pid":42,"cpu":1}]}
    {"file":"b.log","reports":[]}
    "#);
    insta::assert_snapshot!(explain_in(&files, &["@a.log", "@b.log", "--format", "title"]), @"WARNING in ext4_map");
}

#[test]
fn known_messages_are_named_with_their_reason() {
    let known = "allow:\n- {match: ext4_map, versions: 6.17.., reason: the image is broken on purpose, link: 'https://example.org/7'}\n\
                 - {match: x, reason: long ago, expires: 2026-01-01}\n\
                 deny:\n- {match: '^Linux version 6', reason: we only support 7}\n";
    let text =
        explain_in(&[("a.log", CONSOLE), ("known.yaml", known)], &["@a.log", "--known", "@known.yaml"]);
    insta::assert_snapshot!(text, @r#"
    a.log: no crash report

    allowed: WARNING in ext4_map, console line 2: the image is broken on purpose, see https://example.org/7

    denied: Linux version NUM.NUM.NUM, first on console line 1: we only support 7

    known.yaml:3:11: the known message `x` (long ago) expired on 2026-01-01 and has no effect; remove it, or renew it where it is still true
    "#);
}

#[test]
fn two_consoles_are_compared() {
    let console = CONSOLE
        .replace("  vfs_", "  ext4_one+0x1/0x2\n[    2.000005]  ext4_two+0x1/0x2\n[    2.000005]  vfs_");
    let other = console.replace("ext4_", "xfs_");
    let elsewhere = console.replace("ext4_map+", "ext4_other+").replace(" at fs/ext4", " at fs/elsewhere");
    let files = [
        ("a.log", &*console),
        ("b.log", &console),
        ("c.log", &other),
        ("d.log", &elsewhere),
        ("e.log", "nothing\n"),
    ];
    let compared = |second, format| explain_in(&files, &["--compare", "@a.log", second, "--format", format]);
    let lines = [
        compared("@b.log", "human"),
        compared("@c.log", "human"),
        compared("@d.log", "human"),
        compared("@b.log", "title"),
        compared("@c.log", "json"),
        compared("@e.log", "human"),
        explain_in(&files, &["--compare", "@a.log"]),
    ];
    insta::assert_snapshot!(lines.join("\n"), @r#"
    the same defect: both are titled `WARNING in ext4_map`
      WARNING in ext4_map (a.log:2)
      WARNING in ext4_map (b.log:2)

    different defects: `WARNING in ext4_map` and `WARNING in xfs_map` have no title in common
      WARNING in ext4_map (a.log:2)
      WARNING in xfs_map (c.log:2)

    perhaps the same defect, which is not proved: both are WARNING and 80% of what the shorter trace tells is in the longer one
      WARNING in ext4_map (a.log:2)
      WARNING in ext4_other (d.log:2)

    same

    {"verdict":"different","reason":"`WARNING in ext4_map` and `WARNING in xfs_map` have no title in common","a":{"file":"a.log","title":"WARNING in ext4_map","line":2},"b":{"file":"c.log","title":"WARNING in xfs_map","line":2}}

    error: e.log has no crash report that could be compared
    error: --compare takes two files, 1 given; name the two consoles: kregress explain --compare A B
    "#);
}

#[test]
fn the_same_defect_in_several_files_is_counted_once() {
    let files = [("a.log", CONSOLE), ("b.log", "nothing\n"), ("c.log", CONSOLE)];
    let text = explain_in(&files, &["@a.log", "@b.log", "@c.log"]);
    let last: Vec<&str> = text.lines().rev().take(3).collect();
    insta::assert_snapshot!(last.into_iter().rev().collect::<Vec<_>>().join("\n"), @r#"
    2 reports in 3 files, 1 distinct defect
       2 × WARNING in ext4_map  (a.log:2, c.log:2)
    "#);
}

#[test]
fn own_rules_come_first() {
    let rules = "families:\n- header: 'WARNING:'\n  rules:\n  - {match: 'WARNING: .* at fs/ext4/(\\w+)', title: 'ext4 complains in {1}'}\n";
    let text = explain_in(
        &[("a.log", CONSOLE), ("r.yaml", rules)],
        &["@a.log", "--rules", "@r.yaml", "--format", "title"],
    );
    insta::assert_snapshot!(text, @"ext4 complains in inode");
}

#[test]
fn what_cannot_be_used_is_refused_with_a_reason() {
    let files = [
        ("a.log", CONSOLE),
        ("word.yaml", "families:\n- {header: 'X:', rules: [{match: '@NOWHERE', title: x}]}\n"),
        ("hole.yaml", "families:\n- {header: 'X:', rules: [{match: 'X', title: 'x {1} {frame}'}]}\n"),
        ("key.yaml", "familys: []\n"),
    ];
    let errors: Vec<String> = [
        &["@missing.log"][..],
        &["@a.log", "--rules", "@word.yaml"],
        &["@a.log", "--rules", "@hole.yaml"],
        &["@a.log", "--rules", "@key.yaml"],
        &["@a.log", "--system-map", "@key.yaml"],
        &["@a.log", "--known", "@key.yaml"],
    ]
    .iter()
    .map(|arguments| explain_in(&files, arguments))
    .collect();
    insta::assert_snapshot!(errors.join("\n"), @r#"
    error: cannot read missing.log: No such file or directory (os error 2)
    error: word.yaml: `@NOWHERE` is no usable pattern: there is no word @NOWHERE; known are CALL_TRACE, FUNC, HELD_AT, IP, PC, SRC
    error: hole.yaml: the title `x {1} {frame}` uses {1}, which its rule does not provide: the pattern has 0 captures ({1} is the first), a function ({frame}, {frame2}) needs `blame`, and {place} needs `place` and must stand at the end
    error: key.yaml: the rules cannot be read: unknown field `familys`, expected one of `words`, `trace_starts`, `trace_starts_maybe`, `trace_lines`, `trace_breakers`, `other_traces`, `continuations`, `aftermath`, `panicked`, `replay`, `suppressions`, `cuts`, `syscall_prefixes`, `skip`, `stall_anchors`, `stall_names`, `hang_names`, `hang_skip`, `families`, `kinds`, `subjects`
    error: key.yaml: this is no System.map: 2 lines, none of the form `ffffffff81000000 T function`
    list::unknown-key

      × unknown key `familys`
       ╭─[key.yaml:1:1]
     1 │ familys: []
       · ───┬───
       ·    ╰── no such key here
       ╰────
      help: the keys here are: allow, deny
    "#);
}
