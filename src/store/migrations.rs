//! The tables of the store, as numbered steps: one set for each engine, with the same numbers.
//!
//! A step that was released is never changed (the store refuses to open where one differs from what
//! was applied); what comes later is a new step. Each area has files of its own, in
//! `migrations/{sqlite,postgres}/NNNN_area.sql`, and a line in [`STEPS`].

use sqlx::SqlSafeStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

/// One step in both dialects.
struct Step {
    number: i64,
    name: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! step {
    ($number:literal, $name:literal, $file:literal) => {
        Step {
            number: $number,
            name: $name,
            sqlite: include_str!(concat!("migrations/sqlite/", $file)),
            postgres: include_str!(concat!("migrations/postgres/", $file)),
        }
    };
}

/// All steps, in order.
const STEPS: &[Step] = &[
    step!(1, "base", "0001_base.sql"),
    step!(2, "transfers", "0002_transfers.sql"),
    step!(3, "tours", "0003_tours.sql"),
    step!(4, "sites", "0004_sites.sql"),
    step!(5, "tour_counts", "0005_tour_counts.sql"),
    step!(6, "endings", "0006_endings.sql"),
];

/// The steps for SQLite.
pub(super) fn sqlite() -> Migrator {
    migrator(|step| step.sqlite)
}

/// The steps for PostgreSQL.
pub(super) fn postgres() -> Migrator {
    migrator(|step| step.postgres)
}

fn migrator(sql: impl Fn(&Step) -> &'static str) -> Migrator {
    let migration = |step: &Step| {
        let sql = sql(step).into_sql_str();
        Migration::new(step.number, step.name.into(), MigrationType::Simple, sql, false)
    };
    Migrator::with_migrations(STEPS.iter().map(migration).collect())
}
