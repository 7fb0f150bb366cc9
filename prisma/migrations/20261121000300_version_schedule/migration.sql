-- expand
-- When the origin of a model is asked next for a newer version (VE2); long ago means that it was never asked.
ALTER TABLE models ADD COLUMN next_check_at timestamptz(3) NOT NULL DEFAULT 'epoch';
CREATE INDEX models_next_check_idx ON models (next_check_at);

-- When the origin last gave an answer; `checked_at` is when it was last asked.
ALTER TABLE version_checks ADD COLUMN answered_at timestamptz(3);
