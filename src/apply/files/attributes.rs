//! Copies owner, mode, access control list and other extended attributes of a file to the one that replaces it.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use rustix::fs::{XattrFlags, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use rustix::io::Errno;

/// Attributes that the kernel computes from the content, so they are not valid for new content.
const OF_CONTENT: [&[u8]; 2] = [b"security.evm", b"security.ima"];
/// The kernel's size limit for the list of names, and for a value.
const LIMIT: usize = 64 * 1024;

/// Identifies a file and the time of its last change of content, mode, owner, links or attributes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileVersion {
    inode: (u64, u64),
    changed: (i64, i64),
    links: u64,
}

impl FileVersion {
    pub(super) fn links(&self) -> u64 {
        self.links
    }
}

pub(super) fn version(file: &Path) -> io::Result<FileVersion> {
    let data = fs::metadata(file)?;
    Ok(FileVersion { inode: (data.dev(), data.ino()), changed: (data.ctime(), data.ctime_nsec()), links: data.nlink() })
}

/// An attribute that the new file cannot get, and why.
pub(super) struct Lost {
    pub(super) what: String,
    pub(super) error: io::Error,
}

fn lost<E: Into<io::Error>>(what: &str) -> impl FnOnce(E) -> Lost {
    move |error| Lost { what: what.to_owned(), error: error.into() }
}

/// Gives the new file all attributes of the old one, and no others.
///
/// The owner is set first, because the kernel then clears mode bits. The access control list is set last, because a
/// change of the mode changes its mask. Default attributes from the directory are removed.
pub(super) fn copy(old: &File, new: &File) -> Result<(), Lost> {
    let data = old.metadata().map_err(lost("attributes"))?;
    let own = new.metadata().map_err(lost("attributes"))?;
    if (data.uid(), data.gid()) != (own.uid(), own.gid()) {
        let user = (data.uid() != own.uid()).then_some(data.uid());
        fchown(new, user, Some(data.gid())).map_err(lost("owner and group"))?;
    }
    let (wanted, given) = (extended(old)?, extended(new)?);
    for name in given.keys().filter(|name| !wanted.contains_key(*name)) {
        fremovexattr(new, name).map_err(lost(&shown(name)))?;
    }
    new.set_permissions(data.permissions()).map_err(lost("mode"))?;
    for (name, value) in wanted.iter().filter(|(name, value)| given.get(*name) != Some(value)) {
        fsetxattr(new, name, value, XattrFlags::empty()).map_err(lost(&shown(name)))?;
    }
    Ok(())
}

fn shown(name: &CString) -> String {
    match name.as_bytes() {
        b"system.posix_acl_access" => "access control list".to_owned(),
        name => format!("extended attribute {}", String::from_utf8_lossy(name)),
    }
}

/// The extended attributes of a file. Empty if the file system does not support them.
fn extended(file: &File) -> Result<BTreeMap<CString, Vec<u8>>, Lost> {
    let mut names = vec![0; LIMIT];
    let len = match flistxattr(file, &mut names[..]) {
        Err(Errno::NOTSUP) => 0,
        len => len.map_err(lost("extended attributes"))?,
    };
    let mut value = vec![0; LIMIT];
    let mut found = BTreeMap::new();
    let is_kept = |name: &&[u8]| !name.is_empty() && !OF_CONTENT.contains(name);
    for name in names[..len].split(|byte| *byte == 0).filter(is_kept) {
        let name = CString::new(name).map_err(lost("extended attributes"))?;
        let len = fgetxattr(file, &name, &mut value[..]).map_err(lost(&shown(&name)))?;
        found.insert(name, value[..len].to_vec());
    }
    Ok(found)
}
