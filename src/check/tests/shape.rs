use super::CheckCase;
use crate::kinds::{ACCOUNT, ADDRESS, ORGANISATION, POLICY, SETTINGS, USER};

fn shop() -> CheckCase {
    CheckCase::default().company("acme")
}

fn two() -> CheckCase {
    shop().company("beta")
}

fn new_account() -> CheckCase {
    CheckCase::default().create(ADDRESS, "hq", "")
}

#[test]
fn a_new_account_has_an_active_user() {
    let alone = || new_account().create(ACCOUNT, "acme", "addresses=hq");
    alone().finds(&["account-without-user error Account/acme -"]);
    alone()
        .create(USER, "u-1", "accounts=acme;status=inactive")
        .finds(&["account-without-user error Account/acme -"]);
    alone().create(USER, "u-1", "accounts=acme").is_fine();
    alone()
        .row(USER, "u-1", "email=e;accounts=")
        .change(USER, "u-1", "accounts=acme")
        .is_fine();
    alone()
        .create(SETTINGS, "settings", "firstUser=warn")
        .finds(&["account-without-user warning Account/acme -"]);
    alone()
        .create(SETTINGS, "settings", "firstUser=off")
        .is_fine();
    new_account()
        .create(ACCOUNT, "acme", "addresses=hq;status=inactive")
        .is_fine();
}

#[test]
fn an_account_whose_user_is_held_depends_on_the_user() {
    let case = new_account()
        .create(ACCOUNT, "acme", "addresses=hq")
        .declare(USER, "u-1", "accounts=acme");
    let found = case.run();
    assert_eq!(found[0].involves[0].to_string(), "User/u-1");
}

#[test]
fn an_account_keeps_an_address() {
    CheckCase::default()
        .create(ACCOUNT, "acme", "")
        .create(USER, "u-1", "accounts=acme")
        .finds(&["account-without-address error Account/acme addresses"]);
    let case = shop().change(ACCOUNT, "acme", "addresses=");
    case.finds(&["account-without-address error Account/acme addresses"]);
    case.finds_nothing_before();
}

#[test]
fn a_user_has_an_account() {
    let alone = || CheckCase::default().create(USER, "u-1", "");
    alone().finds(&["user-without-account error User/u-1 accounts"]);
    alone()
        .create(SETTINGS, "settings", "optionalFields=User.accounts")
        .is_fine();
}

#[test]
fn who_is_to_be_told_by_mail_has_an_address() {
    let told = "notify-no-email warning User/u-1 notify";
    let optional = || shop().row(SETTINGS, "settings", "optionalFields=User.email");
    let bare = |case: CheckCase, more: &str| {
        let user = "civility=MR;firstName=F;lastName=L;phone=1;groups=FOC_User;accounts=acme";
        case.bare(USER, "u-1", &format!("{user};{more}"))
    };
    bare(optional(), "notify=true").finds(&[told]);
    bare(optional(), "notify=false").is_fine();
    bare(optional(), "notify=true;email=a@x.example").is_fine();
    bare(optional(), "notify=true;status=inactive").is_fine();
    // The missing address is one mistake.
    bare(shop(), "notify=true").finds(&["required error User/u-1 email"]);
    // A stored user, of whom nothing says an address.
    shop()
        .row(USER, "u-1", "accounts=acme")
        .change(USER, "u-1", "notify=true")
        .finds(&[told]);
    let gone = optional()
        .row(USER, "u-1", "email=a@x.example;notify=true;accounts=acme")
        .change(USER, "u-1", "email");
    gone.finds(&[told]);
    gone.finds_nothing_before();
}

#[test]
fn the_last_user_stays() {
    let goes = || shop().change(USER, "acme-user", "status=inactive");
    let case = goes();
    case.finds(&["last-user error User/acme-user status"]);
    case.finds_nothing_before();
    goes().create(USER, "u-2", "accounts=acme").is_fine();
    shop()
        .delete(USER, "acme-user")
        .finds(&["last-user error User/acme-user status"]);
    two()
        .change(USER, "acme-user", "accounts=beta")
        .finds(&["last-user error User/acme-user accounts"]);
    goes()
        .row(SETTINGS, "settings", "firstUser=warn")
        .finds(&["last-user warning User/acme-user status"]);
    goes().row(SETTINGS, "settings", "firstUser=off").is_fine();
    goes().change(ACCOUNT, "acme", "status=inactive").is_fine();
}

