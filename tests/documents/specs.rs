//! The pages of `specs/` are executable: their files are written, their commands run, and what they
//! show is what Roster prints. `SNAPSHOTS=overwrite cargo test --test documents` writes what it prints.

use crate::support::pages::{Fence, command, execute, fences, markdown, root, write};
use crate::support::parallel::in_parallel;
use snapbox::assert::Assert;
use snapbox::{Data, IntoData, Redactions};
use std::cmp::Reverse;
use std::fmt::Write;
use std::path::Path;

const DATABASE: &str = ".roster/roster.db";

#[test]
fn pages_show_what_roster_prints() {
    let mut pages = markdown("specs");
    // The longest first, so that none is left when the others are done.
    pages.sort_by_cached_key(|page| {
        let text = std::fs::read_to_string(page).unwrap_or_default();
        Reverse(text.lines().filter(|line| line.starts_with("$ ")).count())
    });
    let results = in_parallel(&pages, |path| check(path));
    let failures: Vec<String> = results.into_iter().filter_map(Result::err).collect();
    assert!(
        failures.is_empty(),
        "{}\nIf the new output is right: SNAPSHOTS=overwrite cargo test --test documents",
        failures.join("\n")
    );
}

/// Runs a page; with `SNAPSHOTS=overwrite` it then shows what was printed.
fn check(path: &Path) -> Result<(), String> {
    let page = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let shown = run(&page).map_err(|error| format!("specs/{name}: {error}"))?;
    if shown == page {
        return Ok(());
    }
    if std::env::var("SNAPSHOTS").is_ok_and(|action| action == "overwrite") {
        return std::fs::write(path, shown).map_err(|error| error.to_string());
    }
    let mut diff = String::new();
    let (before, after) = (Data::text(page), Data::text(shown));
    let title: Option<&dyn std::fmt::Display> = Some(&name);
    let palette = snapbox::report::Palette::plain();
    snapbox::report::write_diff(&mut diff, &before, &after, title, Some(&"printed"), palette)
        .map_err(|error| error.to_string())?;
    Err(diff)
}

/// The page with what its commands print in place of what it shows; wildcards that fit stay.
fn run(page: &str) -> Result<String, String> {
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut lines: Vec<String> = page.lines().map(str::to_owned).collect();
    let mut shift = 0_isize;
    for fence in fences(page) {
        let Some(shown) = take(&fence, dir.path())? else {
            continue;
        };
        let start = fence.line.saturating_add_signed(shift);
        let (before, after) = (fence.text.lines().count(), shown.lines().count());
        lines.splice(start..start + before, shown.lines().map(str::to_owned));
        shift += after.cast_signed() - before.cast_signed();
    }
    Ok(lines.join("\n") + "\n")
}

