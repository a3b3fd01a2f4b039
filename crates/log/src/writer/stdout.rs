//! Standard output, without the standard library's buffer.
//!
//! What [`io::stdout`] takes may stay in its buffer, where a pipe that breaks loses it uncounted,
//! and a line that the program has begun with `print!` would be torn by ours.

use std::io::{self, Write};

#[derive(Debug)]
pub(super) struct Stdout {
    #[cfg(unix)]
    file: std::fs::File,
}

impl Stdout {
    #[cfg(unix)]
    pub(super) fn open() -> io::Result<Self> {
        use std::os::fd::AsFd;
        Ok(Self { file: io::stdout().as_fd().try_clone_to_owned()?.into() })
    }

    #[cfg(not(unix))]
    #[expect(clippy::unnecessary_wraps, reason = "it may fail on Unix")]
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self {})
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // What the program prints does not come between.
        let mut _held = io::stdout().lock();
        #[cfg(unix)]
        return self.file.write(bytes);
        #[cfg(not(unix))]
        return _held.write(bytes);
    }

    fn flush(&mut self) -> io::Result<()> {
        if cfg!(unix) { Ok(()) } else { io::stdout().flush() }
    }
}
