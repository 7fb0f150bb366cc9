-- expand
-- A published file that its host lost: since when, how, and whether its repair waits for a place in the budget of its site.
ALTER TABLE downloads
  ADD COLUMN lost_at      timestamptz(3),
  ADD COLUMN lost_as      text CHECK (lost_as IN ('missing', 'corrupt')),
  ADD COLUMN repair_waits boolean NOT NULL DEFAULT false,
  -- When it was last asked for; null for rows of earlier releases: when it was made.
  ADD COLUMN asked_at     timestamptz(3);
CREATE INDEX downloads_lost_idx ON downloads (host) WHERE lost_at IS NOT NULL;

-- What a host has beyond what is wanted there, by its last inventory.
ALTER TABLE hosts ADD COLUMN surplus jsonb NOT NULL DEFAULT '{}';

-- The relay leaves out what waits for the budget.
DROP INDEX downloads_unqueued_idx;
CREATE INDEX downloads_unqueued_idx ON downloads (created_at, host, id)
  WHERE status IN ('pending', 'in_progress', 'resuming') AND enqueued_generation < generation AND NOT repair_waits;
