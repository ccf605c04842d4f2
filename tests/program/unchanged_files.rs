//! A pass over files that are known says what a pass that reads everything says.

use crate::support::program::Place;
use std::fs;

/// Both passes say the same; returns what they say.
fn plan(place: &Place) -> String {
    plan_of(place, &["m"])
}

fn plan_of(place: &Place, of: &[&str]) -> String {
    let run = |more: &[&str]| place.run(&[&["plan", "--output", "json"], of, more].concat());
    let (known, scrubbed) = (run(&[]), run(&["--scrub"]));
    assert_eq!((&known.out, known.code), (&scrubbed.out, scrubbed.code));
    known.out
}

#[test]
fn known_files_and_a_full_pass_say_the_same() {
    for (engine, database) in crate::support::postgres::databases("known") {
        let place = Place::new(&database);
        place.example("company", "m");
        place.ok(&["apply", "m", "--yes"]);
        let logged = place.run(&["plan", "m", "-v"]).err;
        assert!(logged.contains("nothing changed"), "{engine}: {logged}");
        assert!(!logged.contains('\u{1b}'), "{engine}: {logged}");
        assert!(
            plan(&place).contains("\"unchanged\":61,\"unclaimed\":0"),
            "{engine}"
        );

        place.foreign("INSERT INTO tags (external_id, name) VALUES ('by-hand', 'By hand')");
        assert!(plan(&place).contains("\"unclaimed\":1"), "{engine}");

        place.foreign("UPDATE users SET phone = '+4699' WHERE external_id = 'tv-1001'");
        assert!(plan(&place).contains("\"reason\":\"drift\""), "{engine}");
        place.ok(&["apply", "m", "--yes"]);

        let tags = fs::read_to_string(place.path("m/tags.yaml")).unwrap();
        fs::write(
            place.path("m/tags.yaml"),
            tags.replacen("name: ", "name: New ", 1),
        )
        .unwrap();
        assert!(plan(&place).contains("\"update\":1"), "{engine}");
        fs::write(place.path("m/tags.yaml"), tags).unwrap();
        assert!(plan(&place).contains("\"update\":0"), "{engine}");

        let terms = fs::read_dir(place.path("m/terms"))
            .unwrap()
            .next()
            .unwrap()
            .unwrap()
            .path();
        let text = fs::read_to_string(&terms).unwrap();
        fs::write(&terms, format!("{text}One more line.\n")).unwrap();
        assert!(
            plan(&place).contains("\"update\":1"),
            "{engine}: a new content of the terms"
        );
        fs::write(&terms, text).unwrap();

        fs::write(
            place.path("m/more.yaml"),
            "tags: [{externalId: more, name: More}]\n",
        )
        .unwrap();
        assert!(plan(&place).contains("\"create\":1"), "{engine}");
        fs::remove_file(place.path("m/more.yaml")).unwrap();

        place.foreign("DELETE FROM policies WHERE external_id = 'ts-verkko'");
        assert!(plan(&place).contains("\"reactivation\""), "{engine}");
    }
}

/// What was written outside a whole apply is taken back when the files go back, although the files are
/// then what they were when the source was last applied whole.
#[test]
fn files_that_go_back_after_a_partial_apply_are_read_again() {
    let before =
        "tags: [{externalId: a, name: A}, {externalId: b, name: B}, {externalId: d, name: D}]\n";
    let after =
        "tags: [{externalId: a, name: AA}, {externalId: c, name: C}, {externalId: d, name: D}]\n";
    let changed = before.replace("name: A}", "name: AA}");
    for (engine, database) in crate::support::postgres::databases("partial") {
        let place = Place::new(&database);
        let write = |text: &str| fs::write(place.path("m/tags.yaml"), text).unwrap();
        place.write(
            "roster.yaml",
            "apiVersion: roster/v1\nsources: [{name: m, directory: m}]\n",
        );
        fs::create_dir(place.path("m")).unwrap();
        write(before);
        place.write("m/other.yaml", "tags: [{externalId: o, name: O}]\n");
        place.ok(&["apply", "--yes"]);

        let ways: [&[&[&str]]; 3] = [
            &[&["plan", "--out", "p.json"], &["apply", "p.json"]],
            &[&["apply", "--yes", "--target", "Tag/a"]],
            &[&["apply", "m/tags.yaml", "--yes"]],
        ];
        for (way, text) in ways
            .into_iter()
            .flat_map(|way| [(way, &*changed), (way, after)])
        {
            write(text);
            for (args, last) in way.iter().zip(1..) {
                let ran = place.run(args);
                assert!(
                    ran.code == Some(0) || (ran.code == Some(2) && last < way.len()),
                    "{engine} {args:?}: {}{}",
                    ran.out,
                    ran.err
                );
            }
            write(before);
            let back = plan_of(&place, &[]);
            assert!(
                !back.contains("\"steps\": []"),
                "{engine} {way:?} {text}: {back}"
            );
            place.ok(&["apply", "--yes"]);
            let again = plan_of(&place, &[]);
            assert!(again.contains("\"steps\": []"), "{engine} {way:?}: {again}");
        }
    }
}
