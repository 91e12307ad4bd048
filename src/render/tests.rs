use super::*;
use crate::backport::{BuildVariant, Step, TreeResult, TreeVerdict};
use crate::compare;
use crate::journal::{Journal, JournalError};
use crate::report::junit::JunitKnown;
use crate::report::{HTML_FILE, sample};

fn rendered(name: &str, subject: &Subject<'_>) -> String {
    let mut out = Vec::new();
    by_name(name, subject.kind()).unwrap().render(subject, MatrixStyle::PLAIN, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Fails where a tag is not closed.
fn assert_well_formed(text: &str) {
    let mut reader = quick_xml::Reader::from_str(text);
    reader.config_mut().check_end_names = true;
    while reader.read_event().unwrap() != quick_xml::events::Event::Eof {}
}

#[test]
fn names_are_unique_within_a_kind() {
    for kind in [Kind::Run, Kind::Bisection, Kind::Backport, Kind::Comparison, Kind::Queue] {
        let mut names: Vec<_> = FORMATS.iter().filter_map(|format| format.name(kind)).collect();
        names.sort_unstable();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all, "{kind:?}: {names:?}");
        let mut files: Vec<_> = FORMATS.iter().filter_map(|format| format.file(kind)).collect();
        files.sort_unstable();
        let all = files.len();
        files.dedup();
        assert_eq!(files.len(), all, "{kind:?}: {files:?}");
    }
}

#[test]
fn a_bisection_has_the_names_of_a_run() {
    for format in FORMATS {
        assert_eq!(format.name(Kind::Run), format.name(Kind::Bisection), "{}", format.help());
    }
}

/// A tree that a patch breaks, with a comparison of its two kernels.
fn trees() -> [TreeOutcome; 1] {
    let verdict = TreeVerdict::Breaks { tests: vec!["pci::sriov: deadlock <in> f | g".into()] };
    let result = TreeResult {
        tree: "linux-6.12.y".into(),
        version: "6.12.117".into(),
        applied: "applies".into(),
        verdict,
        unchanged: 5,
        failing: 0,
        unjudged: Vec::new(),
    };
    let step = Step { half: BuildVariant::Patched, build_seconds: 14.0, compiled: 3, test_seconds: 31.0 };
    let comparison = compare::kernels(&sample::finished(), "6.12.57", "6.17.13").unwrap();
    [TreeOutcome { result, steps: vec![step], comparison }]
}

#[test]
fn a_backport_as_markdown() {
    let backport = Backport { title: "[PATCH] x", trees: &trees(), reply: "> a\n```\n", started: 0 };
    insta::assert_snapshot!(rendered("markdown", &Subject::Backport(&backport)), @r##"
    # \[PATCH\] x

    | tree | result | version | patch | because |
    | --- | --- | --- | --- | --- |
    | linux-6.12.y | breaks | 6.12.117 | applies | was good: pci::sriov: deadlock \<in\> f \| g<br>5 other tests good before and after<br>patched: 3 build steps in 00:14, tests 00:31 |

    ## linux-6.12.y

    | test | without | with | change |
    | --- | --- | --- | --- |
    | block::elevator-switch-race | good (0 of 3) | bad (1 of 1)<br>BUG: unable to handle kernel NULL pointer dereference in blk\_mq\_free\_request | worse |
    | cifs::fsconfig-source-leak | bad (1 of 1)<br>leak of 20000 objects in kmalloc-192 | skip<br>module cifs is not in this kernel's package | not comparable |
    | ext4::mmap-writeback-failure | lost<br>the agent did not speak within 60 s | other (1 of 1)<br>WARNING in ext4\_iomap\_begin | not comparable |

    ## Answer

    ````
    > a
    ```
    ````
    "##);
}

#[test]
fn a_backport_as_a_page_escapes_and_is_well_formed() {
    let (title, reply) = ("[PATCH] x <script>", "> [PATCH] x\n\n<b>");
    let backport = Backport { title, trees: &trees(), reply, started: 0 };
    let page = rendered("html", &Subject::Backport(&backport));
    assert_well_formed(&page);
    assert!(!page.contains("<script>") && !page.contains("<b>"));
    let main = page.split_once("<header>\n").unwrap().1;
    insta::assert_snapshot!(main, @r##"
    <h1>[PATCH] x &lt;script&gt;</h1>
    <p><a href="index.html">Every attempt with its evidence</a></p>
    </header>
    <main>
    <div class="scroll">
    <table>
    <thead><tr><th scope="col">tree</th><th scope="col">result</th><th scope="col">version</th><th scope="col">patch</th><th scope="col">because</th></tr></thead>
    <tbody>
    <tr><th scope="row">linux-6.12.y</th><td class="bad">breaks</td><td>6.12.117</td><td>applies</td><td class="why">was good: pci::sriov: deadlock &lt;in&gt; f | g<br/>5 other tests good before and after<br/>patched: 3 build steps in 00:14, tests 00:31</td></tr>
    </tbody>
    </table>
    </div>
    <h2>linux-6.12.y</h2>
    <div class="scroll">
    <table>
    <thead><tr><th scope="col">test</th><th scope="col">without</th><th scope="col">with</th><th scope="col">change</th></tr></thead>
    <tbody>
    <tr><th scope="row">block::elevator-switch-race</th><td class="good" title=""><a href="index.html#cell=block%3A%3Aelevator-switch-race@6.12.57">good (0 of 3)</a></td><td class="bad" title="BUG: unable to handle kernel NULL pointer dereference in blk_mq_free_request"><a href="index.html#cell=block%3A%3Aelevator-switch-race@6.17.13">bad (1 of 1)</a></td><td>worse</td></tr>
    <tr><th scope="row">cifs::fsconfig-source-leak</th><td class="bad" title="leak of 20000 objects in kmalloc-192"><a href="index.html#cell=cifs%3A%3Afsconfig-source-leak@6.12.57">bad (1 of 1)</a></td><td class="skip" title="module cifs is not in this kernel&#39;s package"><a href="index.html#cell=cifs%3A%3Afsconfig-source-leak@6.17.13">skip</a></td><td>not comparable</td></tr>
    <tr><th scope="row">ext4::mmap-writeback-failure</th><td class="lost" title="the agent did not speak within 60 s"><a href="index.html#cell=ext4%3A%3Ammap-writeback-failure@6.12.57">lost</a></td><td class="other" title="WARNING in ext4_iomap_begin"><a href="index.html#cell=ext4%3A%3Ammap-writeback-failure@6.17.13">other (1 of 1)</a></td><td>not comparable</td></tr>
    </tbody>
    </table>
    </div>
    <h2>Answer</h2>
    <pre>&gt; [PATCH] x

    &lt;b&gt;</pre>
    </main>
    </body>
    </html>
    "##);
}

#[test]
fn a_comparison_as_a_page_escapes_and_is_well_formed() {
    let run = sample::finished();
    let mut comparison = compare::kernels(&run, "6.12.57", "6.17.13").unwrap().unwrap();
    comparison.rows[0].new_crashes.push("<script>alert(1)</script>".into());
    let page = rendered("html", &Subject::Comparison(&comparison));
    assert_well_formed(&page);
    assert!(!page.contains("<script>"));
    assert!(comparison.rows.iter().all(|row| page.contains(&row.label())));
}

#[test]
fn a_run_has_a_document_for_formats_to_come() {
    let run = sample::finished();
    let dir = RunDir::at(Path::new("no/such/run"));
    let document =
        Document::of(&Subject::Run(Run { summary: &run, dir: &dir, junit_known: JunitKnown::default() }))
            .unwrap();
    let headings: Vec<_> =
        document.sections.iter().filter_map(|section| section.heading.as_deref()).collect();
    insta::assert_snapshot!(headings.join("\n"), @r#"
    bad: block::elevator-switch-race@6.17.13
    bad: cifs::fsconfig-source-leak@6.12.57
    blind: cifs::fsconfig-source-leak@7.2.13
    lost: ext4::mmap-writeback-failure@6.12.57
    other: ext4::mmap-writeback-failure@6.17.13
    What a good result is worth
    "#);
}

#[test]
fn a_journal_that_was_changed_meanwhile_gives_no_document() {
    let root = tempfile::tempdir().unwrap();
    let dir = RunDir::create(root.path()).unwrap();
    let journal = Journal::create(dir.path()).unwrap();
    let mut run = RunSummary::over(journal.lookup().unwrap());
    for event in sample::events() {
        let at = journal.append(&event).unwrap();
        run.apply_at(event, at);
    }
    drop(journal);
    let subject = Subject::Run(Run { summary: &run, dir: &dir, junit_known: JunitKnown::default() });
    write_files(&subject, &dir).unwrap();
    let page = std::fs::read(dir.path().join(HTML_FILE)).unwrap();
    let text = std::fs::read_to_string(dir.journal()).unwrap();
    std::fs::write(dir.journal(), text.replacen("attempt-started", "a", 3)).unwrap();
    let error = write_files(&subject, &dir).unwrap_err();
    assert!(matches!(error, ReportError::Journal(JournalError::Changed { .. })), "{error}");
    assert_eq!(std::fs::read(dir.path().join(HTML_FILE)).unwrap(), page, "the page is that of before");
}

/// What text of a guest may hold at worst: words for terminals, pages and documents, and lines that look like a report's own.
const HARMFUL: &str = "\u{1b}[2J\u{1b}]0;t\u{7}\u{9b}31m\u{7f}\u{0}\u{1}\u{ffff}\u{202e}\u{200b}\u{61c}\u{2060}\u{e0041}\u{2028}\
    <script>alert(1)</script>]]></system-out><!-- --><![CDATA[ &amp;\"'|`*_[x](javascript:1)\r\n\nok 99 - forged\nnot ok 100 - forged\n\
    Bail out!\n::error::forged\n# forged\n> forged\n```\n";

/// Puts [`HARMFUL`] into every text that a guest, a kernel or a suite may have written.
fn spoil(value: &mut serde_json::Value, key: &str) {
    use serde_json::Value;
    const TEXTS: [&str; 16] = [
        "title",
        "reason",
        "summary",
        "text",
        "output",
        "symptom",
        "note",
        "program",
        "links",
        "fixes",
        "findings",
        "subject",
        "frame",
        "frames",
        "release",
        "accel_reason",
    ];
    match value {
        Value::String(text) if TEXTS.contains(&key) => *text = format!("{text}{HARMFUL}{text}"),
        Value::Array(values) => values.iter_mut().for_each(|value| spoil(value, key)),
        Value::Object(fields) => fields.iter_mut().for_each(|(key, value)| spoil(value, key)),
        _ => {}
    }
}

/// Markdown without its blocks of code, in which nothing but the end of the block means anything (CommonMark, "Fenced code
/// blocks").
fn outside_of_code(text: &str) -> String {
    let mut block: Option<usize> = None;
    let mut out = String::new();
    for line in text.lines() {
        let ticks = line.trim_start().chars().take_while(|c| *c == '`').count();
        let only_ticks = line.trim().len() == ticks;
        block = match block {
            Some(begun) if ticks >= begun && only_ticks => None,
            None if ticks >= 3 => Some(ticks),
            Some(begun) => Some(begun),
            None => {
                out.push_str(line);
                out.push('\n');
                None
            }
        };
    }
    assert_eq!(block, None, "a block does not end");
    out
}

#[test]
fn words_of_a_guest_do_nothing_in_any_format() {
    let spoilt = sample::events().into_iter().map(|event| {
        let mut value = serde_json::to_value(event).unwrap();
        spoil(&mut value, "");
        serde_json::from_value(value).unwrap()
    });
    let run = sample::fold(spoilt);
    let folder = tempfile::tempdir().unwrap();
    let dir = RunDir::create(folder.path()).unwrap();
    let subject = Subject::Run(Run { summary: &run, dir: &dir, junit_known: JunitKnown::Skipped });
    let mut wrong = Vec::new();
    for name in FORMATS.iter().filter_map(|format| format.name(Kind::Run)) {
        let text = rendered(name, &subject);
        if ["json", "kcidb"].contains(&name) {
            serde_json::from_str::<serde_json::Value>(&text).unwrap();
            continue;
        }
        let harmful = |c: char| c.is_control() && c != '\n' && c != '\t' || crate::progress::is_deceptive(c);
        if let Some(at) = text.find(harmful) {
            wrong.push(format!("{name}: {:?}", text[at..].chars().take(40).collect::<String>()));
        }
        let forged = ["ok 99 - forged", "not ok 100", "Bail out!", "::error::forged", "# forged"];
        let begins = |line: &&str| forged.iter().any(|words| line.starts_with(words));
        // CDATA and the text of an element keep lines as they are, which mean nothing there
        let live = if name == "markdown" { outside_of_code(&text) } else { text.clone() };
        if !["junit", "html"].contains(&name) {
            wrong.extend(live.lines().find(begins).map(|line| format!("{name}: the line {line:?}")));
        } else {
            assert_well_formed(&text);
        }
        if ["html", "markdown"].contains(&name) {
            wrong.extend(live.contains("<script>alert").then(|| format!("{name}: markup")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
