//! Recognises columns that may show who is inactive, by their names and values. A missed one means
//! that blocked customers stay active; a misread one deactivates everybody. So every candidate must
//! be mapped or ignored by a person. Start reading at `polarity_of`.

use super::ExportProfile;
use super::column_names::words;
use super::field_names::{fields_for_name, folded};
use crate::feed::mapping::ExportLocale;

/// What the name of a column says about TRUE in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum StatusPolarity {
    TrueIsActive,
    TrueIsInactive,
    Unclear,
}

/// Parts of column names whose TRUE means inactive, without case and accents.
#[rustfmt::skip]
const OFF: &[&str] = &[
    "inact", "inakt", "nonact", "deact", "deakt", "desact", "block", "blok", "bloq", "sperr", "sparr", "spaerr", "disabl", "deshab",
    "delet", "losch", "loesch", "supprim", "elimin", "borrad", "verwijder", "raderad", "borttag", "slett", "slet", "poistet", "locked",
    "archiv", "arkiv", "suspend", "hidden", "versteckt", "ausgeblendet", "dold", "oculto", "verborgen", "loevm", "aufsd", "faksd", "lifsd",
    "closed", "geschlossen", "gesloten", "cerrad", "ferme", "stangd", "stillgelegt", "stillgelegd", "terminat", "discontin", "banned",
    "blacklist", "gekundigt", "uppsagd", "avslutad", "resili", "vervallen",
    "ceased", "obsolet", "utgatt", "dormant", "defunct", "expired", "abgelaufen", "cessat", "cesad", "dismess", "opgeheven", "nedlagt", "nedlagd",
];
/// The same, for whole words: `lock` must not match `block A` or `clock`.
const OFF_WORDS: &[&str] = &[
    "hold",
    "onhold",
    "lock",
    "isdeleted",
    "stop",
    "stopped",
    "frozen",
];
/// Parts of column names whose TRUE means active.
#[rustfmt::skip]
const ON: &[&str] = &["activ", "aktiv", "actif", "actief", "attiv", "enabl", "habilit", "freigegeben", "ingeschakeld", "aktiivi"];
/// Words that begin like one of these but mean something else, such as `activity`.
const OTHER: &[&str] = &["activit", "aktivit", "attivit", "blockchain"];
/// Parts of column names that contain a status in words.
const OPEN: &[&str] = &[
    "status",
    "statut",
    "estado",
    "zustand",
    "lifecycle",
    "livscykel",
    "stato",
    "tillstand",
    "toestand",
];
/// Parts of column names, written as one word, that say until when something is valid.
#[rustfmt::skip]
const UNTIL: &[&str] = &[
    "validto", "validuntil", "validthru", "gultigbis", "giltigtill", "gyldigtil", "geldigtot", "validejusqu", "valablejusqu", "fechabaja",
    "enddate", "dateend", "enddatum", "slutdatum", "einddatum", "datefin", "fechafin", "datafine", "expir",
];
/// Words next to `state` that show that it is not the region of an address.
const SUBJECTS: &[&str] = &[
    "account", "customer", "client", "company", "contact", "user", "record", "partner",
];
/// Words that negate the next one.
const NOT: &[&str] = &[
    "not", "nicht", "niet", "inte", "ej", "non", "no", "ikke", "un",
];

/// Returns what the name of a column says about who is active, if anything.
pub(super) fn polarity(name: &str) -> Option<StatusPolarity> {
    let words = words(name);
    let has = |known: &[&str]| {
        let of = |word: &String| known.iter().any(|known| word.contains(known));
        words.iter().any(of)
    };
    if has(OTHER) {
        return None;
    }
    let is = |known: &[&str]| words.iter().any(|word| known.contains(&word.as_str()));
    let turned = words.len() > 1 && is(NOT);
    // Before `ON`: `inactive` contains `activ`.
    if has(OFF) || is(OFF_WORDS) {
        return Some(if turned {
            // `notBlocked` or `nonActive`-style names are too easily misread when the word is
            // negative already.
            StatusPolarity::Unclear
        } else {
            StatusPolarity::TrueIsInactive
        });
    }
    if has(ON) {
        return Some(if turned {
            StatusPolarity::TrueIsInactive
        } else {
            StatusPolarity::TrueIsActive
        });
    }
    // `state` alone may be a region or a status.
    let state = is(&["state"]) && (words.len() == 1 || is(SUBJECTS));
    let joined = folded(name);
    let spelled_apart = joined.contains("lifecycle");
    let until = UNTIL.iter().any(|known| joined.contains(known));
    (has(OPEN) || state || spelled_apart || until).then_some(StatusPolarity::Unclear)
}

