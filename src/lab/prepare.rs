//! What a test needs from the host before its first attempt: its C program compiled, its images made. Both are kept
//! in the cache under their contents, so that the same input is never built twice.

pub mod collection;
mod step;
pub mod userland;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use duct::cmd;
use sha2::{Digest, Sha256};

use crate::arch::Arch;
use crate::cancel::Cancel;
use crate::scratch::{Scratch, ScratchDir};
use userland_image::Image;

use crate::suite::{PrepareStep, ProgramSource, Test};

/// Folders of administration tools: `mke2fs` and its like are there, and not everybody's `PATH` has them.
pub(super) const ADMIN_PATHS: &str = "/usr/local/sbin:/usr/sbin:/sbin";

/// Flags of every C program: static, because the guest has no libraries.
const CFLAGS: &[&str] = &["-static", "-O2", "-g0", "-pthread", "-std=gnu11", "-Wall", "-Wextra"];

/// The most lines of a tool's output in an error.
const SHOWN_LINES: usize = 30;

/// What was made.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// The compiled program of a test in C, or of a collection. It is read when it is sent: those of a whole collection
    /// have hundreds of megabytes.
    pub program: Option<PathBuf>,
    /// Files that the prepare steps left, and what lies beside a collection's program, by their names.
    pub outputs: BTreeMap<String, PathBuf>,
    /// The root file system that the program runs in, if not the guest's own.
    pub userland: Option<Image>,
}

/// Why a test could not be prepared.
#[derive(Clone, Debug, thiserror::Error)]
pub enum PrepareError {
    /// There is no C compiler.
    #[error(
        "no C compiler: {compiler} was not found; install one (Debian: apt-get install gcc libc6-dev) or name it in CC"
    )]
    NoCompiler {
        /// What was looked for.
        compiler: String,
    },
    /// The compiler refused the program.
    #[error("{command} failed:\n{text}")]
    Compile {
        /// The command line.
        command: String,
        /// What the compiler said.
        text: String,
    },
    /// A tool that a prepare step names is missing.
    #[error("{tool} was not found; the prepare step of {output} needs it{}", install_hint(.tool))]
    MissingTool {
        /// The tool.
        tool: String,
        /// What the step would have made.
        output: String,
    },
    /// A prepare step failed.
    #[error("the prepare step of {output} failed ({status}):\n{text}")]
    Step {
        /// What the step should have made.
        output: String,
        /// How it ended.
        status: String,
        /// What it said.
        text: String,
    },
    /// A prepare step took too long.
    #[error(
        "the prepare step of {output} did not end within {limit:?} and was ended (`timeout` allows it more):\n{text}"
    )]
    Timeout {
        /// What the step should have made.
        output: String,
        /// The step's time.
        limit: Duration,
        /// What it said.
        text: String,
    },
    /// The run was asked to stop.
    #[error("the prepare step of {output} was ended with the run")]
    Cancelled {
        /// What the step should have made.
        output: String,
    },
    /// A prepare step left no output.
    #[error("the prepare step of {output} ended well but left no file of that name")]
    NoOutput {
        /// What the step should have made.
        output: String,
    },
    /// A userland cannot be made.
    #[error("the userland of {wanted} cannot be made: {text}")]
    Userland {
        /// What it was to be made of.
        wanted: String,
        /// Why not.
        text: String,
        /// Whether it is the host that failed: its network, its disk or its tools.
        host: bool,
    },
    /// A collection's program needs libraries.
    #[error("{program} was linked dynamically, and guests have no libraries")]
    NotStatic {
        /// Its path in the tree.
        program: String,
    },
    /// A file or folder failed.
    #[error("{0}")]
    Io(String),
}

impl PrepareError {
    /// What failed at this path.
    fn io(path: &Path) -> impl Fn(std::io::Error) -> PrepareError {
        move |error| PrepareError::Io(format!("{}: {error}", path.display()))
    }

    /// Whether the host failed, and not what the test asks for.
    pub fn is_hosts(&self) -> bool {
        matches!(
            self,
            PrepareError::Io(_) | PrepareError::Cancelled { .. } | PrepareError::Userland { host: true, .. }
        )
    }
}

fn install_hint(tool: &str) -> &'static str {
    match tool {
        "mke2fs" | "debugfs" | "mkfs.ext4" | "e2fsck" => " (Debian: apt-get install e2fsprogs)",
        "autoconf" | "automake" | "libtoolize" | "m4" | "make" => {
            " (Debian: apt-get install autoconf automake libtool m4 make)"
        }
        _ => "",
    }
}

