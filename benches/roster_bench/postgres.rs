//! PostgreSQL: a cluster for the run, its floors, its CPU.

use super::floor::{CLAIMS, KINDS};
use super::measure::{self, Stopwatch};
use super::support;
use futures_util::StreamExt;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Row};
use std::fs;
use std::future::Future;
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

/// The cluster of this run and its postmaster.
pub struct Cluster {
    server: &'static support::Server,
    pid: u32,
}

impl Cluster {
    /// Starts one; none when PostgreSQL is not installed.
    pub fn start() -> Option<Self> {
        let server = support::server()?;
        let url = server.database("main");
        let directory = wait(async {
            let mut connection = PgConnection::connect(&url).await?;
            let row = sqlx::query("SHOW data_directory")
                .fetch_one(&mut connection)
                .await?;
            row.try_get::<String, _>(0)
        });
        let pid = fs::read_to_string(Path::new(&directory).join("postmaster.pid"))
            .expect("the server's pid");
        let pid = pid
            .lines()
            .next()
            .and_then(|line| line.parse().ok())
            .expect("a number");
        Some(Self { server, pid })
    }

    /// The URL of a new database.
    pub fn database(&self, name: &str) -> String {
        self.server.database(name)
    }

    /// Seconds of CPU so far.
    pub fn cpu(&self) -> f64 {
        // A backend is counted with its parent once that has noticed its end.
        std::thread::sleep(std::time::Duration::from_millis(100));
        measure::server_cpu(self.pid).unwrap_or(0.0)
    }
}

/// Waits for the database.
fn wait<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(work).expect("the database")
}

/// A copy of the schema in two halves: bare tables; keys, indexes and foreign keys.
pub fn schema(url: &str) -> [String; 2] {
    ["pre-data", "post-data"].map(|section| {
        let arguments = ["--schema-only", "--no-owner", "--section", section, url];
        let output = Command::new("pg_dump")
            .args(arguments)
            .output()
            .expect("pg_dump");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        // Words for psql alone.
        text.lines()
            .filter(|line| !line.starts_with('\\'))
            .map(|line| format!("{line}\n"))
            .collect()
    })
}

/// Writes every table of a database into binary files.
pub fn unload(url: &str, directory: &Path) {
    wait(async {
        let mut connection = PgConnection::connect(url).await?;
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY 1";
        for row in sqlx::query(sql).fetch_all(&mut connection).await? {
            let table: String = row.try_get(0)?;
            let mut copy = connection
                .copy_out_raw(&format!("COPY {table} TO STDOUT (FORMAT binary)"))
                .await?;
            let mut file = fs::File::create(directory.join(&table))?;
            while let Some(bytes) = copy.next().await {
                std::io::Write::write_all(&mut file, &bytes?)?;
            }
        }
        Ok(())
    });
}

/// Loads those files into a database that has the bare tables, then makes keys and indexes.
pub fn load(url: &str, directory: &Path, post: &Path) {
    let post = fs::read_to_string(post).expect("the second half of the schema");
    let mut watch = Stopwatch::default();
    watch.time(|| {
        wait(async {
            let mut connection = PgConnection::connect(url).await?;
            sqlx::raw_sql("BEGIN").execute(&mut connection).await?;
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let table = entry
                    .file_name()
                    .into_string()
                    .expect("the name of a table");
                let mut file = fs::File::open(entry.path())?;
                let mut copy = connection
                    .copy_in_raw(&format!("COPY public.{table} FROM STDIN (FORMAT binary)"))
                    .await?;
                let mut buffer = vec![0; 1 << 18];
                loop {
                    let length = file.read(&mut buffer)?;
                    if length == 0 {
                        break;
                    }
                    copy.send(&buffer[..length]).await?;
                }
                copy.finish().await?;
            }
            sqlx::raw_sql(AssertSqlSafe(post))
                .execute(&mut connection)
                .await?;
            sqlx::raw_sql("COMMIT").execute(&mut connection).await?;
            connection.close().await
        });
    });
    watch.print();
}

/// Runs statements.
pub fn script(url: &str, sql: String) {
    wait(async {
        let mut connection = PgConnection::connect(url).await?;
        sqlx::raw_sql(AssertSqlSafe(sql))
            .execute(&mut connection)
            .await?;
        connection.close().await
    });
}

/// What tells whether anything moved.
pub fn digests(url: &str) {
    let mut watch = Stopwatch::default();
    watch.time(|| {
        wait(async {
            let mut connection = PgConnection::connect(url).await?;
            let kinds = KINDS
                .iter()
                .map(|table| format!("SELECT external_id, version FROM {table}"));
            for query in std::iter::once(CLAIMS.to_owned()).chain(kinds) {
                let mut copy = connection
                    .copy_out_raw(&format!("COPY ({query}) TO STDOUT (FORMAT binary)"))
                    .await?;
                while let Some(bytes) = copy.next().await {
                    black_box(bytes?);
                }
            }
            connection.close().await
        });
    });
    watch.print();
}
