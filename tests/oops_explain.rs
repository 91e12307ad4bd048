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

const CONTEXT: explain::ExplainContext<'static> = explain::ExplainContext {
    today: jiff::civil::date(2026, 11, 21),
    coloured: false,
    kernel: None,
    debug: None,
    no_debug: None,
};

/// Runs the command on files in a folder of its own; paths are shown relative to it.
fn explain_in(files: &[(&str, &str)], arguments: &[&str]) -> String {
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, text)| (*name, text.as_bytes())).collect();
    explain_files(&files, arguments).0
}

/// As [`explain_in`] with files of any bytes. The second text is what is reported beside the diagnosis and the exit code.
fn explain_files(files: &[(&str, &[u8])], arguments: &[&str]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let root = format!("{}/", folder.path().display());
    let arguments = arguments.iter().map(|argument| match argument.strip_prefix('@') {
        Some(name) => format!("{root}{name}"),
        None => (*argument).to_owned(),
    });
    let cli = Cli::try_parse_from(std::iter::once("explain".to_owned()).chain(arguments)).unwrap();
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (text, code) = match explain::explain(&cli.args, &CONTEXT, &mut out, &mut err) {
        Ok(code) => (String::from_utf8(out).unwrap(), format!("{code:?}")),
        Err(explain::ExplainError::Known(error)) => (error.render(false, 100), String::new()),
        Err(error) => (format!("error: {error}"), String::new()),
    };
    let code: String = code.chars().filter(char::is_ascii_digit).collect();
    let told = format!("{}exit {code}", String::from_utf8(err).unwrap());
    (text.replace(&root, ""), told.replace(&root, ""))
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
      where: fs/ext4/inode.c:12

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
    {"file":"a.log","reports":[{"title":"WARNING in ext4_map","alt_titles":[],"type":"WARNING","corrupted":false,"frame":"ext4_map","frames":["ext4_map","ext4_write","vfs_write","do_syscall_64"],"suppressed":false,"panicked":false,"start":37,"end":427,"start_line":2,"task":"fsstress","pid":42,"cpu":1,"release":"6.17.13","taint":"","file":"fs/ext4/inode.c","line":12}]}
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
        ("word.yaml", "families:\n- {header: 'X:', rules: [{match: '@UNHEARD', title: x}]}\n"),
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
    error: word.yaml: `@UNHEARD` is no usable pattern: there is no word @UNHEARD; known are CALL_TRACE, FUNC, HELD_AT, IP, JUMPED, NOWHERE, PC, SRC
    error: hole.yaml: the title `x {1} {frame}` uses {1}, which its rule does not provide: the pattern has 0 captures ({1} is the first), a function ({frame}, {frame2}) needs `blame`, and {place} needs `place` and must stand at the end
    error: key.yaml: the rules cannot be read: unknown field `familys`, expected one of `words`, `trace_starts`, `trace_starts_maybe`, `trace_lines`, `trace_breakers`, `other_traces`, `continuations`, `dividers`, `aftermath`, `panicked`, `replay`, `suppressions`, `cuts`, `syscall_prefixes`, `skip`, `stall_anchors`, `stall_names`, `hang_names`, `hang_skip`, `families`, `kinds`, `subjects`
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

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn the_same_is_found_in_every_wrapping() {
    let packed = gzip(CONSOLE.as_bytes());
    let wide: Vec<u8> = CONSOLE.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let files: [(&str, &[u8]); 3] = [("a.log", CONSOLE.as_bytes()), ("a.gz", &packed), ("a.txt", &wide)];
    let told = |name: &str, format: &str| {
        let file = format!("@{name}");
        explain_files(&files, &[&file, "--format", format]).0.replace(name, "LOG")
    };
    for format in ["human", "json", "title", "log"] {
        assert_eq!(told("a.gz", format), told("a.log", format));
        assert_eq!(told("a.txt", format), told("a.log", format));
    }
    assert_eq!(told("a.txt", "log"), CONSOLE);
}

#[test]
fn what_is_no_log_says_what_it_is() {
    let png: &[u8] = b"\x89PNG\r\n\x1a\n\0\0";
    let files: [(&str, &[u8]); 3] =
        [("a.png", png), ("b.log", CONSOLE.as_bytes()), ("c.gz", &gzip(CONSOLE.as_bytes())[..60])];
    let told = |format| explain_files(&files, &["@a.png", "@b.log", "--format", format]);
    let (text, _) = told("human");
    assert!(
        text.starts_with("a.png: this is a PNG image, not a log; a picture of a screen has to be typed off"),
        "{text}"
    );
    assert!(text.contains("b.log: 1 report"), "the others are read all the same: {text}");
    let (text, beside) = told("title");
    assert_eq!(text, "WARNING in ext4_map\n");
    assert!(beside.starts_with("a.png: this is a PNG image") && beside.ends_with("exit 96"), "{beside}");
    assert!(told("json").0.starts_with(r#"{"file":"a.png","reports":[],"unreadable":"this is a PNG image"#));
    let (text, _) = explain_files(&files, &["@c.gz"]);
    assert!(text.contains("\nit is damaged or cut off after "), "{text}");
    let (text, _) = explain_files(&files, &["--compare", "@a.png", "@b.log"]);
    assert!(text.starts_with("error: a.png: this is a PNG image"), "{text}");
}

#[test]
fn every_format_tells_that_reports_are_left_out() {
    let flood = "[    2.0] WARNING: CPU: 1 PID: 42 at fs/x.c:12 f+0x10/0x20\n".repeat(40);
    let files: [(&str, &[u8]); 1] = [("a.log", flood.as_bytes())];
    let told = |format| explain_files(&files, &["@a.log", "--format", format]);
    assert!(told("json").0.contains(r#"],"passed_over":{"lines":24}}"#));
    for format in ["title", "log"] {
        let (_, beside) = told(format);
        insta::allow_duplicates! {
            insta::assert_snapshot!(beside, @r"
            a.log: 24 more lines begin reports that are not shown: there are too many, or too many alike
            exit 0
            ");
        }
    }
}

#[test]
fn a_report_fails_the_command_where_that_is_asked_for() {
    let known = b"allow:\n- {match: ext4_map, reason: x}\n";
    let files: [(&str, &[u8]); 3] =
        [("a.log", CONSOLE.as_bytes()), ("b.log", b"nothing\n"), ("known.yaml", known)];
    let code = |arguments: &[&str]| explain_files(&files, arguments).1;
    let codes = [
        code(&["@a.log"]),
        code(&["@b.log", "--fail"]),
        code(&["@b.log", "@a.log", "--fail"]),
        code(&["@a.log", "--fail", "--known", "@known.yaml"]),
    ];
    assert_eq!(codes, ["exit 0", "exit 0", "exit 1", "exit 0"]);
}

#[test]
fn the_guilty_file_has_maintainers() {
    let list = "EXT4 FILE SYSTEM\nM:\tAnn <ann@example.org>\nL:\text4@example.org\nS:\tMaintained\nF:\tfs/ext4/\n\n\
                THE REST\nL:\tall@example.org\nF:\t*\nF:\t*/\n";
    let files = [("a.log", CONSOLE), ("tree/MAINTAINERS", list), ("tree/fs/ext4/inode.c", "")];
    let told = |format| explain_in(&files, &["@a.log", "--maintainers", "@tree", "--format", format]);
    assert!(told("human").contains(
        "   who: EXT4 FILE SYSTEM (Maintained): Ann <ann@example.org>, ext4@example.org, all@example.org\n"
    ));
    let wanted = r#""who":{"subsystem":"EXT4 FILE SYSTEM","status":"Maintained","contacts":[{"address":"Ann <ann@example.org>","role":"maintainer","section":"EXT4 FILE SYSTEM"},"#;
    assert!(told("json").contains(wanted), "{}", told("json"));
    let text = explain_in(&[("a.log", CONSOLE)], &["@a.log", "--maintainers", "@tree"]);
    assert!(text.starts_with("error: cannot read tree/MAINTAINERS: "), "{text}");
}

#[test]
fn functions_get_lines_from_the_kernel_and_from_packed_modules() {
    let source = "static int calls;\nint elsewhere(int value);\n\
                  static inline __attribute__((always_inline)) int inner(int value)\n{\n\treturn elsewhere(value) + 1;\n}\n\
                  int ext4_map(int value)\n{\n\tcalls++;\n\treturn inner(value) * 2;\n}\n";
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("map.c"), source).unwrap();
    let module = folder.path().join("ext4.ko");
    let mut compiler = std::process::Command::new("cc");
    compiler.current_dir(&folder).args([
        "-g",
        "-O2",
        "-ffreestanding",
        "-fcf-protection=none",
        "-c",
        "map.c",
        "-o",
    ]);
    match compiler.arg(&module).output() {
        Ok(output) if output.status.success() => {}
        other => return loud_skip::skip(format_args!("the C compiler makes no module: {other:?}")),
    }
    let elf = std::fs::read(&module).unwrap();
    std::fs::remove_file(&module).unwrap();
    std::fs::remove_file(folder.path().join("map.c")).unwrap();
    // the call of `elsewhere` is somewhere in the function, and the function is the only one of its section
    let image = kernel_symbols::Image::parse(&elf).unwrap();
    let place = |offset, length| kernel_symbols::Place {
        function: "ext4_map".to_owned(),
        offset,
        length,
        module: Some("ext4".to_owned()),
        returns: false,
    };
    let length = (1..4096).find(|length| image.lookup(&place(0, *length)).is_ok()).unwrap();
    let offset =
        (0..length).find(|offset| image.lookup(&place(*offset, length)).is_ok_and(|lines| lines.len() == 2));
    let offset = offset.unwrap();
    let console = CONSOLE
        .replace("ext4_map+0x10/0x20", &format!("ext4_map+{offset:#x}/{length:#x} [ext4]"))
        .replace("ext4_write+0x10/0x20", "ext4_write+0x10/0x20 [ext4]");
    let debug = folder.path().display().to_string();
    std::fs::create_dir(folder.path().join("kernel")).unwrap();
    std::fs::write(folder.path().join("kernel/ext4.ko.gz"), gzip(&elf)).unwrap();
    let told = |format| {
        explain_files(&[("a.log", console.as_bytes())], &["@a.log", "--debug", &debug, "--format", format])
    };
    let rows = |text: &str| {
        let rows = text.lines().filter(|line| line.contains("map.c"));
        rows.map(|row| row.trim().replace(&format!("{debug}/"), "")).collect::<Vec<_>>().join("\n")
    };
    let (text, beside) = told("human");
    insta::assert_snapshot!(rows(&text), @r"
    ·     map.c:5 inner [inline]
    ·     map.c:10
    ·     map.c:5 inner [inline]
    ·     map.c:10
    where: map.c:10
    ");
    assert!(beside.contains("no line in module ext4: ext4_write is not in the file"), "{beside}");
    let (text, _) = told("log");
    let line = text.lines().find(|line| line.contains("RIP")).unwrap().replace(&format!("{debug}/"), "");
    assert_eq!(
        line,
        format!("[    2.000002] RIP: 0010:ext4_map+{offset:#x}/{length:#x} (map.c:5 map.c:10) [ext4]")
    );
    let (text, _) = told("json");
    assert!(
        text.contains(r#""module":"ext4""#) && text.contains(r#""lines":[{"function":"inner","file":""#),
        "{text}"
    );
}