pub(crate) use collection::{digest as collection_digest, is_dynamic};

/// Prepares a test, or finds in the cache what an earlier run prepared. `compiler` is asked for where a program is compiled.
///
/// # Errors
/// [`PrepareError`] with the tool's own words.
pub fn prepare(
    test: &Test,
    arch: &Arch,
    compiler: &dyn Fn() -> Result<String, PrepareError>,
    cache: &Path,
    cancel: &Cancel,
) -> Result<Prepared, PrepareError> {
    let mut beside = BTreeMap::new();
    let launch = test.program.launch();
    let program = match launch.source {
        ProgramSource::Compiled { file, flags } => Some(compile(&compiler()?, file, flags, cache)?),
        ProgramSource::Collection(wanted) => {
            let built = collection::build(&wanted, &compiler()?, test.userland.is_some(), cache, cancel)?;
            beside = built.beside;
            Some(built.program)
        }
        ProgramSource::Script(_) | ProgramSource::File(_) => None,
    };
    let mut outputs = run_steps(&test.prepare, cache, cancel)?;
    outputs.append(&mut beside);
    let mut wanted = test.userland.clone();
    if let Some(userland) = &mut wanted
        && let Some(installed) = launch.installs
    {
        let development =
            |packages: &[&str], folder: &Path| userland::unpack(packages, folder, arch, cache, cancel);
        let folder = collection::install(&installed, &compiler()?, &development, cache, cancel)?;
        userland.files.insert(installed.place.to_owned(), folder);
    }
    let userland = wanted.map(|wanted| userland::make(&wanted, arch, cache, cancel, &|_| {})).transpose()?;
    Ok(Prepared { program, outputs, userland })
}

/// The compiler for programs of this host's kind: `CC`, or else `cc`.
pub fn host_compiler() -> String {
    std::env::var("CC").ok().filter(|c| !c.is_empty()).unwrap_or_else(|| "cc".to_owned())
}

fn compile(compiler: &str, source: &Path, flags: &[String], cache: &Path) -> Result<PathBuf, PrepareError> {
    let mut arguments: Vec<std::ffi::OsString> = CFLAGS.iter().map(Into::into).collect();
    // the header that programs share lies in the folder of the suite's programs
    for folder in source.ancestors().skip(1).take(2) {
        arguments.push("-I".into());
        arguments.push(folder.into());
    }
    arguments.extend(flags.iter().map(Into::into));

    // the preprocessed text holds every header, so that it stands for the whole input
    let mut preprocess = arguments.clone();
    preprocess.extend(["-E".into(), "-P".into(), source.into()]);
    let text = run_compiler(compiler, preprocess)?;
    // a cross compiler names its target in what it says of itself (`-v`), and not in its version
    let version = [
        &run_compiler(compiler, vec!["--version".into()])?[..],
        &run_compiler(compiler, vec!["-dumpmachine".into()])?,
    ]
    .concat();
    let mut hash = Sha256::new();
    for part in [&version[..], flags.join("\0").as_bytes(), CFLAGS.join("\0").as_bytes(), &text[..]] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let path = cache.join("programs").join(hex(&hash.finalize()));
    if path.is_file() {
        return Ok(path);
    }
    let folder = scratch_folder(cache)?;
    let object = folder.path().join("program");
    arguments.extend(["-o".into(), object.clone().into(), source.into()]);
    run_compiler(compiler, arguments)?;
    let program =
        std::fs::read(&object).map_err(|e| PrepareError::Io(format!("{}: {e}", object.display())))?;
    keep(&path, &program)?;
    Ok(path)
}

fn run_compiler(compiler: &str, arguments: Vec<std::ffi::OsString>) -> Result<Vec<u8>, PrepareError> {
    let shown = std::iter::once(compiler.to_owned())
        .chain(arguments.iter().map(|a| a.to_string_lossy().into_owned()))
        .collect::<Vec<_>>()
        .join(" ");
    let run = cmd(compiler, arguments).stdout_capture().stderr_capture().unchecked().run();
    let output = run.map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => PrepareError::NoCompiler { compiler: compiler.to_owned() },
        _ => PrepareError::Io(format!("{compiler}: {e}")),
    })?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(PrepareError::Compile { command: shown, text: first_lines(&output.stderr) })
    }
}

