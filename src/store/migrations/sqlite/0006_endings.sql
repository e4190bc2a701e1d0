-- Whether a transfer is over and nobody was told yet. Of those before this step, everybody was.

ALTER TABLE transfer ADD COLUMN untold BIGINT NOT NULL DEFAULT 0;
CREATE INDEX transfer_untold ON transfer (id) WHERE untold = 1;
