//! Slurm: a plan is an array of jobs. Commands and formats are those of sbatch(1), squeue(1) and scancel(1), tried with 22.05.

use std::collections::BTreeSet;
use std::path::Path;

use duct::cmd;

use super::Engine;

/// Slurm by its commands, which are searched for in `PATH`.
#[derive(Clone, Debug, Default)]
pub struct Slurm {
    /// Options for sbatch besides those that are needed: `--partition=NAME`, `--mem=8G`.
    pub options: Vec<String>,
}

impl Engine for Slurm {
    fn submit(&self, script: &Path, parts: &BTreeSet<u32>) -> Result<String, String> {
        let mut words = vec!["--parsable".to_owned(), format!("--array={}", array(parts))];
        words.extend(self.options.iter().cloned());
        words.push(script.display().to_string());
        let said = output("sbatch", &words)?;
        job_of(&said).ok_or_else(|| format!("sbatch: found {said:?}, expected the number of a job"))
    }

    fn waiting(&self, job: &str) -> Result<Vec<(u32, String)>, String> {
        let words = ["--noheader", "--array", "--format=%K %T %r", "--jobs", job].map(str::to_owned);
        match output("squeue", &words) {
            Ok(said) => Ok(tasks_of(&said)),
            // a job that ended a while ago is forgotten
            Err(error) if error.contains("Invalid job id") => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    fn cancel(&self, job: &str) -> Result<(), String> {
        output("scancel", &[job.to_owned()]).map(drop)
    }
}

/// What a command printed, or why it failed.
fn output(program: &str, words: &[String]) -> Result<String, String> {
    let ended = cmd(program, words).stdout_capture().stderr_capture().unchecked().run();
    let ended = ended.map_err(|error| format!("{program}: {error}; is Slurm installed here?"))?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&ended.stderr);
    Err(format!("{program}: {}", said.lines().last().unwrap_or("it failed without a word").trim()))
}

/// The number of a job that `sbatch --parsable` printed; the name of a cluster may follow.
fn job_of(said: &str) -> Option<String> {
    let number = said.lines().last()?.split(';').next()?.trim();
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| number.to_owned())
}

/// The tasks that squeue lists, those that end at the moment among them.
fn tasks_of(said: &str) -> Vec<(u32, String)> {
    let task = |line: &str| {
        let (number, state) = line.trim().split_once(' ')?;
        let (state, reason) = state.split_once(' ').unwrap_or((state, "None"));
        let ended = [
            "COMPLETED",
            "CANCELLED",
            "FAILED",
            "TIMEOUT",
            "NODE_FAIL",
            "OUT_OF_MEMORY",
            "BOOT_FAIL",
            "DEADLINE",
        ];
        let word = match reason {
            "None" | "(null)" => state.to_lowercase(),
            reason => format!("{} ({reason})", state.to_lowercase()),
        };
        (!ended.contains(&state)).then_some((number.parse().ok()?, word))
    };
    said.lines().filter_map(task).collect()
}

/// Numbers as `--array` takes them.
fn array(parts: &BTreeSet<u32>) -> String {
    parts.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}

/// What the jobs of an array have in common.
#[derive(Clone, Debug)]
pub struct Script<'a> {
    /// This command, and options for all of its subcommands.
    pub command: &'a [String],
    /// The plan, as words of `kregress run`.
    pub plan: &'a [String],
    /// How many parts there are.
    pub parts: u32,
    /// Processors of each.
    pub cpus: u32,
    /// Where the command was given.
    pub place: &'a Path,
    /// Where everything of this round lies: a folder of runs for each part and restart, its exit code, its log.
    pub folder: &'a Path,
    /// Runs of earlier rounds that parts go on from.
    pub earlier: &'a [(u32, String)],
}

