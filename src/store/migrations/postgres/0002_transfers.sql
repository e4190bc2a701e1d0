-- Hand-overs: plans that were made, transfers that were started, and what each did.
-- Times are milliseconds since 1970.

CREATE TABLE transfer_plan (
    site TEXT NOT NULL,
    hash TEXT NOT NULL,
    plan TEXT NOT NULL,
    secrets_key TEXT,
    secrets BYTEA,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (site, hash)
);

CREATE TABLE transfer (
    id TEXT PRIMARY KEY,
    site TEXT NOT NULL,
    state TEXT NOT NULL,
    plan TEXT NOT NULL,
    secrets_key TEXT,
    secrets BYTEA,
    started_by TEXT NOT NULL,
    approved_by TEXT,
    once TEXT,
    created_at BIGINT NOT NULL,
    begins_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    ended_at BIGINT,
    undo_until BIGINT,
    note TEXT,
    attempt BIGINT NOT NULL DEFAULT 0,
    -- What a person wants that its worker has not seen yet: pause, cancel.
    wish TEXT,
    worker TEXT,
    lease_until BIGINT NOT NULL DEFAULT 0,
    fence BIGINT NOT NULL DEFAULT 0,
    UNIQUE (site, once)
);
CREATE INDEX transfer_by_site ON transfer (site, created_at);
CREATE INDEX transfer_to_do ON transfer (state, next_at);

CREATE TABLE transfer_item (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    item BIGINT NOT NULL,
    state TEXT NOT NULL,
    objects_done BIGINT NOT NULL DEFAULT 0,
    bytes_done BIGINT NOT NULL DEFAULT 0,
    outcome TEXT,
    error TEXT,
    PRIMARY KEY (transfer, item)
);

-- Append-only: what was about to be done, what came of it, and the same for undoing.
CREATE TABLE transfer_journal (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    seq BIGINT NOT NULL,
    item BIGINT NOT NULL,
    step TEXT NOT NULL,
    phase TEXT NOT NULL,
    body TEXT NOT NULL,
    fence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (transfer, seq),
    UNIQUE (transfer, item, step, phase)
);

CREATE TABLE transfer_event (
    transfer TEXT NOT NULL REFERENCES transfer (id),
    seq BIGINT NOT NULL,
    at BIGINT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (transfer, seq)
);
