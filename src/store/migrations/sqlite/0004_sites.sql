-- Sites that are in no file. One that was taken away stays as a row without text, so that other
-- replicas hear of it; revisions grow with every change, whichever site it is about.

CREATE TABLE site (
    name TEXT PRIMARY KEY,
    text TEXT,
    secrets_key TEXT,
    secrets BLOB,
    revision BIGINT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX site_by_revision ON site (revision);

-- A host belongs to one site, whichever replica is asked.
CREATE TABLE site_host (
    host TEXT PRIMARY KEY,
    site TEXT NOT NULL
);
CREATE INDEX site_host_by_site ON site_host (site);

CREATE TABLE site_revision (
    one INTEGER PRIMARY KEY,
    value BIGINT NOT NULL
);
INSERT INTO site_revision (one, value) VALUES (1, 0);
