//! A kernel's build configuration.

use std::collections::BTreeMap;
use std::sync::Arc;

/// The options a kernel was built with, as in `/boot/config-…`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KernelConfig {
    options: BTreeMap<String, String>,
    text: Arc<str>,
}

impl KernelConfig {
    /// Reads a `.config` file. Lines that set nothing are passed over, so any text is accepted; quotes around a
    /// string value are dropped.
    pub fn parse(text: &str) -> Self {
        let options = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("CONFIG_")?.split_once('='))
            .map(|(option, value)| {
                let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"')).unwrap_or(value);
                (option.to_string(), value.to_string())
            })
            .collect();
        KernelConfig { options, text: text.into() }
    }

    /// The value of an option, named without `CONFIG_` (it is accepted with it too): `y`, `m`, a number or a string.
    /// `None` when the option is off or unknown to this kernel: a configuration cannot tell the two apart for certain.
    pub fn get(&self, option: &str) -> Option<&str> {
        self.options.get(option.strip_prefix("CONFIG_").unwrap_or(option)).map(String::as_str)
    }

    /// The file as it was read.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// How many options are set; 0 means that the file was no kernel configuration.
    pub fn len(&self) -> usize {
        self.options.len()
    }

    /// Whether no option is set at all.
    pub fn is_empty(&self) -> bool {
        self.options.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_switches_strings_and_numbers() {
        let config = KernelConfig::parse(
            "# Linux/x86 6.17\nCONFIG_PVH=y\nCONFIG_BLK_DEV_NULL_BLK=m\n# CONFIG_KASAN is not set\n\
             CONFIG_HZ=250\nCONFIG_DEFAULT_HOSTNAME=\"(none)\"\nCONFIG_EMPTY=\"\"\n",
        );
        let table = [
            ("PVH", Some("y")),
            ("CONFIG_PVH", Some("y")),
            ("BLK_DEV_NULL_BLK", Some("m")),
            ("KASAN", None),
            ("HZ", Some("250")),
            ("DEFAULT_HOSTNAME", Some("(none)")),
            ("EMPTY", Some("")),
        ];
        for (option, value) in table {
            assert_eq!(config.get(option), value, "{option}");
        }
        assert_eq!(config.len(), 5);
        assert!(KernelConfig::parse("\u{0}binary\n==\n").is_empty());
    }
}
