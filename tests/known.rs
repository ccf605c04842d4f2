//! A pass over files that are known says what a pass that reads everything says.

#[path = "support/mod.rs"]
mod support;

use sqlx::Connection;
use std::fs;
use std::path::Path;
use std::process::Command;

fn roster(dir: &Path, database: &str, arguments: &[&str]) -> (String, i32) {
    let output = Command::new(env!("CARGO_BIN_EXE_roster"))
        .args(arguments)
        .args(["--database", database])
        .current_dir(dir)
        .env_remove("ROSTER_OUTPUT")
        .output()
        .unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code().unwrap(),
    )
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn sql(database: &str, statement: &'static str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        if let Some(path) = database.strip_prefix("sqlite:") {
            let mut connection = sqlx::SqliteConnection::connect(&format!("sqlite:{path}"))
                .await
                .unwrap();
            sqlx::raw_sql(statement)
                .execute(&mut connection)
                .await
                .unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(database).await.unwrap();
            sqlx::raw_sql(statement)
                .execute(&mut connection)
                .await
                .unwrap();
        }
    });
}

/// Both passes say the same; returns what they say.
fn plan(dir: &Path, database: &str) -> String {
    let known = roster(dir, database, &["plan", "m", "--output", "json"]);
    let scrubbed = roster(dir, database, &["plan", "m", "--scrub", "--output", "json"]);
    assert_eq!(known, scrubbed);
    known.0
}

#[test]
fn known_files_and_a_full_pass_say_the_same() {
    for (engine, database) in support::postgres::databases("known") {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        copy(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/company"),
            &dir.join("m"),
        );
        assert_eq!(
            roster(dir, &database, &["apply", "m", "--yes"]).1,
            0,
            "{engine}"
        );
        let logged = Command::new(env!("CARGO_BIN_EXE_roster"))
            .args(["plan", "m", "-v", "--database", &database])
            .current_dir(dir)
            .output()
            .unwrap();
        let logged = String::from_utf8(logged.stderr).unwrap();
        assert!(logged.contains("nothing changed"), "{engine}: {logged}");
        assert!(!logged.contains('\u{1b}'), "{engine}: {logged}");
        assert!(
            plan(dir, &database).contains("\"unchanged\":61,\"unclaimed\":0"),
            "{engine}"
        );

        sql(
            &database,
            "INSERT INTO tags (external_id, name) VALUES ('by-hand', 'By hand')",
        );
        assert!(plan(dir, &database).contains("\"unclaimed\":1"), "{engine}");

        sql(
            &database,
            "UPDATE users SET phone = '+4699' WHERE external_id = 'tv-1001'",
        );
        assert!(
            plan(dir, &database).contains("\"reason\":\"drift\""),
            "{engine}"
        );
        assert_eq!(roster(dir, &database, &["apply", "m", "--yes"]).1, 0);

        let tags = fs::read_to_string(dir.join("m/tags.yaml")).unwrap();
        fs::write(
            dir.join("m/tags.yaml"),
            tags.replacen("name: ", "name: New ", 1),
        )
        .unwrap();
        assert!(plan(dir, &database).contains("\"update\":1"), "{engine}");
        fs::write(dir.join("m/tags.yaml"), tags).unwrap();
        assert!(plan(dir, &database).contains("\"update\":0"), "{engine}");

        let terms = fs::read_dir(dir.join("m/terms"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let text = fs::read_to_string(&terms).unwrap();
        fs::write(&terms, format!("{text}One more line.\n")).unwrap();
        assert!(
            plan(dir, &database).contains("\"update\":1"),
            "{engine}: a new content of the terms"
        );
        fs::write(&terms, text).unwrap();

        fs::write(
            dir.join("m/more.yaml"),
            "tags: [{externalId: more, name: More}]\n",
        )
        .unwrap();
        assert!(plan(dir, &database).contains("\"create\":1"), "{engine}");
        fs::remove_file(dir.join("m/more.yaml")).unwrap();

        sql(
            &database,
            "DELETE FROM policies WHERE external_id = 'ts-verkko'",
        );
        assert!(
            plan(dir, &database).contains("\"reactivation\""),
            "{engine}"
        );
    }
}
