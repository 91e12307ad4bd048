//! The arguments of modprobe, as far as kernels, suites and people give them.

/// What is to be done.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub quiet: bool,
    pub verbose: bool,
    /// Nothing is loaded or removed.
    pub dry_run: bool,
    /// The files are shown that would be loaded.
    pub shows_paths: bool,
    pub remove: bool,
    pub names: Vec<String>,
    /// Of the module that was named.
    pub parameters: String,
}

impl Options {
    pub fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options::default();
        let mut all = false;
        let mut words = Vec::new();
        let mut only_words = false;
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if only_words || !argument.starts_with('-') || argument == "-" {
                words.push(argument.clone());
                continue;
            }
            let letters = match argument.as_str() {
                "--" => {
                    only_words = true;
                    continue;
                }
                "--quiet" => "q",
                "--verbose" => "v",
                "--all" => "a",
                "--remove" => "r",
                "--dry-run" | "--show" => "n",
                "--show-depends" => "D",
                "--use-blacklist" | "--ignore-install" | "--ignore-remove" | "--first-time" | "--syslog" => {
                    "b"
                }
                long if long.starts_with("--") => return Err(format!("unknown option {long}")),
                short => &short[1..],
            };
            for letter in letters.chars() {
                match letter {
                    'q' => options.quiet = true,
                    'v' => options.verbose = true,
                    'a' => all = true,
                    'r' => options.remove = true,
                    'n' => options.dry_run = true,
                    'D' => (options.dry_run, options.shows_paths) = (true, true),
                    // no list of modules that are not to be loaded, and no commands in the place of loading
                    'b' | 'i' | 's' => {}
                    // a folder, a file or a release: there is one kernel here
                    'd' | 'C' | 'S' => drop(arguments.next()),
                    other => return Err(format!("unknown option -{other}")),
                }
            }
        }
        if all || options.remove {
            options.names = words;
        } else {
            let mut words = words.into_iter();
            options.names.extend(words.next());
            options.parameters = words.collect::<Vec<_>>().join(" ");
        }
        if options.names.is_empty() { Err("no module is named".to_owned()) } else { Ok(options) }
    }

    pub fn parameters_shown(&self) -> String {
        if self.parameters.is_empty() { String::new() } else { format!(" {}", self.parameters) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_those_of_kmods() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split_whitespace().map(String::from).collect();
            Options::parse(&words)
        };
        // as the kernel calls it (kernel/module/kmod.c)
        let kernels = parse("-q -- net-pf-10").expect("options");
        assert_eq!((kernels.quiet, kernels.names), (true, vec!["net-pf-10".to_owned()]));
        let with = parse("null_blk nr_devices=0 queue_mode=2").expect("options");
        assert_eq!((with.names.len(), with.parameters.as_str()), (1, "nr_devices=0 queue_mode=2"));
        let dry = parse("-qn loop").expect("options");
        assert!(dry.quiet && dry.dry_run && !dry.remove);
        assert_eq!(parse("-a loop brd").expect("options").names.len(), 2);
        assert_eq!(parse("-r -S 6.1 loop brd").expect("options").names, ["loop", "brd"]);
        for (line, error) in
            [("", "no module is named"), ("--loud x", "unknown option --loud"), ("-x y", "unknown option -x")]
        {
            assert_eq!(parse(line).expect_err(line), error);
        }
    }
}
