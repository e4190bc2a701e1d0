-- What every part of Passeur needs: bearer tokens, the audit log, leases.
-- Times are milliseconds since 1970.

CREATE TABLE token (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    expires_at BIGINT,
    used_at BIGINT,
    revoked_at BIGINT
);

CREATE TABLE audit (
    seq INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    who TEXT NOT NULL,
    origin TEXT NOT NULL,
    site TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    chain BLOB NOT NULL
);
CREATE INDEX audit_by_site ON audit (site, seq);
CREATE TRIGGER audit_keeps_rows BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_keeps_all BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;

CREATE TABLE lease (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    fence BIGINT NOT NULL,
    until BIGINT NOT NULL
);

-- Answers to requests with an Idempotency-Key, so that a repeated one is not carried out again.
CREATE TABLE idempotency (
    scope TEXT NOT NULL,
    name TEXT NOT NULL,
    request BLOB NOT NULL,
    status INTEGER,
    body TEXT,
    at BIGINT NOT NULL,
    PRIMARY KEY (scope, name)
);

-- Accounts shown as others after a hand-over; see `site::Live`.
CREATE TABLE shown_owner (
    site TEXT NOT NULL,
    name TEXT NOT NULL,
    source TEXT NOT NULL,
    recipient TEXT NOT NULL,
    display_name TEXT NOT NULL,
    until BIGINT,
    PRIMARY KEY (site, name)
);