fn run_steps(
    steps: &[PrepareStep],
    cache: &Path,
    cancel: &Cancel,
) -> Result<BTreeMap<String, PathBuf>, PrepareError> {
    if steps.is_empty() {
        return Ok(BTreeMap::new());
    }
    let path = search_path();
    for step in steps {
        for tool in &step.tools {
            if which::which_in_global(tool, Some(&path)).is_ok_and(|mut found| found.next().is_none()) {
                return Err(PrepareError::MissingTool { tool: tool.clone(), output: step.output.clone() });
            }
        }
    }
    let mut hash = Sha256::new();
    for part in steps.iter().flat_map(|s| [&s.shell, &s.output]) {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    for input in steps.iter().flat_map(|step| &step.inputs) {
        let name = input.file_name().unwrap_or_default().as_encoded_bytes();
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update(digest(input).map_err(|e| PrepareError::Io(format!("{}: {e}", input.display())))?);
    }
    let place = cache.join("prepared").join(hex(&hash.finalize()));
    let outputs: BTreeMap<String, PathBuf> =
        steps.iter().map(|s| (s.output.clone(), place.join(&s.output))).collect();
    if outputs.values().all(|p| p.is_file()) {
        return Ok(outputs);
    }
    let folder = scratch_folder(cache)?;
    for step in steps {
        let inputs = Inputs::put(&step.inputs, folder.path())?;
        step::run(step, folder.path(), &path, cancel)?;
        inputs.remove();
    }
    let io = |e: std::io::Error| PrepareError::Io(format!("{}: {e}", place.display()));
    // a whole folder takes its name at once, when it is on disk: later runs believe what it holds. Another run may have been
    // faster with the same contents
    std::fs::create_dir_all(cache.join("prepared")).map_err(io)?;
    if let Err(error) = crate::atomic_file::rename_folder(folder.path(), &place)
        && !outputs.values().all(|p| p.is_file())
    {
        return Err(io(error));
    }
    Ok(outputs)
}

/// The files of the suite beside a step.
struct Inputs(Vec<PathBuf>);

impl Inputs {
    /// Copies them, so that a step which changes them changes nothing of the user's.
    fn put(files: &[PathBuf], folder: &Path) -> Result<Inputs, PrepareError> {
        let copy = |file: &PathBuf| {
            let to = folder.join(file.file_name().unwrap_or_default());
            let copied = std::fs::copy(file, &to);
            copied.map(|_| to).map_err(|e| PrepareError::Io(format!("{}: {e}", file.display())))
        };
        files.iter().map(copy).collect::<Result<_, _>>().map(Inputs)
    }

    /// They are not kept with what was made.
    fn remove(self) {
        for file in self.0 {
            let _ = std::fs::remove_file(file);
        }
    }
}

fn digest(file: &Path) -> std::io::Result<impl AsRef<[u8]>> {
    let (mut hash, mut file) = (Sha256::new(), std::fs::File::open(file)?);
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read(&mut piece)? {
            0 => return Ok(hash.finalize()),
            n => hash.update(&piece[..n]),
        }
    }
}

/// A file of zeroes that takes no room: the image of every blank disk of this size.
///
/// # Errors
/// The cache cannot be written.
pub fn blank(mib: u32, cache: &Path) -> Result<PathBuf, PrepareError> {
    let folder = cache.join("prepared").join("blank");
    let path = folder.join(format!("{mib}.img"));
    let bytes = u64::from(mib) << 20;
    if std::fs::metadata(&path).is_ok_and(|m| m.len() == bytes) {
        return Ok(path);
    }
    let make = || -> std::io::Result<()> {
        std::fs::create_dir_all(&folder)?;
        let file = crate::atomic_file::begin(&folder)?;
        file.as_file().set_len(bytes)?;
        file.persist(&path)?;
        Ok(())
    };
    make().map_err(|e| PrepareError::Io(format!("{}: {e}", path.display())))?;
    Ok(path)
}

fn search_path() -> std::ffi::OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":");
    path.push(ADMIN_PATHS);
    path
}

fn scratch_folder(cache: &Path) -> Result<ScratchDir, PrepareError> {
    Scratch::new(cache).folder().map_err(|e| PrepareError::Io(format!("{}: {e}", cache.display())))
}

fn keep(path: &Path, contents: &[u8]) -> Result<(), PrepareError> {
    let write = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        crate::atomic_file::write(path, contents)
    };
    write().map_err(|e| PrepareError::Io(format!("{}: {e}", path.display())))
}

