//! Presets: mappings that are compiled into Roster, each a YAML file under `presets/`.

use super::mapping::Mapping;

macro_rules! presets {
    ($($name:literal)*) => {
        /// Every preset: its name and its text.
        const ALL: &[(&str, &str)] = &[$(($name, include_str!(concat!("presets/", $name, ".yaml")))),*];
    };
}

presets! {
    "bc-customer" "djust-accounts" "djust-users" "djust-users-legacy" "netsuite" "odoo-partner"
    "sage50-uk" "sap-kna1-csv" "vendre-customers"
}

/// The names of all presets, sorted.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|(name, _)| *name)
}

#[must_use]
pub fn text(name: &str) -> Option<&'static str> {
    let preset = ALL.iter().find(|(known, _)| *known == name);
    preset.map(|(_, text)| *text)
}

/// Returns the mapping of a preset. An unknown name is an error that proposes a similar one.
pub fn mapping(name: &str) -> Result<Mapping, String> {
    let Some(text) = text(name) else {
        let near = crate::diagnostic::did_you_mean(name, names());
        let all: Vec<&str> = names().collect();
        return Err(near.map_or_else(
            || format!("no preset `{name}`; the presets are {}", all.join(", ")),
            |near| format!("no preset `{name}`; did you mean `{near}`?"),
        ));
    };
    Mapping::parse(text).map_err(|why| format!("preset {name}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_is_a_mapping_of_its_name() {
        for name in names() {
            let mapping = mapping(name).unwrap_or_else(|why| panic!("{why}"));
            assert_eq!(mapping.name, name);
            assert!(!mapping.doc.is_empty(), "{name}");
        }
    }
}
