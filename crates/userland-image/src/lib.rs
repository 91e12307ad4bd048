//! Root file systems for virtual machines as ext4 images, made by an ordinary user.
//!
//! What goes in comes from Debian packages, which the host's own apt resolves and fetches, from an OCI image, a tarball or a
//! folder. No program of it runs on the host: packages are unpacked here, and what their maintainer scripts would have
//! done that programs need (alternatives, accounts, the files of `/etc`) is done from their data. Owners, modes and device
//! nodes are set in the image, not on the host, which is why no root is needed, and every path is resolved within the
//! tree, so that no archive reaches a file of the host.
//!
//! ```no_run
//! use userland_image::{Settings, Source, Spec, Userlands, Watch};
//!
//! # fn main() -> Result<(), userland_image::UserlandError> {
//! let userlands = Userlands::open(Settings::new("/home/me/.cache/userlands"))?;
//! let spec = Spec::new(Source::Packages(vec!["bash".into(), "fio".into()]));
//! let resolved = userlands.resolve(&spec, &Watch::default())?;
//! let image = userlands.build(&resolved, &Watch::default())?;
//! println!("{} is {}", resolved.key(), image.path.display());
//! # Ok(())
//! # }
//! ```

mod apt;
mod archive;
mod cache;
mod compression;
mod deb;
mod digest;
mod error;
mod finish;
mod folder;
mod image_file;
mod oci;
mod process;
mod resolve;
mod spec;
mod tree;
mod watch;

pub use cache::{Hold, Image, Settings, Stored, Userlands};
pub use error::UserlandError;
pub use oci::size_of;
pub use resolve::{Package, Resolved, file_place_problem, is_package_name, is_user_name};
pub use spec::{Source, Spec};
pub use watch::{Progress, Watch};
