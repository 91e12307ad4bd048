//! People and mailing lists.

/// Why somebody is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// `M:`
    Maintainer,
    /// `R:`
    Reviewer,
    /// `L:`, open or moderated. One for subscribers only is left out, as it takes no mail of others.
    List,
}

impl Role {
    /// The role in a word.
    pub fn word(self) -> &'static str {
        match self {
            Role::Maintainer => "maintainer",
            Role::Reviewer => "reviewer",
            Role::List => "list",
        }
    }
}

/// Somebody to write to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// As `MAINTAINERS` has it: `Name <name@example.org>`, or only the address of a list.
    pub address: String,
    /// Why.
    pub role: Role,
    /// The name of the section.
    pub section: String,
}

impl Contact {
    /// The address without name, in lower case.
    pub fn mailbox(&self) -> String {
        mailbox(&self.address)
    }
}

pub(crate) fn mailbox(address: &str) -> String {
    let inner = address.rsplit_once('<').map_or(address, |(_, rest)| rest.split('>').next().unwrap_or(rest));
    inner.trim().to_lowercase()
}

/// The name before an address, in lower case.
pub(crate) fn name(address: &str) -> Option<String> {
    let name = address.rsplit_once('<')?.0.trim().trim_matches('"').to_lowercase();
    (!name.is_empty()).then_some(name)
}