#[test]
fn the_last_administrator_is_missed() {
    let with_admin = || shop().row(USER, "u-1", "email=e;accounts=acme:1");
    let demoted = || with_admin().change(USER, "u-1", "accounts=acme:0");
    demoted().finds(&["last-administrator warning User/u-1 accounts"]);
    demoted().finds_nothing_before();
    demoted().create(USER, "u-2", "accounts=acme:1").is_fine();
    with_admin()
        .change(USER, "u-1", "status=inactive")
        .finds(&["last-administrator warning User/u-1 status"]);
}

#[test]
fn organisations_are_of_the_users_accounts() {
    let tree = || {
        two()
            .row(ORGANISATION, "a-sales", "name=N;account=acme")
            .row(ORGANISATION, "b-sales", "name=N;account=beta")
    };
    tree()
        .create(USER, "u-2", "accounts=acme;organisations=b-sales")
        .finds(&["organisation-account error User/u-2 organisations"]);
    tree()
        .create(USER, "u-2", "accounts=acme;organisations=a-sales")
        .is_fine();
    tree()
        .create(ORGANISATION, "x", "account=acme;parent=b-sales")
        .finds(&["organisation-account error Organisation/x parent"]);
}

#[test]
fn leaving_an_account_leaves_its_organisations() {
    let member = || {
        two()
            .row(ORGANISATION, "a-sales", "name=N;account=acme")
            .row(
                USER,
                "u-2",
                "email=e;accounts=acme,beta;organisations=a-sales",
            )
    };
    member()
        .change(USER, "u-2", "accounts=beta")
        .finds(&["organisation-account error User/u-2 organisations"]);
    member()
        .change(USER, "u-2", "accounts=beta;organisations=")
        .is_fine();
}

#[test]
fn the_main_organisation_is_one_of_them() {
    let tree = || {
        shop().row(ORGANISATION, "n", "name=N;account=acme").row(
            ORGANISATION,
            "s",
            "name=N;account=acme",
        )
    };
    let user = |text: &str| tree().create(USER, "u-2", &format!("accounts=acme;{text}"));
    user("organisations=n;mainOrganisation=s")
        .finds(&["main-organisation error User/u-2 mainOrganisation"]);
    user("organisations=n,s").finds(&["main-organisation warning User/u-2 mainOrganisation"]);
    user("organisations=n,s;mainOrganisation=s").is_fine();
    user("organisations=n").is_fine();
}

#[test]
fn a_circle_is_one_finding_and_printed() {
    let case = shop()
        .create(ORGANISATION, "b", "account=acme;parent=c")
        .create(ORGANISATION, "c", "account=acme;parent=a")
        .create(ORGANISATION, "a", "account=acme;parent=b")
        .create(ORGANISATION, "below", "account=acme;parent=a");
    case.finds(&["organisation-cycle error Organisation/a parent"]);
    let message = &case.run()[0].diagnostic.message;
    assert!(message.ends_with("a > b > c > a"), "{message}");
    shop()
        .create(ORGANISATION, "a", "account=acme;parent=a")
        .finds(&["organisation-cycle error Organisation/a parent"]);
}

#[test]
fn the_tree_is_not_too_deep() {
    let tree = || {
        shop().row(ORGANISATION, "a", "name=N;account=acme").row(
            ORGANISATION,
            "b",
            "name=N;account=acme;parent=a",
        )
    };
    let deep = || tree().create(ORGANISATION, "c", "account=acme;parent=b");
    deep().finds(&["organisation-depth error Organisation/c parent"]);
    let message = &deep().run()[0].diagnostic.message;
    assert!(message.ends_with("a > b > c"), "{message}");
    deep()
        .create(SETTINGS, "settings", "organisationDepth=3")
        .is_fine();
    tree()
        .create(ORGANISATION, "c", "account=acme;parent=a")
        .is_fine();
}

#[test]
fn whatever_hangs_below_moves_too() {
    shop()
        .row(SETTINGS, "settings", "organisationDepth=3")
        .row(ORGANISATION, "top", "name=N;account=acme")
        .row(ORGANISATION, "a", "name=N;account=acme")
        .row(ORGANISATION, "b", "name=N;account=acme;parent=a")
        .row(ORGANISATION, "c", "name=N;account=acme;parent=b")
        .change(ORGANISATION, "a", "parent=top")
        .finds(&["organisation-depth error Organisation/c parent"]);
}

#[test]
fn an_address_is_for_something() {
    shop()
        .change(ACCOUNT, "acme", "addresses=acme-hq:0:0")
        .finds(&["address-no-use error Account/acme addresses"]);
    shop()
        .change(ACCOUNT, "acme", "addresses=acme-hq:0:1")
        .is_fine();
}

