use super::*;
use crate::transport::{FtpSecurity, NextPage};
use secrecy::ExposeSecret;
use serde_json::json;

fn read(mut value: Value) -> Result<ExportConfig, String> {
    let object = value.as_object_mut().unwrap();
    object.insert("preset".to_owned(), json!("djust-accounts"));
    export(&value, Path::new("/base"))
}

fn place(value: Value) -> ExportLocation {
    read(value).unwrap().place.expect("a place")
}

#[test]
fn every_place_is_read_and_shown() {
    let auth = json!({"username": "eva", "password": "hunter22"});
    for (value, shown) in [
        (
            json!({"file": "in/c-*.csv", "done": ".ok"}),
            "/base/in/c-*.csv",
        ),
        (json!({"drop": "in"}), "/base/in/*"),
        (
            json!({"drop": {"folder": "/in", "pattern": "c-*.csv"}}),
            "/in/c-*.csv",
        ),
        (
            json!({"url": "https://erp.example/c.csv?key=hunter22"}),
            "https://erp.example/c.csv",
        ),
        (
            json!({"sftp": "sftp://eva@erp.example:2222/out/c.csv"}),
            "sftp://eva@erp.example:2222/out/c.csv",
        ),
        (
            json!({"s3": "s3://exports/erp/all customers.csv", "region": "eu-north-1"}),
            "https://exports.s3.eu-north-1.amazonaws.com/erp/all%20customers.csv",
        ),
        (
            json!({"s3": "s3://our.exports/c.csv", "region": "eu-north-1"}),
            "https://s3.eu-north-1.amazonaws.com/our.exports/c.csv",
        ),
        (json!({"sftp": "erp:out/c.csv"}), "sftp://erp/~/out/c.csv"),
        (
            json!({"sftp": "sftp://[::1]:22/~/c.csv"}),
            "sftp://[::1]:22/~/c.csv",
        ),
        (
            json!({"ftp": "ftp://erp.example/out/c.csv"}),
            "ftp://anonymous@erp.example/out/c.csv",
        ),
        (
            json!({"ftp": "ftp://erp.example//out/c.csv"}),
            "ftp://anonymous@erp.example//out/c.csv",
        ),
        (
            json!({"ftp": "ftps://erp.example/c.csv", "auth": auth}),
            "ftps://eva@erp.example/c.csv",
        ),
    ] {
        assert_eq!(place(value.clone()).to_string(), shown, "{value}");
    }
}

#[test]
fn it_is_read_as_a_preset_or_a_mapping_says() {
    let export = |value: Value| export(&value, Path::new("/base"));
    let shape = |value| export(value).unwrap().shape;
    assert_eq!(
        shape(json!({"file": "c.csv", "preset": "sap-kna1-csv"})),
        MappingReference::Preset("sap-kna1-csv".to_owned())
    );
    assert_eq!(
        shape(json!({"file": "c.csv", "mapping": "m.yaml"})),
        MappingReference::Mapping("m.yaml".to_owned())
    );
    for wrong in [
        json!({"file": "c.csv"}),
        json!({"file": "c.csv", "preset": "a", "mapping": "b"}),
    ] {
        let said = export(wrong).unwrap_err();
        assert!(said.contains("one of `preset` and `mapping`"), "{said}");
    }
}

#[test]
fn every_form_of_auth_is_read() {
    let auth = |auth: Value| match place(json!({"url": "https://e/c", "auth": auth})).kind {
        LocationKind::Http(http) => http.auth,
        way => panic!("{way:?}"),
    };
    for token in [json!("hunter22"), json!({"token": "hunter22"})] {
        assert!(matches!(auth(token), HttpAuth::Bearer(it) if it.expose_secret() == "hunter22"));
    }
    let basic = auth(json!({"username": "eva", "password": "hunter22"}));
    assert!(matches!(basic, HttpAuth::Basic { username, .. } if username == "eva"));
    let grant = auth(json!({
        "clientId": "roster", "clientSecret": "hunter22", "tokenUrl": "https://login/token", "scope": "read",
    }));
    assert!(
        matches!(grant, HttpAuth::ClientCredentials(it) if it.scope.as_deref() == Some("read"))
    );
    let key = json!({"sftp": "erp:c.csv", "auth": {"sshKey": "id", "knownHosts": "/hosts"}});
    let LocationKind::Sftp(sftp) = place(key).kind else {
        panic!("no sftp")
    };
    assert_eq!(sftp.key.unwrap().key, Path::new("/base/id"));
}

