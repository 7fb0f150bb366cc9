-- expand
-- The history of tries gets the name of what it holds. The view keeps the old name for programs of the release before: they
-- read and write through it. Its partitions keep their old names too, because such a program looks for them there before it
-- makes one, which a view does not allow. `prisma/next-release` removes the view and renames the partitions.
ALTER TABLE attempts RENAME TO tries;
ALTER TABLE tries RENAME CONSTRAINT attempts_pkey TO tries_pkey;
ALTER TABLE tries RENAME CONSTRAINT attempts_status_check TO tries_status_check;
ALTER INDEX attempts_at_idx RENAME TO tries_at_idx;

CREATE VIEW attempts AS
SELECT day, download_id, generation, attempt, sequence, at, host, model, model_type, layer, kind, source, status, latency_ms,
  bytes, total_bytes, error_kind, error_message, reason
FROM tries;