impl Script<'_> {
    /// The text. `exec` makes Slurm's signals reach kregress, which then writes its reports; a shell would die of the first
    /// one and take kregress with it. A restart of a task counts from 0 in `SLURM_RESTART_COUNT`, which is not set in its first
    /// start; it gets a folder of its own, and goes on where the one before it was.
    pub fn text(&self) -> String {
        let folder = self.folder.display();
        let command = words(self.command);
        let plan = words(self.plan);
        let mut text = format!(
            "#!/bin/sh\n\
             # Written by `kregress submit slurm`: part $SLURM_ARRAY_TASK_ID of {parts} of a plan.\n\
             #SBATCH --job-name=kregress\n\
             #SBATCH --cpus-per-task={cpus}\n\
             #SBATCH --output={folder}/%a.log\n\
             #SBATCH --open-mode=append\n\
             #SBATCH --requeue\n\
             cd {place} || exit 96\n\
             task=$SLURM_ARRAY_TASK_ID restart=${{SLURM_RESTART_COUNT:-0}}\n\
             folder={folder_word}/$task.$restart\n\
             before={folder_word}/$task.$((restart - 1))/latest\n",
            parts = self.parts,
            cpus = self.cpus,
            place = word(&self.place.display().to_string()),
            folder_word = word(&folder.to_string()),
        );
        if !self.earlier.is_empty() {
            text += "[ \"$restart\" -gt 0 ] || case $task in\n";
            for (part, run) in self.earlier {
                text += &format!("  {part}) before={} ;;\n", word(run));
            }
            text += "esac\n";
        }
        text += &format!(
            "if [ -e \"$before\" ]; then\n  \
               set -- --rerun \"$before\" --lost-only\n\
             else\n  \
               set -- --partition \"slice:$task/{}\"\n\
             fi\n\
             exec {command} run \"$@\" --output \"$folder\" --exit-file \"$folder.exit\" --jobs \"${{SLURM_CPUS_ON_NODE:-{}}}\" {plan}\n",
            self.parts, self.cpus,
        );
        text
    }
}

fn words(words: &[String]) -> String {
    words.iter().map(|text| word(text)).collect::<Vec<_>>().join(" ")
}

/// A word for the shell.
fn word(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// Why Slurm would not take this folder for the files of a job: it reads some characters in its own way.
pub fn unusable(folder: &Path) -> Option<String> {
    let path = folder.to_string_lossy();
    let bad = path.chars().find(|c| c.is_whitespace() || ['%', '\\', '"', '\''].contains(c))?;
    Some(format!(
        "{path}: Slurm reads {bad:?} in the names of output files in its own way; choose another folder with --output"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_print_is_read() {
        assert_eq!(job_of("17\n").as_deref(), Some("17"));
        assert_eq!(job_of("17;loop\n").as_deref(), Some("17"));
        assert_eq!(job_of("sbatch: error\n"), None);
        let said = "1 RUNNING None\n2 PENDING BeginTime\n3 COMPLETING None\n4 COMPLETED None\n";
        let wanted = [(1, "running"), (2, "pending (BeginTime)"), (3, "completing")];
        assert_eq!(tasks_of(said), wanted.map(|(task, word)| (task, word.to_owned())));
        assert_eq!(array(&BTreeSet::from([1, 4])), "1,4");
    }

    #[test]
    fn the_script_hands_signals_on_and_keeps_restarts_apart() {
        let command = ["/usr/bin/kregress".to_owned(), "--suites".to_owned(), "my suites".to_owned()];
        let plan = ["-k".to_owned(), "6.12.57,6.12.117".to_owned(), "it's".to_owned()];
        let script = Script {
            command: &command,
            plan: &plan,
            parts: 4,
            cpus: 2,
            place: Path::new("/home/a project"),
            folder: Path::new("/r/x/0"),
            earlier: &[(2, "/r/x/1/2.0/latest".to_owned())],
        };
        insta::assert_snapshot!(script.text(), @r#"
        #!/bin/sh
        # Written by `kregress submit slurm`: part $SLURM_ARRAY_TASK_ID of 4 of a plan.
        #SBATCH --job-name=kregress
        #SBATCH --cpus-per-task=2
        #SBATCH --output=/r/x/0/%a.log
        #SBATCH --open-mode=append
        #SBATCH --requeue
        cd '/home/a project' || exit 96
        task=$SLURM_ARRAY_TASK_ID restart=${SLURM_RESTART_COUNT:-0}
        folder=/r/x/0/$task.$restart
        before=/r/x/0/$task.$((restart - 1))/latest
        [ "$restart" -gt 0 ] || case $task in
          2) before=/r/x/1/2.0/latest ;;
        esac
        if [ -e "$before" ]; then
          set -- --rerun "$before" --lost-only
        else
          set -- --partition "slice:$task/4"
        fi
        exec /usr/bin/kregress --suites 'my suites' run "$@" --output "$folder" --exit-file "$folder.exit" --jobs "${SLURM_CPUS_ON_NODE:-2}" -k 6.12.57,6.12.117 'it'\''s'
        "#);
    }

    #[test]
    fn folders_that_slurm_reads_otherwise_are_refused() {
        assert_eq!(unusable(Path::new("/r/x")), None);
        assert!(unusable(Path::new("/r/a b")).is_some_and(|why| why.contains("' '")));
        assert!(unusable(Path::new("/r/%j")).is_some());
    }
}
