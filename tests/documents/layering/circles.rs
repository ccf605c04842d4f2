//! Circles of imports between the files of one directory. A re-export is no import: whoever uses the
//! name imports the file that defines it.

use super::{File, end_of_item, is_name};
use std::collections::{BTreeMap, BTreeSet};

type ModulePath = Vec<String>;
type ImportGraph = BTreeMap<ModulePath, BTreeSet<ModulePath>>;

/// What starts an item that has a name.
const ITEMS: &[&str] = &[
    "const", "enum", "fn", "static", "struct", "trait", "type", "union",
];

/// No path in the sources has more parts.
const LONGEST_PATH: usize = 12;

/// The names of one file.
#[derive(Default)]
struct ModuleNames {
    items: BTreeSet<String>,
    /// What `use` brings in: the name here, and its path.
    imports: Vec<(String, Vec<String>)>,
    /// Every path that the file follows; those of re-exports are left out.
    followed: Vec<Vec<String>>,
}

struct ModuleTree {
    modules: BTreeMap<ModulePath, ModuleNames>,
}

/// For each directory at the top, the files that import each other in a circle, one list a circle.
pub fn find(files: &[File]) -> BTreeMap<String, Vec<Vec<String>>> {
    let named = files
        .iter()
        .filter_map(|file| Some((module_path(&file.name)?, file)));
    let modules = named.map(|(path, file)| (path, ModuleNames::of(file)));
    let tree = ModuleTree {
        modules: modules.collect(),
    };
    let modules = tree.modules.keys();
    let imports: ImportGraph = modules
        .map(|module| (module.clone(), tree.imports_of(module)))
        .collect();
    let reached: ImportGraph = imports
        .keys()
        .map(|module| (module.clone(), reachable_from(&imports, module)))
        .collect();
    let mut circles: BTreeMap<String, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (module, others) in &reached {
        let back = |other: &&ModulePath| reached[*other].contains(module);
        let circle: Vec<String> = others
            .iter()
            .filter(back)
            .map(|other| other.join("::"))
            .collect();
        if !circle.is_empty() {
            circles.entry(module[0].clone()).or_default().insert(circle);
        }
    }
    circles
        .into_iter()
        .map(|(directory, circles)| (directory, circles.into_iter().collect()))
        .collect()
}

/// The path of a file's module, without `crate`.
fn module_path(name: &str) -> Option<ModulePath> {
    let path = name.strip_prefix("src/")?.strip_suffix(".rs")?;
    let mut parts: ModulePath = path.split('/').map(str::to_owned).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    (!matches!(path, "lib" | "main")).then_some(parts)
}

impl ModuleNames {
    fn of(file: &File) -> Self {
        let (mut names, mut paths) = (Self::default(), Vec::new());
        let (mut at, mut depth) = (0, 0_usize);
        while at < file.tokens.len() {
            let token = file.token(at);
            let before = at.checked_sub(1).map_or("", |before| file.token(before));
            match token {
                "{" => depth += 1,
                "}" => depth = depth.saturating_sub(1),
                "use" => {
                    let end = end_of_item(&file.tokens, at);
                    let last = file.tokens.len().min(end);
                    let reexport = ["pub", ")"].contains(&before);
                    names.read_use(file, at + 1, last, reexport);
                    at = last;
                }
                // `'static` is no item.
                _ if depth == 0
                    && before != "'"
                    && ITEMS.contains(&token)
                    && is_name(file.token(at + 1)) =>
                {
                    names.items.insert(file.token(at + 1).to_owned());
                }
                _ if is_name(token) && before != "." => {
                    at = file.path(at, &[], &mut paths);
                    continue;
                }
                _ => {}
            }
            at += 1;
        }
        let paths = paths.into_iter().map(|(_, path)| path);
        names.followed.extend(paths.filter(|path| path.len() > 1));
        names
    }

    fn read_use(&mut self, file: &File, start: usize, end: usize, reexport: bool) {
        let mut at = start;
        while at < end {
            at = self.read_branch(file, at, &[], reexport);
        }
    }

