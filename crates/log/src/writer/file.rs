//! A file that others may rename.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::PathBuf,
    time::{Duration, Instant},
};

/// How often it is looked whether the name still means this file.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct File {
    path: PathBuf,
    file: fs::File,
    looked: Instant,
}

impl File {
    pub(super) fn open(path: PathBuf) -> io::Result<Self> {
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let file = append(&path)?;
        Ok(Self { path, file, looked: Instant::now() })
    }

    /// Whether the path leads to another file by now, or to none.
    fn is_gone(&self) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            let (Ok(own), Ok(there)) = (self.file.metadata(), fs::metadata(&self.path)) else {
                return true;
            };
            (own.dev(), own.ino()) != (there.dev(), there.ino())
        }
        #[cfg(not(unix))]
        {
            !self.path.exists()
        }
    }
}

/// Each write goes to the end, wherever that is: after a truncation it is the start.
fn append(path: &PathBuf) -> io::Result<fs::File> {
    OpenOptions::new().append(true).create(true).open(path)
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.looked.elapsed() >= LOOK {
            self.looked = Instant::now();
            // Where no new one can be opened, the old one is better than none.
            if self.is_gone()
                && let Ok(file) = append(&self.path)
            {
                self.file = file;
            }
        }
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