/// Words in column names that say nothing about the content.
#[rustfmt::skip]
const VAGUE: &[&str] = &[
    "flag", "flags", "flagga", "flg", "kennzeichen", "kz", "kennz", "indicator", "indikator", "ind", "mark", "marker", "marque",
    "code", "cd", "kod", "sign", "switch", "schalter", "bool", "boolean", "yn", "jn", "check", "value", "wert", "valeur", "valor",
    "field", "column", "spalte", "kolumn", "x", "y",
];

/// Returns whether a name says nothing about the content. A column of yes and no with such a name
/// may show who is inactive.
fn is_vague(name: &str) -> bool {
    let words = words(name);
    let vague = |word: &String| {
        let bare = word.trim_end_matches(|c: char| c.is_ascii_digit());
        bare.is_empty() || VAGUE.contains(&bare)
    };
    words.iter().all(vague)
}

/// Returns what a column says about who is active: by its name, or by its values if the name is
/// vague.
pub(super) fn polarity_of(look: &ExportProfile, at: usize) -> Option<StatusPolarity> {
    let name = look.columns.name(at);
    let (words, mut texts) = (ExportLocale::default(), look.texts(at).peekable());
    let open = is_vague(name)
        && fields_for_name(name).is_empty()
        && texts.peek().is_some()
        && texts.all(|text| words.boolean(text).is_some());
    polarity(name).or(open.then_some(StatusPolarity::Unclear))
}

/// Returns whether a word from a status column means active, or `None` if it is unknown.
pub(super) fn parse_status_word(text: &str) -> Option<bool> {
    const ACTIVE: &[&str] = &[
        "active", "aktiv", "aktiva", "actif", "active", "activo", "activa", "attivo", "actief",
        "enabled", "normal",
    ];
    const INACTIVE: &[&str] = &[
        "inactive",
        "inaktiv",
        "inactif",
        "inactivo",
        "inactiva",
        "inattivo",
        "inactief",
        "nonactive",
        "notactive",
        "blocked",
        "gesperrt",
        "sparrad",
        "bloqueado",
        "bloque",
        "bloccato",
        "geblokkeerd",
        "blockerad",
        "disabled",
        "deaktiviert",
        "deactivated",
        "suspended",
        "archived",
        "archiviert",
        "arkiverad",
        "deleted",
        "geloscht",
        "raderad",
        "locked",
        "onhold",
        "hold",
        "closed",
        "hidden",
    ];
    let word = folded(text);
    if ACTIVE.contains(&word.as_str()) {
        return Some(true);
    }
    INACTIVE.contains(&word.as_str()).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_that_may_say_who_is_inactive_are_known_in_many_languages() {
        use StatusPolarity::{TrueIsActive, TrueIsInactive, Unclear};
        for (name, meant) in [
            ("Active (0/1)", Some(TrueIsActive)),
            ("isActive", Some(TrueIsActive)),
            ("is_active", Some(TrueIsActive)),
            ("aktiv", Some(TrueIsActive)),
            ("Actief", Some(TrueIsActive)),
            ("enabled", Some(TrueIsActive)),
            ("Locked", Some(TrueIsInactive)),
            ("Deleted", Some(TrueIsInactive)),
            ("On Hold", Some(TrueIsInactive)),
            ("LOEVM", Some(TrueIsInactive)),
            ("gesperrt", Some(TrueIsInactive)),
            ("Kundensperre", Some(TrueIsInactive)),
            ("Löschvormerkung", Some(TrueIsInactive)),
            ("spärrad", Some(TrueIsInactive)),
            ("inaktiv", Some(TrueIsInactive)),
            ("bloqueado", Some(TrueIsInactive)),
            ("geblokkeerd", Some(TrueIsInactive)),
            ("Bloqué", Some(TrueIsInactive)),
            ("archived", Some(TrueIsInactive)),
            ("suspended", Some(TrueIsInactive)),
            ("hidden", Some(TrueIsInactive)),
            ("not active", Some(TrueIsInactive)),
            ("nicht gesperrt", Some(Unclear)),
            ("Status", Some(Unclear)),
            ("Kundenstatus", Some(Unclear)),
            ("state", Some(Unclear)),
            ("Valid To", Some(Unclear)),
            ("gültig bis", Some(Unclear)),
            ("end_date", Some(Unclear)),
            ("Expiry", Some(Unclear)),
            ("Weekend delivery", None),
            ("Start date", None),
            ("Activity", None),
            ("Household", None),
            ("Name", None),
            ("Clock", None),
        ] {
            assert_eq!(polarity(name), meant, "{name}");
        }
    }
}
