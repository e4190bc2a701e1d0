//! What happened to tours, as numbers without anybody in them: each process adds what it counted, so
//! that they outlive it, and so that replicas count together.

use super::{Error, Store, now, on};

/// How long a number is kept to which nothing is added, milliseconds: two years.
const KEPT: i64 = 2 * 365 * 24 * 3_600_000;

/// How often one thing happened to a tour.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TourCount {
    /// The site.
    pub site: String,
    /// The tour.
    pub tour: String,
    /// Its revision.
    pub rev: i64,
    /// The step; empty for the tour as a whole.
    pub step: String,
    /// What happened: a word of the player's.
    pub what: String,
    /// Major of Nextcloud; 0 if unknown.
    pub nextcloud: i64,
    /// Language of the page.
    pub language: String,
    /// `phone` or `desktop`.
    pub device: String,
    /// How often.
    pub count: i64,
}

/// How often a target was not found as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TourMissing {
    /// Its name.
    pub target: String,
    /// Version of Nextcloud.
    pub nextcloud: String,
    /// App and version.
    pub app: String,
    /// The site.
    pub site: String,
    /// The candidate that was found instead; -1 for none.
    pub candidate: i64,
    /// A page on which it happened.
    pub route: String,
    /// How often.
    pub count: i64,
}

type CountRow = (String, String, i64, String, String, i64, String, String, i64);

type MissingRow = (String, String, String, String, i64, String, i64);

impl Store {
    /// Adds to what is there; all of it or nothing.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn add_tour_counts(
        &self,
        counts: &[TourCount],
        missing: &[TourMissing],
    ) -> Result<(), Error> {
        let now = now();
        on!(self.engine, transaction => |tx| {
            for one in counts {
                sqlx::query(
                    "INSERT INTO tour_count (site, tour, rev, step, what, nextcloud, language, \
                     device, count, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) \
                     ON CONFLICT (site, tour, rev, step, what, nextcloud, language, device) \
                     DO UPDATE SET count = tour_count.count + excluded.count, at = excluded.at",
                )
                .bind(&one.site)
                .bind(&one.tour)
                .bind(one.rev)
                .bind(&one.step)
                .bind(&one.what)
                .bind(one.nextcloud)
                .bind(&one.language)
                .bind(&one.device)
                .bind(one.count)
                .bind(now)
                .execute(&mut *tx)
                .await?;
            }
            for one in missing {
                sqlx::query(
                    "INSERT INTO tour_missing (target, nextcloud, app, site, candidate, route, \
                     count, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
                     ON CONFLICT (target, nextcloud, app, site, candidate) \
                     DO UPDATE SET count = tour_missing.count + excluded.count, at = excluded.at",
                )
                .bind(&one.target)
                .bind(&one.nextcloud)
                .bind(&one.app)
                .bind(&one.site)
                .bind(one.candidate)
                .bind(&one.route)
                .bind(one.count)
                .bind(now)
                .execute(&mut *tx)
                .await?;
            }
        });
        Ok(())
    }

    /// What was counted at a site, and at its instances, where it has many (`LABEL.SITE`).
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tour_counts(&self, site: &str) -> Result<Vec<TourCount>, Error> {
        let rows: Vec<CountRow> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT site, tour, rev, step, what, nextcloud, language, device, count \
                 FROM tour_count WHERE site = $1 OR substr(site, length(site) - length($2) + 1) = $2",
            )
            .bind(site)
            .bind(format!(".{site}"))
            .fetch_all(pool)
            .await
        })?;
        Ok(rows.into_iter().map(TourCount::from).collect())
    }

    /// What was missing, over all sites.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn tour_missing(&self) -> Result<Vec<TourMissing>, Error> {
        let rows: Vec<MissingRow> = on!(self.engine, readers => |pool| {
            sqlx::query_as(
                "SELECT target, nextcloud, app, site, candidate, route, count FROM tour_missing",
            )
            .fetch_all(pool)
            .await
        })?;
        Ok(rows.into_iter().map(TourMissing::from).collect())
    }

    /// Removes what nothing was added to for two years.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn forget_tour_counts(&self) -> Result<(), Error> {
        let before = now() - KEPT;
        let (counts, missing) =
            ("DELETE FROM tour_count WHERE at < $1", "DELETE FROM tour_missing WHERE at < $1");
        for rows in [counts, missing] {
            on!(self.engine, writer => |pool| {
                sqlx::query(rows).bind(before).execute(pool).await.map(drop)
            })?;
        }
        Ok(())
    }
}

impl From<CountRow> for TourCount {
    fn from(row: CountRow) -> Self {
        let (site, tour, rev, step, what, nextcloud, language, device, count) = row;
        Self { site, tour, rev, step, what, nextcloud, language, device, count }
    }
}

impl From<MissingRow> for TourMissing {
    fn from(row: MissingRow) -> Self {
        let (target, nextcloud, app, site, candidate, route, count) = row;
        Self { target, nextcloud, app, site, candidate, route, count }
    }
}
