//! The forms that propose manifests, as a browser fills them in.

use super::browser::log_in;
use super::chrome::Chrome;
use super::site::Site;
use crate::support::git_remote::run as git;
use crate::support::workspace::is_installed;
use serde_json::{Value, json};

/// A site whose manifests are in a repository.
fn site() -> Site {
    let site = Site::start();
    site.ws.write(
        "manifests/fields.yaml",
        "customFields:\n  - {externalId: class, appliesTo: account, name: Credit class, type: list, options: [A, B]}\n  \
         - {externalId: limit, appliesTo: account, name: Credit limit, type: number}\n",
    );
    site.until(
        "/resources?kind=CustomField",
        &site.login("ada"),
        "Credit limit",
    );
    let here = site.ws.path("manifests");
    git(&here, &["init", "--quiet", "--initial-branch=main"]);
    git(&here, &["add", "."]);
    git(&here, &["commit", "--quiet", "-m", "first"]);
    site
}

fn fill(chrome: &Chrome, fields: &[(&str, &str)]) {
    for (name, value) in fields {
        chrome.fill(&format!("[name='{name}']"), value);
    }
}

fn choose(chrome: &Chrome, name: &str, word: &str) {
    chrome.click(&format!("[name='{name}'] option[value='{word}']"));
}

/// Creates an account with its first address and user, and commits it to a branch.
fn creates_an_account(chrome: &Chrome, site: &Site, id: &str) {
    log_in(chrome, site);
    chrome.go(&format!("{}/resources", site.base));
    chrome.click("a[href='/propose?form=account']");
    chrome.shows("h1", "Create an account");
    fill(
        chrome,
        &[
            ("Account.externalId", id),
            ("Account.name", "Hôtel du Marais"),
            ("Account.companyRegistrationName", "Hôtel du Marais SARL"),
            ("Account.businessRegistrationNumber", "00345"),
            ("Address.externalId", &format!("{id}-d")),
            ("Address.fullName", "Hôtel du Marais"),
            ("Address.street", "8 rue des Écouffes"),
            ("Address.city", "Paris"),
            ("Address.zipCode", "75004"),
            ("Address.country", "FRA"),
            ("User.externalId", &format!("{id}-u")),
            ("User.firstName", "Luc"),
            ("User.lastName", "Petit"),
            ("User.email", &format!("luc@{id}.example")),
            ("User.phone", "+33142345678"),
            ("User.groups", "FOC_User, FOC_Admin"),
        ],
    );
    choose(chrome, "User.civility", "MR");
    choose(chrome, "User.accounts.level", "administrator");
    choose(chrome, "Account.addresses.shipping", "false");
    chrome.click("fieldset summary");
    choose(chrome, "Account.customFields.class", "B");
    fill(chrome, &[("Account.customFields.limit", "1500")]);
    chrome.click("button[value=preview]");
    // The rules speak, and nothing that was filled in is lost.
    chrome.shows("#preview", "FRA is not a country code");
    chrome.script("document.querySelector(\"[name='Address.country']\").value = ''");
    assert_filled(chrome, "User.email", &format!("luc@{id}.example"));
    fill(chrome, &[("Address.country", "FR")]);
}

fn assert_filled(chrome: &Chrome, name: &str, value: &str) {
    let script = format!("return document.querySelector(\"[name='{name}']\").value");
    assert_eq!(chrome.script(&script), value);
}

fn commits(chrome: &Chrome, site: &Site, id: &str) {
    chrome.click("button[value=preview]");
    chrome.shows("#preview", "3 to create");
    for words in [
        "+businessRegistrationNumber: \"00345\"",
        "class: [B]",
        "limit: 1500",
        "shipping: false",
    ] {
        chrome.shows("#preview", words);
    }
    fill(chrome, &[("reason", "a new hotel")]);
    chrome.click("button[value=branch]");
    chrome.shows("h1", "Proposed");
    chrome.shows(".done", &format!("roster/account-{id}"));
    let here = site.ws.path("manifests");
    let shown = git(
        &here,
        &[
            "log",
            "-1",
            "--format=%an %s",
            &format!("roster/account-{id}"),
        ],
    );
    assert_eq!(shown, "ada a new hotel");
    assert_eq!(git(&here, &["branch", "--show-current"]), "main");
}

#[test]
fn an_account_with_its_first_address_and_user_is_created_in_a_form() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = site();
    creates_an_account(&chrome, &site, "marais");
    commits(&chrome, &site, "marais");
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

