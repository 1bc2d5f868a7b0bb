//! Directories that vanish with their test, in memory where there is a tmpfs: a token
//! generates keys seventy times faster there.

use std::ops::Deref;
use std::path::Path;

use tempfile::TempDir;

/// A fresh directory, private to its owner.
pub struct Scratch(TempDir);

impl Scratch {
    pub fn new() -> Self {
        let builder = || {
            let mut builder = tempfile::Builder::new();
            builder.prefix("strongroom-test-");
            builder
        };
        let memory = Path::new("/dev/shm");
        let made = if memory.is_dir() { builder().tempdir_in(memory) } else { builder().tempdir() };
        Self(made.expect("a directory for temporary files"))
    }
}

impl Deref for Scratch {
    type Target = Path;

    fn deref(&self) -> &Path {
        self.0.path()
    }
}
