//! A pass over files that are known says what a pass that reads everything says.

use crate::support::program::Place;
use std::fs;

/// Both passes say the same; returns what they say.
fn plan(place: &Place) -> String {
    let known = place.run(&["plan", "m", "--output", "json"]);
    let scrubbed = place.run(&["plan", "m", "--scrub", "--output", "json"]);
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