#[test]
fn the_form_works_without_scripts_and_rows_are_pasted() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = site();
    chrome.cdp(
        "Emulation.setScriptExecutionDisabled",
        &json!({"value": true}),
    );
    log_in(&chrome, &site);
    chrome.go(&format!("{}/resources/Account/acme", site.base));
    chrome.click("a[href='/propose?form=user&account=acme']");
    chrome.shows("h1", "Add a user");
    fill(
        &chrome,
        &[
            ("User.externalId", "nina"),
            ("User.firstName", "Nina"),
            ("User.lastName", "Ek"),
            ("User.email", "nina@acme.example"),
            ("User.phone", "+46702"),
            ("User.groups", "FOC_User"),
        ],
    );
    choose(&chrome, "User.civility", "MRS");
    chrome.click("button[value=preview]");
    chrome.shows("#preview", "+ create  User/nina");
    chrome.click("button[value=branch]");
    chrome.shows(".done", "roster/user-nina");

    chrome.go(&format!("{}/propose?form=export", site.base));
    choose(&chrome, "mapping", "preset:djust-users");
    fill(&chrome, &[("rows", ROWS)]);
    chrome.click("button[value=preview]");
    chrome.shows("#preview", "+ create  User/pia");
    // A preview keeps the rows.
    chrome.click("button[value=branch]");
    chrome.shows(".done", "roster/upload");
}

const ROWS: &str = "User External Id,Civility,First Name,Last Name,Email,Phone,Groups,Account Ids\npia,MRS,Pia,Ek,pia@acme.example,+46703,FOC_User,acme\n";

#[test]
fn a_file_is_uploaded_and_its_patch_is_downloaded() {
    let Some(chrome) = Chrome::start() else {
        return;
    };
    let site = site();
    // As a spreadsheet of Western Europe saves it.
    let rows = ROWS.replace("Ek", "Åslund");
    let latin: Vec<u8> = rows
        .chars()
        .map(|c| u8::try_from(u32::from(c)).expect("latin"))
        .collect();
    site.ws.write("users.csv", latin);
    log_in(&chrome, &site);
    chrome.go(&format!("{}/propose?form=export", site.base));
    choose(&chrome, "mapping", "preset:djust-users");
    let path = site.ws.path("users.csv");
    chrome.fill("#file", &path.to_string_lossy());
    chrome.click("button[value=preview]:not([disabled])");
    chrome.shows("#preview", "+ create  User/pia");
    chrome.shows("#preview", "+lastName: Åslund");
    chrome.shows("#upload", "users.csv");
    chrome.click("button[value=branch]");
    chrome.shows(".done", "roster/upload");
    assert_eq!(chrome.errors(), Vec::<Value>::new());
}

/// The form is for those who may propose, and the patch is a file.
#[test]
fn a_patch_is_a_file_and_viewers_see_no_form() {
    if !is_installed("git", true) {
        return;
    }
    let site = site();
    let vera = site.login("vera");
    assert_eq!(site.get("/propose?form=user", &vera).status, 403);
    assert!(!site.get("/resources", &vera).text.contains("/propose"));
    let ada = site.login("ada");
    assert_eq!(site.get("/propose?form=nothing", &ada).status, 404);
    let form = site.get("/propose?form=user&account=acme", &ada);
    let csrf = form.csrf();
    let fields = [
        ("csrf", &*csrf),
        ("form", "user"),
        ("source", "customers"),
        ("do", "patch"),
        ("User.externalId", "nina"),
        ("User.civility", "MRS"),
        ("User.firstName", "Nina"),
        ("User.lastName", "Ek <b>"),
        ("User.email", "nina@acme.example"),
        ("User.phone", "+46702"),
        ("User.groups", "FOC_User"),
        ("User.accounts", "acme"),
    ];
    let patch = site.post("/propose", &ada, &fields);
    assert_eq!(patch.status, 200, "{}", patch.text);
    assert!(patch.text.starts_with("diff --git a/"), "{}", patch.text);
    site.ws.write("nina.patch", &patch.text);
    git(
        &site.ws.path("manifests"),
        &["apply", "--check", "../nina.patch"],
    );
    let mut other = fields.to_vec();
    other[3] = ("do", "preview");
    let preview = site.post("/propose", &ada, &other);
    assert!(preview.text.contains("Ek &lt;b&gt;"), "{}", preview.text);
    assert!(!preview.text.contains("Ek <b>"), "{}", preview.text);
}
