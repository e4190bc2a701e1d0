-- What happened to tours, without anybody in it; and who may edit tours, with what they wrote so far.

CREATE TABLE tour_count (
    site TEXT NOT NULL,
    tour TEXT NOT NULL,
    rev BIGINT NOT NULL,
    step TEXT NOT NULL,
    what TEXT NOT NULL,
    nextcloud BIGINT NOT NULL,
    language TEXT NOT NULL,
    device TEXT NOT NULL,
    count BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (site, tour, rev, step, what, nextcloud, language, device)
);

-- A candidate of -1: nothing was found.
CREATE TABLE tour_missing (
    target TEXT NOT NULL,
    nextcloud TEXT NOT NULL,
    app TEXT NOT NULL,
    site TEXT NOT NULL,
    candidate BIGINT NOT NULL,
    route TEXT NOT NULL,
    count BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (target, nextcloud, app, site, candidate)
);

-- `opens` is the hash of what opens it: of the link until that was used, of the session from then on.
CREATE TABLE tour_editing (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    tour TEXT NOT NULL,
    made_by TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    begun_at BIGINT,
    ends_at BIGINT NOT NULL,
    opens BLOB NOT NULL UNIQUE,
    draft TEXT NOT NULL
);
