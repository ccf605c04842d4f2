//! A clock that jumps, for one program and whatever it starts: libfaketime.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

/// How far a clock is off; what only ever goes forward stays as it is.
pub struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// One that is right, and keeps how far it is off in a folder; `None` where libfaketime is not
    /// installed, which is said, and under `CI=true` is a failure.
    pub fn new(folder: &Path) -> Option<Self> {
        let Some(library) = library() else {
            let message = "LIBFAKETIME NOT FOUND: clocks that jump are not tested";
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "{message}; install it (Debian: faketime)"
            );
            writeln!(io::stderr(), "\n{message}\n").expect("standard error");
            return None;
        };
        let clock = Self {
            library,
            offset: folder.join("offset"),
        };
        clock.set("+0");
        Some(clock)
    }

    /// Sets it, `+1d` or `-1h` from what is right.
    pub fn set(&self, offset: &str) {
        // Whoever reads it finds the old one or the new one.
        let next = self.offset.with_extension("next");
        fs::write(&next, format!("{offset}\n")).expect("the offset");
        fs::rename(&next, &self.offset).expect("the offset");
    }

    /// The program is to go by it.
    pub fn on(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            // Of files, only what is written by hand counts.
            .env("NO_FAKE_STAT", "1");
    }
}

/// Where Debian keeps it, by the architecture.
fn library() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").ok()?.flatten();
    let mut found = folders.map(|folder| folder.path().join("faketime/libfaketimeMT.so.1"));
    found.find(|path| path.is_file())
}
