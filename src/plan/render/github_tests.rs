use super::*;
use crate::diagnostic::{Diagnostic, codes};
use crate::plan::StepVerb;
use crate::plan::render::samples;

fn written(plan: &Plan, root: &str) -> String {
    let options = RenderOptions {
        root: root.into(),
        ..RenderOptions::default()
    };
    let mut out = Vec::new();
    write(plan, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn findings_and_holds_are_annotations_at_their_line() {
    assert_eq!(
        written(&samples::full(), "manifests/"),
        "\
::warning file=manifests/accounts/acme.yaml,line=4,col=3,title=vat-format::`X` is not a VAT number%0AWrite it as `DE123456789`
::warning file=manifests/users.yaml,line=9,col=5,title=held%3A guard::User.deactivate: 20 of 40 is more than the 4 that `guards.deactivate` allows at once; if this is intended, pass `--accept User.deactivate=20`%0A(and 1 more held by this rule)%0Ato approve: roster approve hold 0123456789abcdef --reason \"…\"
::notice title=visibility::3 users see more or less%0AUser/u2 gains organisation south%0AUser/u2 loses organisation north; users u7, u8 and 3 more%0Aand 2 more users
Plan: 1 to create, 1 to update, 1 to adopt, 1 to deactivate, 1 to reactivate, 1 to delete, 2 held.
"
    );
}

#[test]
fn no_value_starts_a_command_of_its_own() {
    let mut plan = samples::plan(
        Vec::new(),
        vec![samples::held(codes::CONFLICT, StepVerb::Update, "u", "h")],
    );
    plan.held[0].message = "100%\r\n::error::gone".into();
    plan.diagnostics = vec![
        Diagnostic::new(codes::REFERENCE, "a\n::set-env name=X::y").at(samples::origin(
            "a,b:c\n::error::x.yaml",
            1,
            1,
        )),
    ];
    let written = written(&plan, "");
    assert_eq!(written.lines().count(), 3);
    assert!(written.contains(r"::error file=a%2Cb%3Ac\n%3A%3Aerror%3A%3Ax.yaml,line=1,col=1,"));
    assert!(written.contains(r"::a\n::set-env"));
    assert!(written.contains("100%25"));
}
