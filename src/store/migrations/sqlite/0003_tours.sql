-- Which tours people have seen, where Passeur keeps it: a person is a number made with the key below.

CREATE TABLE tour_progress (
    site TEXT NOT NULL,
    person TEXT NOT NULL,
    document TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (site, person)
);

CREATE TABLE tour_key (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sealed_by TEXT NOT NULL,
    sealed BLOB NOT NULL
);
