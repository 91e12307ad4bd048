//! Lines of files that the host's C compiler makes: a linked one for the kernel, a relocatable one for a module.

use std::process::Command;

use kernel_symbols::{Image, LookupError, Place, annotate};

/// `inner` is inlined in `outer`; `twin` is there once in each file.
const SOURCE: &str = "\
static int calls;
int far_away(int value);
static inline __attribute__((always_inline)) int inner(int value)
{
\treturn far_away(value) + 1;
}
__attribute__((noinline)) int outer(int value)
{
\tcalls++;
\treturn inner(value) * 2;
}
int kernel_init(void)
{
\treturn outer(calls) + 1;
}
";

const OTHER: &str = "\
__attribute__((noinline)) int far_away(int value)
{
\treturn value ^ 21;
}
static __attribute__((noinline, section(\".init.text\"))) int starts(int value)
{
\treturn far_away(value) + 4;
}
int (*keep)(int) = starts;
";

/// Makes an ELF file of these sources, or says why not. `KREGRESS_CI` makes that a failure.
fn compiled(flags: &[&str], link: bool) -> Option<Vec<u8>> {
    compiled_by("cc", flags, link)
}

/// As `compiled`, by a compiler and its first arguments, separated by blanks.
fn compiled_by(compiler: &str, flags: &[&str], link: bool) -> Option<Vec<u8>> {
    let mut words = compiler.split_whitespace();
    let program = words.next()?;
    let first: Vec<&str> = words.collect();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("init")).unwrap();
    std::fs::write(folder.path().join("init/main.c"), SOURCE).unwrap();
    std::fs::write(folder.path().join("other.c"), OTHER).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(&first).current_dir(folder.path()).args([
            "-O2",
            "-ffreestanding",
            "-fno-pic",
            "-fno-stack-protector",
        ]);
        match command.args(flags).args(arguments).output() {
            Ok(output) if output.status.success() => true,
            other => {
                let why = other.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
                loud_skip::skip(format!("`{compiler}` cannot make a fixture: {why:?}"));
                false
            }
        }
    };
    let link: &[&str] = if link {
        &["-nostdlib", "-static", "-no-pie", "-Wl,--entry=kernel_init", "-Wl,--build-id=none"]
    } else {
        &["-nostdlib", "-r"]
    };
    let arguments = [&["init/main.c", "other.c", "-o", "file"], link].concat();
    run(&arguments).then(|| std::fs::read(folder.path().join("file")).unwrap())
}

/// Every place of a function that has lines, each line once, as `offset range: lines`.
fn told(image: &Image, function: &str, length: u64, returns: bool) -> Vec<String> {
    let mut told: Vec<String> = Vec::new();
    for offset in 0..length {
        let place = Place { function: function.to_owned(), offset, length, module: None, returns };
        let lines = image.lookup(&place).unwrap();
        let text: Vec<String> =
            lines.iter().map(|line| format!("{} {line}", line.function.as_deref().unwrap_or("?"))).collect();
        let text = text.join(" < ");
        if !told.contains(&text) {
            told.push(text);
        }
    }
    told
}

/// The length that the image has for a function, which a wrong guess is answered with.
fn length_of(image: &Image, function: &str) -> u64 {
    let place =
        Place { function: function.to_owned(), offset: 0, length: 0xfff_ffff, module: None, returns: false };
    match image.lookup(&place) {
        Err(LookupError::OtherBuild { found, .. }) => found,
        // the last one of a section may be longer than the file tells
        other => panic!("{other:?}"),
    }
}

#[test]
fn inlined_functions_are_listed_with_their_callers() {
    let flavours: [(&[&str], bool); 6] = [
        (&["-g"], true),
        (&["-g"], false),
        (&["-g", "-gz=zlib"], false),
        (&["-g", "-m32"], true),
        (&["-g", "-m32"], false),
        (&["-gdwarf-4"], false),
    ];
    for (flags, link) in flavours {
        let Some(elf) = compiled(flags, link) else { continue };
        has_the_inlined_lines(&elf, &format!("{flags:?} {link}"));
    }
}

fn has_the_inlined_lines(elf: &[u8], which: &str) {
    let image = Image::parse(elf).unwrap_or_else(|error| panic!("{which}: {error}"));
    let length = length_of(&image, "outer");
    let lines = told(&image, "outer", length, false);
    let folder = image.source_folder();
    let lines: Vec<String> = lines.iter().map(|line| line.replace(&folder, "")).collect();
    let wanted = "inner init/main.c:5 < outer init/main.c:10";
    assert!(lines.iter().any(|line| line == wanted), "{which}: {lines:?}");
    assert!(lines.iter().any(|line| line == "outer init/main.c:9"), "{which}: {lines:?}");
    assert!(lines.iter().all(|line| line.ends_with(|c: char| c.is_ascii_digit())), "{which}: {lines:?}");
}

/// `KREGRESS_CROSS_COMPILERS` names compilers for other architectures, separated by colons, such as
/// `aarch64-linux-gnu-gcc:clang-19 --target=riscv64-linux-gnu`: what the relocations of a module are called differs
/// from each to the next.
#[test]
fn modules_of_other_architectures_have_the_same_lines() {
    let compilers = std::env::var("KREGRESS_CROSS_COMPILERS").unwrap_or_default();
    for compiler in compilers.split(':').filter(|compiler| !compiler.is_empty()) {
        let flavours: [&[&str]; 4] = [&["-g"], &["-g", "-gz=zlib"], &["-gdwarf-4"], &["-gdwarf-5"]];
        for flags in flavours {
            let elf = compiled_by(compiler, flags, false).expect("a compiler that was named works");
            has_the_inlined_lines(&elf, &format!("{compiler} {flags:?}"));
        }
    }
}

#[test]
fn an_address_to_return_to_is_the_call_before_it() {
    let Some(elf) = compiled(&["-g"], true) else { return };
    let image = Image::parse(&elf).unwrap();
    let length = length_of(&image, "kernel_init");
    let place =
        |offset, returns| Place { function: "kernel_init".to_owned(), offset, length, module: None, returns };
    for offset in 1..length {
        assert_eq!(image.lookup(&place(offset, true)), image.lookup(&place(offset - 1, false)), "{offset}");
    }
    // nothing was called before a function's first instruction
    assert_eq!(image.lookup(&place(0, true)), image.lookup(&place(0, false)));
}

#[test]
fn functions_of_every_section_of_a_module_are_found() {
    let Some(elf) = compiled(&["-g"], false) else { return };
    let image = Image::parse(&elf).unwrap();
    let line = |function: &str, length| {
        let place = Place {
            function: function.to_owned(),
            offset: 1,
            length,
            module: Some("m".into()),
            returns: false,
        };
        image
            .lookup(&place)
            .map(|lines| lines[0].to_string().rsplit('/').next().unwrap_or_default().to_owned())
    };
    // all sections of such a file begin at 0: `far_away` and `starts` have the same address
    let starts = line("starts", 0x20).unwrap();
    assert!(["other.c:5", "other.c:6", "other.c:7"].contains(&starts.as_str()), "{starts}");
    let far = (1..64).find_map(|length| line("far_away", length).ok()).unwrap();
    assert!(["other.c:1", "other.c:2", "other.c:3"].contains(&far.as_str()), "{far}");
}

#[test]
fn a_file_of_another_build_gives_no_lines() {
    let Some(elf) = compiled(&["-g"], true) else { return };
    let image = Image::parse(&elf).unwrap();
    let log = b"[    1.0]  outer+0x4/0xfff0\n".to_vec();
    let mut out = Vec::new();
    let mut errors = Vec::new();
    annotate(
        &log,
        |place| image.lookup(place).inspect_err(|error| errors.push(error.to_string())).unwrap_or_default(),
        &mut out,
    );
    assert_eq!(out, log);
    assert!(errors[0].contains("of another build"), "{errors:?}");
}

#[test]
fn what_is_missing_is_named() {
    let error = |elf: &[u8]| Image::parse(elf).unwrap_err().to_string();
    assert!(error(b"hello").starts_with("no usable ELF file"));
    if let Some(elf) = compiled(&["-g0"], true) {
        assert!(error(&elf).contains("CONFIG_DEBUG_INFO"));
        assert!(!Image::is_usable(&elf));
    }
    if let Some(elf) = compiled(&["-g", "-s"], true) {
        assert!(error(&elf).contains("no symbols") || error(&elf).contains("CONFIG_DEBUG_INFO"));
    }
}

#[test]
fn damaged_files_are_refused_or_read_never_worse() {
    let Some(elf) = compiled(&["-g"], false) else { return };
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..400 {
        let mut damaged = elf.clone();
        for _ in 0..=random(8) {
            let at = random(damaged.len());
            damaged[at] = random(256) as u8;
        }
        damaged.truncate(damaged.len() - random(2) * random(damaged.len()));
        if let Ok(image) = Image::parse(&damaged) {
            for function in ["outer", "kernel_init", "starts"] {
                for offset in [0, 4, 9] {
                    let place = Place {
                        function: function.into(),
                        offset,
                        length: 0x20,
                        module: None,
                        returns: true,
                    };
                    let _ = image.lookup(&place);
                }
            }
        }
    }
}
