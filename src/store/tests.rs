//! What holds for both engines. SQLite always; PostgreSQL where `PASSEUR_TEST_POSTGRES` is the URL
//! of a database that may be emptied (`tests/peers` starts one).
