//! `who TREE FILE…`: the addresses for each file of a kernel tree.

use std::error::Error;
use std::path::Path;

use kernel_maintainers::Maintainers;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let tree = arguments.next().ok_or("who TREE FILE…")?;
    let tree = Path::new(&tree);
    let text = std::fs::read(tree.join("MAINTAINERS"))?;
    let maintainers = Maintainers::parse(&String::from_utf8_lossy(&text), |path| tree.join(path).is_dir());
    let mailmap = std::fs::read(tree.join(".mailmap")).unwrap_or_default();
    let maintainers = maintainers.with_mailmap(&String::from_utf8_lossy(&mailmap));
    for file in arguments {
        println!("{file}:");
        for contact in maintainers.contacts_of(&file) {
            println!("{}", contact.address);
        }
    }
    Ok(())
}
