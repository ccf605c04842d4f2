//! A scrub finds what somebody changed without a trace, and reads only what declares it.

use crate::support::program::Place;

/// A write as of somebody who switches the triggers' guard.
fn hidden(place: &Place, engine: &str, sql: &str) {
    place.foreign(&if engine == "postgres" {
        format!("SET roster.writing = 'on'; {sql}")
    } else {
        format!("INSERT INTO writing (id) VALUES (1); {sql}; DELETE FROM writing")
    });
}

#[test]
fn a_hidden_write_is_found_and_undone_without_reading_the_rest() {
    for (engine, database) in crate::support::postgres::databases("scrub") {
        let place = Place::new(&database);
        place.example("company", "m");
        place.ok(&["apply", "m", "--yes"]);
        let clean = place.run(&["plan", "m", "--scrub", "-v", "--detailed-exitcode"]);
        let compared = "compared 61 stored resources with what was applied";
        assert!(
            clean.code == Some(0) && clean.err.contains(&format!("{compared}; 0 changed")),
            "{engine}: {}{}",
            clean.out,
            clean.err
        );
        assert!(
            !clean.err.contains("reading everything"),
            "{engine}: {}",
            clean.err
        );

        // What is written, what takes it back, and what the plan shows.
        let writes = [
            [
                "UPDATE users SET phone = '+4699' WHERE external_id = 'tv-1001'",
                "UPDATE users SET phone = '+46701740611' WHERE external_id = 'tv-1001'",
                "phone",
            ],
            [
                "UPDATE user_accounts SET level = 'administrator' WHERE user_id = 'tb-2003'",
                "UPDATE user_accounts SET level = 'user' WHERE user_id = 'tb-2003'",
                "User/tb-2003 is no longer administrator",
            ],
            [
                "INSERT INTO user_groups (user_id, value) VALUES ('tb-2003', 'FOC_Admin')",
                "DELETE FROM user_groups WHERE user_id = 'tb-2003' AND value = 'FOC_Admin'",
                "groups: - FOC_Admin",
            ],
            [
                "UPDATE accounts SET custom_fields = '{}' WHERE external_id = 'tallvik-norge'",
                "UPDATE accounts SET custom_fields = '{\"credit-class\":[\"B\"]}' WHERE external_id = 'tallvik-norge'",
                "customFields.credit-class",
            ],
            [
                "UPDATE users SET status = 'inactive' WHERE external_id = 'tb-2003'",
                "UPDATE users SET status = 'active' WHERE external_id = 'tb-2003'",
                "reactivation",
            ],
            [
                "DELETE FROM user_groups WHERE user_id = 'tv-1001'",
                "INSERT INTO user_groups (user_id, value) VALUES ('tv-1001', 'FOC_Admin')",
                "groups was taken away by another source or program",
            ],
        ];
        for [write, back, shown] in writes {
            hidden(&place, engine, write);
            let unseen = place.ok(&["plan", "m"]);
            assert!(
                unseen.contains("No changes."),
                "{engine}: {write}: {unseen}"
            );
            let seen = place.run(&["plan", "m", "--scrub", "-v"]);
            assert!(seen.out.contains(shown), "{engine}: {write}: {seen:#?}");
            assert!(
                seen.err.contains(&format!("{compared}; 1 changed")),
                "{engine}: {write}: {seen:#?}"
            );
            // A decision needs everything, as always.
            let is_whole = seen.err.contains("reading everything");
            let is_held = !seen.out.contains(" 0 held.");
            assert_eq!(is_whole, is_held, "{engine}: {write}: {seen:#?}");
            hidden(&place, engine, back);
        }
        let again = place.ok(&["plan", "m", "--scrub"]);
        assert!(again.contains("No changes."), "{engine}: {again}");
    }
}
