-- expand
-- The relay takes the rows of one host together, so that it counts the files of a host once.
CREATE INDEX downloads_unqueued_idx ON downloads (created_at, host, id)
  WHERE status IN ('pending', 'in_progress', 'resuming') AND enqueued_generation < generation;
DROP INDEX downloads_outbox_idx;

-- How many files of a version the pool is to have.
CREATE INDEX downloads_pool_version_idx ON downloads (model, version) WHERE host IS NULL AND model IS NOT NULL;

-- The downloads of one wish, newest first, whatever became of them.
CREATE INDEX downloads_wish_idx ON downloads (content_key, path, (coalesce(host, '')), created_at DESC);
DROP INDEX downloads_finished_idx;
