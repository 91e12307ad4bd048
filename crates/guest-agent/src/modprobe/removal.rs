//! `modprobe -r`: a module, and what it alone needed.

use std::fs;

use super::options::Options;
use super::{is_there, normalised};

/// A line of `/proc/modules` (proc_modules(5)).
pub(super) struct Entry<'l> {
    pub name: &'l str,
    pub users: u64,
    /// The modules that use it.
    pub used_by: Vec<&'l str>,
    pub live: bool,
}

pub(super) fn entries(list: &str) -> impl Iterator<Item = Entry<'_>> {
    list.lines().filter_map(|line| {
        let mut fields = line.split_whitespace();
        let name = fields.next()?;
        let users = fields.nth(1)?.parse().unwrap_or_default();
        let used_by = fields.next()?.split(',').filter(|name| !matches!(*name, "" | "-")).collect();
        Some(Entry { name, users, used_by, live: fields.next() == Some("Live") })
    })
}

/// Removes a module; one that is not loaded is no error.
pub(super) fn remove(name: &str, options: &Options) -> Result<(), String> {
    let name = normalised(name);
    let list = fs::read_to_string("/proc/modules").unwrap_or_default();
    if !entries(&list).any(|entry| entry.name == name) {
        return if is_there(&name) { Err(format!("Module {name} is builtin.")) } else { Ok(()) };
    }
    if options.dry_run {
        return Ok(());
    }
    if options.verbose {
        println!("rmmod {name}");
    }
    unload(&name)?;
    // what nobody else uses goes along, and what is in use stays
    for needed in entries(&list).filter(|entry| entry.used_by.contains(&name.as_str())) {
        if needed.users == 1 {
            let _ = remove(needed.name, options);
        }
    }
    Ok(())
}

fn unload(name: &str) -> Result<(), String> {
    let text = std::ffi::CString::new(name).map_err(|error| error.to_string())?;
    match rustix::system::delete_module(&text, rustix::fs::OFlags::NONBLOCK.bits() as i32) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::BUSY) => Err(format!("Module {name} is in use.")),
        Err(error) => Err(format!("could not remove '{name}': {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        let list =
            "sctp 471040 2 - Live 0x0\nlibcrc32c 12288 2 sctp,nf_tables, Live 0x0\nx 1 0 - Loading 0x0\n";
        let read: Vec<String> = entries(list)
            .map(|entry| format!("{} {} {:?} {}", entry.name, entry.users, entry.used_by, entry.live))
            .collect();
        assert_eq!(read, ["sctp 2 [] true", "libcrc32c 2 [\"sctp\", \"nf_tables\"] true", "x 0 [] false"]);
    }
}