    /// Reads one path of a `use`, or a group of them; returns where the next one may begin.
    fn read_branch(
        &mut self,
        file: &File,
        mut at: usize,
        prefix: &[String],
        reexport: bool,
    ) -> usize {
        let (start, mut path) = (at, prefix.to_vec());
        while is_name(file.token(at)) || file.token(at) == "*" {
            path.push(file.token(at).to_owned());
            at += 1;
            if file.token(at) != "::" {
                break;
            }
            at += 1;
            if file.token(at) == "{" {
                at += 1;
                while at < file.tokens.len() && file.token(at) != "}" {
                    at = self.read_branch(file, at, &path, reexport);
                }
                return at + 1;
            }
        }
        if at == start {
            return start + 1;
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned().unwrap_or_default();
        if file.token(at) == "as" {
            file.token(at + 1).clone_into(&mut name);
            at += 2;
        }
        if !reexport {
            self.followed.push(path.clone());
        }
        self.imports.push((name, path));
        at
    }
}

/// The files of the same directory that a file imports, and those that they import.
fn reachable_from(imports: &ImportGraph, module: &ModulePath) -> BTreeSet<ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open = vec![module];
    while let Some(next) = open.pop() {
        for import in &imports[next] {
            if reached.insert(import.clone()) {
                open.push(import);
            }
        }
    }
    reached
}

impl ModuleTree {
    fn imports_of(&self, module: &ModulePath) -> BTreeSet<ModulePath> {
        let paths = self.modules[module].followed.iter();
        paths
            .filter_map(|path| self.definer(module, path, &mut BTreeSet::new()))
            .filter(|other| other != module && other[0] == module[0])
            .collect()
    }

    /// The file that defines what a path names, seen from a module; `None` for a module and for what
    /// is of another crate.
    fn definer(
        &self,
        from: &ModulePath,
        path: &[String],
        asked: &mut BTreeSet<(ModulePath, Vec<String>)>,
    ) -> Option<ModulePath> {
        // Imports of everything lead back to each other, so no question is asked twice. A name that is
        // imported from another crate under itself (`use http::http`) would lengthen its path for ever.
        if path.len() > LONGEST_PATH || !asked.insert((from.clone(), path.to_vec())) {
            return None;
        }
        let (mut module, mut rest) = (from.clone(), path);
        match rest.first()?.as_str() {
            "crate" => (module, rest) = (ModulePath::new(), &rest[1..]),
            "self" => rest = &rest[1..],
            _ => {}
        }
        while rest.first().is_some_and(|part| part == "super") {
            module.pop();
            rest = &rest[1..];
        }
        while let Some(name) = rest.first() {
            let names = self.modules.get(&module);
            if names.is_some_and(|names| names.items.contains(name)) {
                return Some(module);
            }
            let mut child = module.clone();
            child.push(name.clone());
            if self.modules.contains_key(&child) {
                (module, rest) = (child, &rest[1..]);
                continue;
            }
            return self.definer_by_import(&module, names?, rest, asked);
        }
        None
    }

    fn definer_by_import(
        &self,
        module: &ModulePath,
        names: &ModuleNames,
        rest: &[String],
        asked: &mut BTreeSet<(ModulePath, Vec<String>)>,
    ) -> Option<ModulePath> {
        let mut found = names.imports.iter().filter_map(|(name, path)| {
            let (base, rest) = match path.split_last()? {
                (last, base) if last == "*" => (base, rest),
                _ if *name == rest[0] && path.as_slice() != &rest[..1] => (&path[..], &rest[1..]),
                _ => return None,
            };
            self.definer(module, &[base, rest].concat(), asked)
        });
        found.next()
    }
}

#[test]
fn a_circle_is_seen_through_reexports_and_groups() {
    let file = |name: &str, source: &str| File::parse(name, source);
    let files = [
        file(
            "src/a/mod.rs",
            "mod low;\nmod high;\npub use low::Low;\npub fn top() { high::run() }",
        ),
        file("src/a/low.rs", "pub struct Low;"),
        file(
            "src/a/high.rs",
            "use super::{Low, top as other};\npub fn run() { Low; other() }",
        ),
        file("src/b/mod.rs", "mod x;\npub use x::X;"),
        file(
            "src/b/x.rs",
            "pub struct X;\n#[cfg(test)]\nmod tests { use super::super::y::Y; }",
        ),
        file("src/b/y.rs", "use super::X;\npub struct Y(X);"),
    ];
    let circles = find(&files);
    let expected = vec![vec!["a".to_owned(), "a::high".to_owned()]];
    assert_eq!(circles, BTreeMap::from([("a".to_owned(), expected)]));
}
