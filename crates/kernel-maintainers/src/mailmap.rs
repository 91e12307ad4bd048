//! `.mailmap`: the address that somebody has now in the place of an older one (gitmailmap(5)).

use std::collections::HashMap;

use super::contact::mailbox;

/// Addresses by older ones.
#[derive(Debug, Default)]
pub(crate) struct Mailmap(HashMap<String, (Option<String>, String)>);

impl Mailmap {
    /// Lines of the forms `Name <new>`, `<new> <old>`, `Name <new> <old>` and `Name <new> Old Name <old>`. The old name is
    /// not looked at.
    pub(crate) fn parse(text: &str) -> Mailmap {
        let mut map = HashMap::new();
        for line in text.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let Some((name, rest)) = line.split_once('<') else { continue };
            let Some((new, rest)) = rest.split_once('>') else { continue };
            let name = Some(name.trim()).filter(|name| !name.is_empty()).map(str::to_owned);
            let old =
                rest.split_once('<').and_then(|(_, old)| old.split_once('>')).map_or(new, |(old, _)| old);
            map.insert(old.trim().to_lowercase(), (name, new.trim().to_owned()));
        }
        Mailmap(map)
    }

    /// What stands for an address now.
    pub(crate) fn map(&self, address: &str) -> String {
        let Some((name, new)) = self.0.get(&mailbox(address)) else { return address.to_owned() };
        let before = address.split_once('<').map(|(name, _)| name.trim()).filter(|name| !name.is_empty());
        match name.as_deref().or(before) {
            Some(name) => format!("{name} <{new}>"),
            None => new.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_addresses_become_new_ones() {
        let map = Mailmap::parse(
            "# people\nAnn New <ann@new.org> <ann@old.org>\n<bo@new.org> <bo@old.org>\n\
             Cy <cy@x.org>\nDi <di@new.org> Di Old <DI@old.org> # moved\nnonsense\n",
        );
        let table = [
            ("Ann <ann@old.org>", "Ann New <ann@new.org>"),
            ("Bo <BO@old.org>", "Bo <bo@new.org>"),
            ("bo@old.org", "bo@new.org"),
            ("C. <cy@x.org>", "Cy <cy@x.org>"),
            ("Di <di@old.org>", "Di <di@new.org>"),
            ("Ed <ed@x.org>", "Ed <ed@x.org>"),
        ];
        for (address, wanted) in table {
            assert_eq!(map.map(address), wanted);
        }
    }
}
