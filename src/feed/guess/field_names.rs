//! What exports call the fields, in the languages that customers use. In goes the name of a column;
//! out come the fields that it may be. The names come from three places: the table of kinds, the
//! list below, and the columns of the presets.

use crate::feed::format::ExportColumns;
use crate::feed::mapping::{CellMapping, CellSource};
use crate::feed::preset;
use crate::kinds::read::quoted;
use crate::kinds::{self, ACCOUNT, ADDRESS, Field, FieldType, USER};
use crate::model::KindId;
use std::collections::HashMap;
use std::sync::LazyLock;

/// A field that a column may be, by kind and name. `externalId` counts as one.
pub(super) type FieldTarget = (KindId, &'static str);

/// Names of fields beside their own, without case, accents, spaces and signs.
#[rustfmt::skip]
const FIELD_NAMES: &[(KindId, &str, &[&str])] = &[
    (ACCOUNT, "externalId", &["customerid", "customerno", "customernumber", "customercode", "accountid", "accountno", "accountnumber", "accountcode",
        "companyid", "clientid", "clientno", "kundnr", "kundnummer", "kundid", "kundennummer", "kundennr", "kundenid", "debitor", "debitorennummer", "kunnr",
        "numeroclient", "noclient", "codeclient", "idclient", "reference", "id", "uid", "uuid", "key"]),
    (ACCOUNT, "name", &["customername", "accountname", "companyname", "company", "organization", "namn", "kundnamn", "foretag", "foretagsnamn", "firma", "firmenname",
        "kundenname", "societe", "nomclient", "raisonsociale", "entreprise", "name1"]),
    (ACCOUNT, "companyRegistrationName", &["legalname", "registeredname", "registrationname", "juridisktnamn", "juristischername", "denomination", "denominationsociale"]),
    (ACCOUNT, "businessRegistrationNumber", &["registrationnumber", "registrationno", "companyregistrationnumber", "companynumber", "orgnr", "orgnummer", "organisationsnummer",
        "organisationsnr", "organizationnumber", "identificationnumber", "handelsregister", "handelsregisternummer", "hrb", "siren", "siret", "stcd1"]),
    (ACCOUNT, "vatNumber", &["vat", "vatno", "vatid", "vatregno", "vatnr", "vatregistrationno", "taxid", "taxnumber", "momsnr", "momsregnr", "momsregistreringsnummer", "ustid", "ustidnr",
        "umsatzsteuerid", "tva", "numerotva", "notva", "tvaintracommunautaire", "stceg"]),
    (ACCOUNT, "website", &["web", "url", "homepage", "webaddress", "hemsida", "webbplats", "webseite", "internet", "siteweb", "site"]),
    (ACCOUNT, "managerName", &["manager", "accountmanager", "salesperson", "salesrep", "saljare", "kundansvarig", "verkaufer", "betreuer", "vertreter", "commercial", "responsable"]),
    (ACCOUNT, "tags", &["tag", "group", "groups", "customergroup", "customergroups", "segment", "kundgrupp", "kundengruppe", "groupeclient", "kdgrp"]),
    (ACCOUNT, "status", &["state", "isactive", "active", "enabled", "isinactive", "inactive", "blocked", "disabled", "aktiv", "inaktiv", "sparrad", "gesperrt", "sperre", "actif", "inactif", "bloque"]),
    (ADDRESS, "externalId", &["addressid", "addressno", "addresscode", "adressid", "adressnr", "adressnummer", "adrnr", "idadresse", "codeadresse"]),
    (ADDRESS, "fullName", &["addressname", "addressee", "recipient", "mottagare", "adressnamn", "empfanger", "destinataire"]),
    (ADDRESS, "street", &["address", "address1", "addressline1", "street1", "streetaddress", "streetname", "line1", "adress", "adress1", "gata", "gatuadress", "utdelningsadress",
        "adresse", "adresse1", "strasse", "anschrift", "rue", "stras"]),
    (ADDRESS, "additionalStreet", &["address2", "addressline2", "street2", "streetaddress2", "line2", "adress2", "coadress", "adresse2", "adresszusatz", "complement", "complementadresse"]),
    (ADDRESS, "city", &["town", "ort", "postort", "stad", "stadt", "ville", "commune", "ort01"]),
    (ADDRESS, "zipCode", &["zip", "postcode", "postalcode", "postnr", "postnummer", "plz", "postleitzahl", "codepostal", "cp", "pstlz"]),
    (ADDRESS, "state", &["region", "county", "province", "lan", "bundesland", "departement", "regio"]),
    (ADDRESS, "country", &["countrycode", "countryid", "land", "landskod", "landkod", "landercode", "laenderkennzeichen", "pays", "codepays", "land1"]),
    (ADDRESS, "label", &["addresslabel", "addresstype", "adresstyp", "libelle"]),
    (ADDRESS, "phone", &["phone", "phoneno", "phonenumber", "telephone", "tel", "telefon", "telefonnr", "telefonnummer", "telefonnumer", "telf1"]),
    (USER, "externalId", &["userid", "username", "id", "uid", "login", "contactid", "anvandarid", "benutzerid", "benutzername", "benutzer", "identifiant"]),
    (USER, "civility", &["salutation", "title", "nameprefix", "titel", "tilltal", "anrede", "civilite"]),
    (USER, "firstName", &["givenname", "fornamn", "vorname", "prenom"]),
    (USER, "lastName", &["surname", "familyname", "efternamn", "nachname", "nom", "nomdefamille"]),
    (USER, "email", &["mail", "emailaddress", "epost", "epostadress", "emailadresse", "courriel", "adressemail"]),
    (USER, "phone", &["phone", "phoneno", "phonenumber", "mobile", "mobilephone", "telephone", "tel", "telefon", "mobil", "mobiltelefon", "handy", "portable"]),
    (USER, "groups", &["role", "roles", "userrole", "group", "roll", "rolle", "groupe"]),
    (USER, "accounts", &["customerid", "customerno", "customernumber", "accountid", "accountids", "accountnumber", "companyid", "kundnr", "kundnummer", "kundennummer", "kundennr", "numeroclient", "codeclient"]),
    (USER, "status", &["isactive", "active", "enabled", "inactive", "blocked", "disabled", "aktiv", "inaktiv", "sparrad", "gesperrt", "actif", "inactif", "bloque"]),
];

static NAMES: LazyLock<HashMap<String, Vec<FieldTarget>>> = LazyLock::new(|| {
    let mut names: HashMap<String, Vec<FieldTarget>> = HashMap::new();
    // The first target of a name is the likeliest, so the order of these loops matters: own names,
    // then the list, then presets.
    let mut add = |name: &str, target: FieldTarget| {
        let targets = names.entry(folded(name)).or_default();
        if !targets.contains(&target) {
            targets.push(target);
        }
    };
    for kind in [ACCOUNT, ADDRESS, USER].map(kinds::get) {
        let mapped = |field: &&Field| {
            let inline = matches!(field.ty, FieldType::Links { inline: true, .. });
            // `protect` and secrets never come from exports, and nested addresses have columns of
            // their own.
            field.name != "protect" && !inline && !field.is_secret() && !field.lapses
        };
        for field in kind.fields.iter().filter(mapped) {
            add(field.name, (kind.id, field.name));
        }
    }
    for (kind, field, known) in FIELD_NAMES {
        known.iter().for_each(|name| add(name, (*kind, field)));
    }
    for mapping in preset::names().filter_map(|name| preset::mapping(name).ok()) {
        for section in mapping
            .sections
            .iter()
            .filter(|section| [ACCOUNT, USER].contains(&section.kind.id))
        {
            let mut cells = vec![("externalId", section.kind.id, &section.id)];
            let fields = section.fields.iter().filter_map(|field| {
                let own = section.kind.field(&field.field)?;
                Some((own.name, section.kind.id, &field.cell))
            });
            cells.extend(fields);
            for block in &section.blocks {
                cells.push(("externalId", ADDRESS, &block.id));
                let fields = block.fields.iter().filter_map(|field| {
                    let own = kinds::get(ADDRESS).field(&field.field)?;
                    Some((own.name, ADDRESS, &field.cell))
                });
                cells.extend(fields);
            }
            for (field, kind, cell) in cells {
                // A preset may use one column for several fields. The first is what the column is.
                if let Some(column) = plain_column(cell) {
                    mapping.columns[column]
                        .iter()
                        .for_each(|name| add(name, (kind, field)));
                }
            }
        }
    }
    names
});

/// Returns the column that a cell is, if it is just that.
fn plain_column(cell: &CellMapping) -> Option<usize> {
    match &cell.take {
        CellSource::Column(column) => Some(column.0),
        _ => None,
    }
}

/// Returns the fields that a column of this name may be, the likeliest first.
pub(super) fn fields_for_name(name: &str) -> &'static [FieldTarget] {
    // `billing.city` in nested JSON means `city` unless the whole name is known.
    let last = name
        .rsplit('.')
        .find(|part| !part.is_empty())
        .unwrap_or(name);
    let known = NAMES
        .get(&folded(name))
        .or_else(|| NAMES.get(&folded(last)));
    known.map_or(&[], Vec::as_slice)
}

/// Lists the first column names for a message.
pub(super) fn first_names(columns: &ExportColumns) -> String {
    const SHOWN: usize = 5;
    let names = columns.names().take(SHOWN).map(quoted);
    names.collect::<Vec<_>>().join(", ")
}

/// Removes case, accents, spaces and signs from a name.
pub(super) fn folded(name: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    // Decomposed, `é` is `e` and an accent, and the accent is not ASCII.
    let plain = name.nfd().flat_map(char::to_lowercase);
    let plain: String = plain.filter(char::is_ascii_alphanumeric).collect();
    // `ß` does not decompose.
    if name.contains('ß') {
        let spelled: String = name.replace('ß', "ss");
        return folded(&spelled);
    }
    plain
}