#[test]
fn a_stored_address_is_linked_in_full() {
    let linked = |address: &str| {
        let mut case = two()
            .declare(ACCOUNT, "beta", "addresses=acme-hq,beta-hq")
            .declare(ADDRESS, "acme-hq", address);
        case = case.change(ACCOUNT, "beta", "addresses=acme-hq,beta-hq");
        case
    };
    linked("").finds(&["address-link-incomplete error Account/beta addresses"]);
    linked("city=C").finds(&["address-link-incomplete error Account/beta addresses"]);
    linked("fullName=F;street=S;city=C;zipCode=211 20;country=SE").is_fine();
    two()
        .declare(ACCOUNT, "beta", "addresses=acme-hq,beta-hq")
        .change(ACCOUNT, "beta", "addresses=acme-hq,beta-hq")
        .is_fine();
}

#[test]
fn an_address_of_others_is_changed_and_linked_at_once() {
    let case = two().change(ADDRESS, "acme-hq", "street=Elsewhere").change(
        ACCOUNT,
        "beta",
        "addresses=acme-hq,beta-hq",
    );
    case.finds(&["address-link-and-update warning Address/acme-hq street"]);
    assert!(case.run()[0].diagnostic.message.contains("Account/acme"));
    case.finds_nothing_before();
    two()
        .change(ADDRESS, "acme-hq", "street=Elsewhere")
        .is_fine();
}

const LEGAL: &str = "legalUser.firstName=A;legalUser.lastName=B;legalUser.birthday=1979-05-02;\
                     legalUser.nationality=SE;legalUser.countryOfResidence=SE";

#[test]
fn a_legal_user_is_whole_and_needed() {
    shop()
        .change(ACCOUNT, "acme", LEGAL)
        .finds(&["legal-user error Account/acme legalUser.firstName"]);
    let paid = || shop().row(SETTINGS, "settings", "paymentProvider=true");
    paid().change(ACCOUNT, "acme", LEGAL).is_fine();
    paid()
        .change(ACCOUNT, "acme", "legalUser.lastName=B")
        .finds(&["legal-user error Account/acme legalUser.lastName"]);
}

#[test]
fn a_policy_is_about_its_account() {
    let policy = |text: &str| two().create(POLICY, "p", &format!("account=acme;{text}"));
    policy("reviewed=beta-user;approvers=acme-user")
        .finds(&["policy-foreign-user error Policy/p reviewed"]);
    policy("reviewed=acme-user;approvers=beta-user")
        .finds(&["policy-foreign-user error Policy/p approvers"]);
    policy("reviewed=acme-user;approvers=acme-user").finds(&[
        "policy-approvers warning Policy/p approvers",
        "policy-self warning Policy/p approvers",
    ]);
}

fn with_policy() -> CheckCase {
    shop()
        .row(USER, "u-2", "email=e;accounts=acme")
        .row(USER, "u-3", "email=f;accounts=acme")
        .row(
            POLICY,
            "p",
            "name=N;account=acme;reviewed=acme-user;approvers=u-2",
        )
}

#[test]
fn leaving_an_account_leaves_its_policies() {
    with_policy()
        .company("beta")
        .change(USER, "u-2", "accounts=beta")
        .finds(&["policy-foreign-user error Policy/p approvers"]);
}

#[test]
fn a_policy_has_one_or_two_approvers() {
    with_policy()
        .row(USER, "u-4", "email=g;accounts=acme")
        .change(POLICY, "p", "approvers=u-2,u-3,u-4")
        .finds(&["policy-approvers error Policy/p approvers"]);
    with_policy()
        .change(POLICY, "p", "approvers=u-2,u-3")
        .is_fine();
}

#[test]
fn the_last_active_approver_stays() {
    let gone = || with_policy().change(USER, "u-2", "status=inactive");
    gone().finds(&[
        "reference-inactive warning User/u-2 status",
        "policy-approvers error Policy/p approvers",
    ]);
    gone().finds_nothing_before();
    gone().change(POLICY, "p", "approvers=u-3").is_fine();
}

#[test]
fn approvers_that_were_inactive_before_are_a_warning() {
    shop()
        .row(USER, "u-2", "email=e;accounts=acme;status=inactive")
        .row(
            POLICY,
            "p",
            "name=N;account=acme;reviewed=acme-user;approvers=u-2",
        )
        .change(POLICY, "p", "name=M")
        .finds(&[
            "reference-inactive warning Policy/p approvers",
            "policy-approvers warning Policy/p approvers",
        ]);
}
