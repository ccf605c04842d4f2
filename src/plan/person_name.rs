//! Names of people who decide: `eva`, or an e-mail address. Whether two of them are one person's.

use crate::kinds::read::is_invisible;
use std::collections::BTreeMap;
use unicode_normalization::UnicodeNormalization as _;

/// A name as it is compared: neither the case nor the form of its letters, nor what nobody sees, makes
/// another person.
fn comparable(name: &str) -> String {
    let seen = name.nfkc().map(|c| if c.is_whitespace() { ' ' } else { c });
    let seen: String = seen.filter(|c| !is_invisible(*c)).collect();
    let lower = seen.to_lowercase();
    lower.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[must_use]
pub fn is_same_person(one: &str, other: &str) -> bool {
    comparable(one) == comparable(other)
}

/// The names of different people, each person's first one.
#[must_use]
pub fn distinct_people<'n>(names: impl IntoIterator<Item = &'n String>) -> Vec<&'n String> {
    let mut people = BTreeMap::new();
    for name in names {
        people.entry(comparable(name)).or_insert(name);
    }
    people.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_one_however_the_name_is_written() {
        let same = [
            ["eva", "Eva"],
            ["Eva@Shop.Example", "eva@shop.example"],
            ["eva\u{200b}", "eva"],
            [" eva  lind ", "Eva\u{a0}Lind"],
            ["\u{c5}sa", "A\u{30a}sa"],
            ["ｅｖａ", "eva"],
        ];
        for [one, other] in same {
            assert!(is_same_person(one, other), "{one:?} {other:?}");
        }
        assert!(!is_same_person("eva", "ева"));
        assert!(!is_same_person("eva", "eva2"));
        let names = ["Eva", "eva", "nils"].map(str::to_owned);
        assert_eq!(distinct_people(&names), ["Eva", "nils"]);
    }
}
