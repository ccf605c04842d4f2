use super::CheckCase;
use crate::kinds::{ACCOUNT, ADDRESS, CUSTOM_FIELD, ORGANISATION, SETTINGS, TAG, USER};

fn shop() -> CheckCase {
    CheckCase::default().company("acme")
}

#[test]
fn a_create_names_everything_it_lacks() {
    let case = shop().bare(
        USER,
        "u-2",
        "civility=MR;firstName=F;email=e;lastName;groups=FOC_User;accounts=acme",
    );
    case.finds(&["required error User/u-2 lastName"]);
    let message = &case.run()[0].diagnostic.message;
    assert!(message.ends_with("lastName, phone"), "{message}");
    shop()
        .row(
            SETTINGS,
            "settings",
            "optionalFields=User.lastName,User.phone",
        )
        .bare(
            USER,
            "u-2",
            "civility=MR;firstName=F;email=e;groups=FOC_User;accounts=acme",
        )
        .is_fine();
}

#[test]
fn a_group_is_one_of_the_settings() {
    shop()
        .create(USER, "u-2", "accounts=acme;groups=FOC_Usr")
        .finds(&["enum error User/u-2 groups"]);
    shop()
        .create(USER, "u-2", "accounts=acme;groups=buyers")
        .create(SETTINGS, "settings", "userGroups=FOC_User,buyers")
        .is_fine();
}

#[test]
fn a_group_taken_away_is_missed_by_who_is_in_it() {
    shop()
        .create(SETTINGS, "settings", "userGroups=buyers")
        .finds(&["enum error User/acme-user groups"]);
}

#[test]
fn immutable_fields_stay() {
    let case = shop()
        .company("beta")
        .row(ORGANISATION, "n", "name=N;account=acme")
        .change(ORGANISATION, "n", "account=beta");
    case.finds(&["id-immutable error Organisation/n account"]);
    shop()
        .row(CUSTOM_FIELD, "f", "appliesTo=account;name=N;type=text")
        .change(CUSTOM_FIELD, "f", "name=M")
        .is_fine();
}

#[test]
fn a_vat_number_is_of_the_country_of_the_bills() {
    let vat = |number: &str| shop().change(ACCOUNT, "acme", &format!("vatNumber={number}"));
    vat("DE123456789").finds(&["vat-country warning Account/acme vatNumber"]);
    vat("SE556012345601").is_fine();
    let greek = shop()
        .row(
            ADDRESS,
            "a-athens",
            "fullName=F;street=S;city=C;zipCode=104 31;country=GR",
        )
        .change(
            ACCOUNT,
            "acme",
            "vatNumber=EL123456789;addresses=a-athens,acme-hq:1:0",
        );
    greek.is_fine();
}

#[test]
fn a_postal_code_is_one_of_its_country() {
    CheckCase::default()
        .create(ADDRESS, "a", "zipCode=1067;country=DE")
        .finds(&["zip-format warning Address/a zipCode"]);
    CheckCase::default()
        .create(ADDRESS, "a", "zipCode=01067;country=DE")
        .is_fine();
}

#[test]
fn customer_numbers_are_there_before_people_log_in_with_them() {
    let numbered = |mode: &str| shop().row(SETTINGS, "settings", &format!("loginMode={mode}"));
    numbered("both")
        .change(ACCOUNT, "acme", "name=M")
        .finds(&["customer-number-missing error Account/acme customerNumber"]);
    numbered("both")
        .change(ACCOUNT, "acme", "customerNumber=1")
        .is_fine();
    let switched = || {
        numbered("email")
            .company("beta")
            .change(SETTINGS, "settings", "loginMode=customer-number")
    };
    switched().finds(&["customer-number-missing error Settings/settings loginMode"]);
    let message = &switched().run()[0].diagnostic.message;
    assert!(message.contains("Account/acme, Account/beta"), "{message}");
}

#[test]
fn a_customer_number_is_given_once() {
    let mut case = shop().change(ACCOUNT, "acme", "customerNumber=7");
    case.is_fine();
    case.stored
        .customer_numbers
        .insert("7".into(), "gone".into());
    case.finds(&["customer-number-duplicate error Account/acme customerNumber"]);
    shop()
        .company("beta")
        .change(ACCOUNT, "acme", "customerNumber=7")
        .change(ACCOUNT, "beta", "customerNumber=7")
        .finds(&["customer-number-duplicate error Account/beta customerNumber"]);
}

#[test]
fn an_e_mail_is_that_of_one_active_user() {
    let twin = |status: &str| {
        shop().create(
            USER,
            "u-2",
            &format!("accounts=acme;email=ACME-user@X.example;status={status}"),
        )
    };
    twin("active").finds(&["email-duplicate error User/u-2 email"]);
    twin("inactive").is_fine();
    twin("active")
        .row(SETTINGS, "settings", "loginMode=customer-number")
        .row(ADDRESS, "x", "country=SE;zipCode=211 20")
        .finds(&["email-duplicate warning User/u-2 email"]);
}

#[test]
fn e_mails_may_be_swapped() {
    let pair = || {
        shop().row(
            USER,
            "u-2",
            "email=b@x.example;accounts=acme;groups=FOC_User",
        )
    };
    pair()
        .change(USER, "u-2", "email=acme-user@x.example")
        .change(USER, "acme-user", "email=b@x.example")
        .is_fine();
    let half = pair().change(USER, "u-2", "email=acme-user@x.example");
    half.finds(&["email-duplicate error User/u-2 email"]);
    assert_eq!(half.run()[0].involves[0].to_string(), "User/acme-user");
}

#[test]
fn an_id_that_differs_in_case_from_a_stored_one() {
    let stored = || CheckCase::default().row(TAG, "Bj\u{f6}rk", "name=N");
    stored()
        .create(TAG, "bjo\u{308}rk", "")
        .finds(&["id-case error Tag/bjo\u{308}rk externalId"]);
    stored().create(TAG, "birch", "").is_fine();
    stored()
        .create(TAG, "bj\u{f6}rk", "")
        .declare(TAG, "Bj\u{f6}rk", "name=N")
        .finds(&["id-case error Tag/bj\u{f6}rk externalId"]);
}