/// Does what a fence asks for; of a console block, how it should read.
fn take(fence: &Fence, sandbox: &Path) -> Result<Option<String>, String> {
    if let Some(file) = fence.file() {
        write(&sandbox.join(file), &fence.text);
    } else if fence.language() == "sql" {
        execute(&sandbox.join(DATABASE), &fence.text)?;
    } else if let Some(folder) = fence
        .words
        .iter()
        .find_map(|word| word.strip_prefix("copy="))
    {
        copy(&root(folder), &sandbox.join(fence.text.trim()))?;
    } else if fence.language() == "console" && fence.label() != "ignore" {
        return console(&fence.text, sandbox).map(Some);
    }
    Ok(None)
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    for entry in ignore::WalkBuilder::new(from).hidden(false).build() {
        let entry = entry.map_err(|error| error.to_string())?;
        let below = entry
            .path()
            .strip_prefix(from)
            .map_err(|error| error.to_string())?;
        if entry.path().is_file() {
            let target = to.join(below);
            let folder = target.parent().expect("a file stands in a folder");
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::copy(entry.path(), &target))
                .map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// One command of a console block, and what the page says it does.
#[derive(Default, PartialEq, Eq, Debug)]
struct Example {
    /// As written, with `$ ` and `> `.
    prompt: String,
    script: String,
    output: String,
}

fn examples(block: &str) -> Result<Vec<Example>, String> {
    let mut found: Vec<Example> = Vec::new();
    for line in block.lines() {
        if let Some(script) = line.strip_prefix("$ ") {
            found.push(Example {
                prompt: format!("{line}\n"),
                script: script.to_owned(),
                output: String::new(),
            });
            continue;
        }
        let Some(example) = found.last_mut() else {
            return Err(format!(
                "a console block starts with `$ `, not with `{line}`"
            ));
        };
        match line.strip_prefix("> ") {
            Some(more) if example.output.is_empty() => {
                let _ = writeln!(example.prompt, "{line}");
                let _ = write!(example.script, "\n{more}");
            }
            _ => {
                let _ = writeln!(example.output, "{line}");
            }
        }
    }
    Ok(found)
}

fn console(block: &str, sandbox: &Path) -> Result<String, String> {
    let mut shown = String::new();
    let mut blocks = examples(block)?.into_iter().peekable();
    while let Some(example) = blocks.next() {
        let printed = printed(&example, sandbox)?;
        let expected = example.output.trim_end();
        let fitted = fitted(&printed, expected, sandbox)?;
        shown.push_str(&example.prompt);
        if !fitted.is_empty() {
            let _ = writeln!(shown, "{fitted}");
        }
        if blocks.peek().is_some() {
            shown.push_str(&example.output[expected.len()..].replacen('\n', "", 1));
        }
    }
    Ok(shown)
}

/// The exit code unless it is 0, as `? 3`, then stdout and stderr together.
fn printed(example: &Example, sandbox: &Path) -> Result<String, String> {
    let script = format!("exec 2>&1\n{}", example.script);
    let out = command("sh", sandbox).args(["-c", &script]).output();
    let out = out.map_err(|error| format!("{}: {error}", example.script))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let text = text.trim_end();
    Ok(match out.status.code() {
        Some(0) => text.to_owned(),
        Some(code) => format!("? {code}\n{text}").trim_end().to_owned(),
        None => format!("? {}\n{text}", out.status),
    })
}

/// What was printed, with the wildcards of what was expected wherever they fit.
fn fitted(printed: &str, expected: &str, sandbox: &Path) -> Result<String, String> {
    let mut redactions = Redactions::new();
    redactions
        .insert("[CWD]", sandbox.to_string_lossy().into_owned())
        .map_err(|error| error.to_string())?;
    let assert = Assert::new().redact_with(redactions).normalize_paths(false);
    let (fitted, _) = assert.normalize(
        format!("{printed}\n").into_data(),
        format!("{expected}\n").into_data(),
    );
    Ok(fitted.render().unwrap_or_default().trim_end().to_owned())
}

#[test]
fn a_page_runs_in_order_in_one_sandbox() {
    let page = "\
Text.

```yaml file=a/b.yaml
x: 1
```

```console
$ cat a/b.yaml
x: 1
$ pwd; echo 12:30:59 done
[CWD]
[..] done

$ echo one; echo two; echo three; echo four
one
...
four
$ sh -c 'echo bad >&2;
> exit 3'
? 3
bad
$ true
```

```text file=a/b.yaml
changed
```

```console
$ cat a/b.yaml
changed
```
";
    assert_eq!(run(page).as_deref(), Ok(page));
}

#[test]
fn a_page_that_lies_is_corrected() {
    let lie = "```console\n$ echo one; echo two\nzwei\n\n$ false\n$ echo c\nd\ne\n```\n\n```console\n$ echo x\n```\n";
    let truth = "```console\n$ echo one; echo two\none\ntwo\n\n$ false\n? 1\n$ echo c\nc\n```\n\n```console\n$ echo x\nx\n```\n";
    assert_eq!(run(lie).as_deref(), Ok(truth));
}

#[test]
fn a_page_may_start_from_an_example() {
    let page = "```text copy=examples/minimal\nmanifests\n```\n\n```console\n$ ls manifests\naccount.yaml\nuser.yaml\n```\n";
    assert_eq!(run(page).as_deref(), Ok(page));
}

#[test]
fn a_page_may_change_the_database_behind_rosters_back() {
    let page = "```console\n$ mkdir .roster; touch .roster/roster.db\n```\n\n\
                ```sql\nCREATE TABLE tags (id TEXT);\n```\n\n\
                ```console\n$ head -c 13 .roster/roster.db\nSQLite format\n```\n";
    assert_eq!(run(page).as_deref(), Ok(page));
    let broken = page.replace("TABLE", "TABEL");
    assert!(run(&broken).expect_err("not SQL").contains("TABEL"));
}
