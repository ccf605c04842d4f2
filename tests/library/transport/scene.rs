//! A folder with a cache, and exports that are fetched into it.

use roster::config::export;
use roster::transport::{
    ExportChange, ExportLocation, FetchedExport, TransportError, fetch, last_fetched,
};
use serde_json::{Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use tempfile::TempDir;

/// A folder of its own.
pub struct Scene {
    folder: TempDir,
}

/// Says something that a test must not keep to itself, whatever becomes of it.
pub fn say(text: &str) {
    let mut stderr = std::io::stderr().lock();
    writeln!(stderr, "{text}").expect("stderr");
}

impl Scene {
    pub fn new() -> Self {
        let folder = TempDir::with_prefix("roster-transport-").expect("a folder");
        Self { folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("the folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// The place that the configuration says.
    pub fn place(&self, mut value: Value) -> ExportLocation {
        let keys = value.as_object_mut().expect("a mapping");
        keys.insert("preset".to_owned(), json!("djust-accounts"));
        let read = export(&value, self.folder.path());
        let read = read.unwrap_or_else(|error| panic!("{error}"));
        read.place.expect("a place")
    }

    pub fn fetch(&self, place: &ExportLocation) -> Result<FetchedExport, TransportError> {
        fetch(place, &self.path("cache"))
    }

    /// Fetches what there is; how it stands to what was there before, and its text.
    pub fn get(&self, place: &ExportLocation) -> (ExportChange, String) {
        let came = self.fetch(place);
        let came = came.unwrap_or_else(|error| panic!("{error}"));
        let (path, kept) = self.kept(place);
        assert_eq!((kept.digest, kept.size), (came.digest, came.size));
        (came.news, text(&path))
    }

    /// Fails to fetch it; why.
    pub fn fails(&self, place: &ExportLocation) -> String {
        let error = self.fetch(place).expect_err("no export");
        assert!(!error.help().is_empty());
        error.to_string()
    }

    /// What was fetched last.
    pub fn kept(&self, place: &ExportLocation) -> (PathBuf, FetchedExport) {
        last_fetched(place, &self.path("cache")).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The names in a folder, in order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let names = entries.flatten().map(|entry| entry.file_name());
        let mut names: Vec<String> = names.filter_map(|name| name.into_string().ok()).collect();
        names.sort();
        names
    }
}

pub fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

/// Does something while somebody writes on and on at the end of a file.
pub fn growing<T>(path: &Path, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut file = File::options().append(true).open(path).expect("a file");
            while !done.load(Ordering::SeqCst) {
                file.write_all(b"2;Bolt\n").expect("written");
                // As slowly as the disk takes it.
                file.sync_all().expect("on the disk");
            }
        });
        let came = work();
        done.store(true, Ordering::SeqCst);
        came
    })
}