fn first_lines(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let mut lines: Vec<&str> = text.lines().take(SHOWN_LINES + 1).collect();
    if lines.len() > SHOWN_LINES {
        lines[SHOWN_LINES] = "…";
    }
    lines.join("\n")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(shell: &str, output: &str) -> PrepareStep {
        PrepareStep {
            shell: shell.into(),
            output: output.into(),
            tools: Vec::new(),
            inputs: Vec::new(),
            timeout: Duration::from_secs(600),
        }
    }

    #[test]
    fn the_same_input_is_compiled_once_and_headers_count() {
        let folder = tempfile::tempdir().unwrap();
        let (cache, source) = (folder.path().join("cache"), folder.path().join("x.c"));
        std::fs::write(folder.path().join("value.h"), "#define VALUE 1\n").unwrap();
        std::fs::write(&source, "#include \"value.h\"\nint main(void) { return VALUE; }\n").unwrap();
        let first = compile("cc", &source, &[], &cache).unwrap();
        let stored = || std::fs::read_dir(cache.join("programs")).unwrap().count();
        assert_eq!(stored(), 1);
        assert_eq!(compile("cc", &source, &[], &cache).unwrap(), first);
        assert_eq!(stored(), 1);
        std::fs::write(folder.path().join("value.h"), "#define VALUE 2\n").unwrap();
        assert_ne!(compile("cc", &source, &[], &cache).unwrap(), first);
        assert_eq!(stored(), 2);
    }

    #[test]
    fn a_compile_error_carries_the_compilers_words() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("x.c");
        std::fs::write(&source, "int main(void) { return undeclared; }\n").unwrap();
        let error = compile("cc", &source, &[], &folder.path().join("cache")).unwrap_err().to_string();
        assert!(error.contains("x.c:1:25: error:") && error.contains("undeclared"), "{error}");
        assert!(!folder.path().join("cache/programs").exists());
    }

    #[test]
    fn steps_share_a_folder_and_their_outputs_are_kept() {
        let cache = tempfile::tempdir().unwrap();
        let steps = [step("echo one > a", "a"), step("cat a a > b", "b")];
        let outputs = run_steps(&steps, cache.path(), &Cancel::new()).unwrap();
        assert_eq!(std::fs::read_to_string(&outputs["b"]).unwrap(), "one\none\n");
        assert_eq!(run_steps(&steps, cache.path(), &Cancel::new()).unwrap(), outputs);
    }

    #[test]
    fn a_step_finds_its_inputs_and_runs_again_when_one_changes() {
        let place = tempfile::tempdir().unwrap();
        let (cache, file) = (place.path().join("cache"), place.path().join("words"));
        let make = |text: &str| {
            std::fs::write(&file, text).unwrap();
            let first = PrepareStep { inputs: vec![file.clone()], ..step("mv words a", "a") };
            let outputs = run_steps(&[first, step("! [ -e words ]; cp a b", "b")], &cache, &Cancel::new());
            let outputs = outputs.unwrap();
            let folder = outputs["b"].parent().unwrap();
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 2, "inputs are not kept");
            (outputs["b"].clone(), std::fs::read_to_string(&outputs["b"]).unwrap())
        };
        let (first, text) = make("one");
        assert_eq!(text, "one");
        assert_eq!(make("one"), (first.clone(), text));
        let (second, text) = make("two");
        assert_eq!(text, "two");
        assert_ne!(second, first);
        let gone = PrepareStep { inputs: vec![place.path().join("gone")], ..step("true", "a") };
        let error = run_steps(&[gone], &cache, &Cancel::new()).unwrap_err();
        assert!(error.is_hosts() && error.to_string().contains("gone: No such file"), "{error}");
    }

    #[test]
    fn failing_steps_say_so_and_leave_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let error =
            run_steps(&[step("echo no luck; exit 3", "a")], cache.path(), &Cancel::new()).unwrap_err();
        insta::assert_snapshot!(error, @"
        the prepare step of a failed (exit status: 3):
        no luck
        ");
        let error = run_steps(&[step("true", "a")], cache.path(), &Cancel::new()).unwrap_err();
        insta::assert_snapshot!(error, @"the prepare step of a ended well but left no file of that name");
        assert!(!cache.path().join("prepared").exists());
        let missing = PrepareStep { tools: vec!["no-such-tool".into()], ..step("true", "a") };
        let error = run_steps(&[missing], cache.path(), &Cancel::new()).unwrap_err();
        insta::assert_snapshot!(error, @"no-such-tool was not found; the prepare step of a needs it");
    }
}