#[test]
fn pages_limits_and_times_are_read() {
    let next = |next: Value| match place(json!({"url": "https://e/c", "next": next})).kind {
        LocationKind::Http(http) => http.next,
        way => panic!("{way:?}"),
    };
    assert_eq!(next(json!("link")), Some(NextPage::Header));
    assert_eq!(
        next(json!({"link": "@odata.nextLink"})),
        Some(NextPage::Link("@odata.nextLink".to_owned()))
    );
    assert!(matches!(
        next(json!({"cursor": "meta.next", "parameter": "cursor"})),
        Some(NextPage::Cursor { .. })
    ));
    for (limit, bytes) in [
        (json!("500MB"), 500_000_000),
        (json!("2GiB"), 2 << 30),
        (json!(7), 7),
    ] {
        assert_eq!(place(json!({"file": "c", "limit": limit})).limit, bytes);
    }
    let late = place(json!({"file": "c", "timeout": "15m"}));
    assert_eq!(late.timeout, Duration::from_mins(15));
}

#[test]
fn plain_ftp_has_to_be_asked_for() {
    let security = |value: Value| match place(value).kind {
        LocationKind::Ftp(ftp) => (ftp.security, ftp.port),
        way => panic!("{way:?}"),
    };
    assert_eq!(
        security(json!({"ftp": "ftp://e/c"})),
        (FtpSecurity::Explicit, 21)
    );
    assert_eq!(
        security(json!({"ftp": "ftps://e/c"})),
        (FtpSecurity::Implicit, 990)
    );
    assert_eq!(
        security(json!({"ftp": "ftp://e/c", "plain": true})),
        (FtpSecurity::Plain, 21)
    );
    assert!(read(json!({"ftp": "ftps://e/c", "plain": true})).is_err());
}

#[test]
fn what_is_wrong_is_said_without_the_secret() {
    let url = "https://erp.example/c.csv";
    for wrong in [
        json!({}),
        json!({"url": url, "file": "c.csv"}),
        json!({"url": "https://eva:hunter22@erp.example/c.csv"}),
        json!({"url": "gopher://hunter22"}),
        json!({"url": url, "auth": {"tokn": "hunter22"}}),
        json!({"url": url, "auth": {"token": "hunter22", "password": "hunter22"}}),
        json!({"url": url, "auth": ["hunter22"]}),
        json!({"url": url, "auth": {"sshKey": "hunter22"}}),
        json!({"url": url, "auth": "hunter22\nX-Evil: 1"}),
        json!({"url": url, "auth": "${ROSTER_NOT_SET_HERE}"}),
        json!({"url": url, "headers": {"Authorization": "hunter22"}}),
        json!({"url": url, "headers": {"X Y": "hunter22"}}),
        json!({"url": url, "headers": {"X-Key": "hunter22\r\nX-Evil: 1"}}),
        json!({"url": url, "next": "hunter22"}),
        json!({"url": url, "items": "value"}),
        json!({"url": url, "done": ".done"}),
        json!({"url": url, "plain": true}),
        json!({"url": url, "limit": "much"}),
        json!({"url": url, "limit": 0}),
        json!({"url": url, "timeout": "0s"}),
        json!({"file": "c.csv", "done": "../x"}),
        json!({"file": "c.csv", "auth": "hunter22"}),
        json!({"drop": {"folder": "in", "pattern": "../*"}}),
        json!({"drop": {"folder": "in", "patern": "*"}}),
        json!({"sftp": "sftp://eva:hunter22@erp/c.csv"}),
        json!({"sftp": "-oProxyCommand=hunter22:c.csv"}),
        json!({"sftp": "erp:out/"}),
        json!({"sftp": "erp:c.csv", "auth": "hunter22"}),
        json!({"ftp": "ftp://eva@erp/c.csv"}),
        json!({"s3": "s3://exports/c.csv", "auth": {"accessKeyId": "hunter22"}}),
        json!({"s3": "s3://exports/../c.csv", "region": "eu-north-1"}),
        json!({"s3": "s3://exp@rts/c.csv", "region": "eu-north-1"}),
        json!({"ftp": "ftp://eva:hunter22@erp/c.csv"}),
    ] {
        let said = read(wrong.clone()).unwrap_err();
        assert!(!said.contains("hunter22"), "{wrong}: {said}");
    }
}

#[test]
fn credentials_that_others_can_read_are_known() {
    for (value, told) in [
        (
            json!({"url": "http://erp.example/c", "auth": "hunter22"}),
            true,
        ),
        (
            json!({"url": "http://erp.example/c", "headers": {"X-Key": "hunter22"}}),
            true,
        ),
        (json!({"url": "http://erp.example/c"}), false),
        (
            json!({"url": "https://erp.example/c", "auth": "hunter22"}),
            false,
        ),
        (
            json!({"url": "http://127.0.0.1/c", "auth": "hunter22"}),
            false,
        ),
    ] {
        assert_eq!(readable(&place(value.clone())).is_some(), told, "{value}");
    }
}
