-- expand
-- How many downloads have each status, and why the failed ones failed. Triggers write both in the transaction that changes the
-- downloads, also for programs of the release before: the numbers are never behind, and no list reads a million rows for them.

-- Only appended to, so that transactions do not wait for each other: the number of a status is the sum of its changes.
-- packages/database/downloads/status-counts.ts adds them up from time to time.
CREATE TABLE download_counts (
  status text NOT NULL,
  change bigint NOT NULL
);

-- What groups of errors read: one narrow row for each download that is failed now.
CREATE TABLE download_failures (
  download_id uuid PRIMARY KEY,
  host        text,
  model       text,
  version     text,
  reason      text NOT NULL,
  source      text,
  -- What alike messages have in common.
  message     text NOT NULL,
  at          timestamptz(3) NOT NULL
);

-- A message without the names of its file and host.
CREATE FUNCTION haulier_unnamed(message text, path text, host text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT replace(replace(message, path, '<file>'), coalesce(host, ' '), '<host>') $$;

-- Also without what follows the host of a URL, digests, identifiers and numbers.
CREATE FUNCTION haulier_alike(message text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT regexp_replace(regexp_replace(regexp_replace(message,
  '(https?://[^/\s]+)/[^\s,;)]*', '\1/…', 'g'),
  '\m(Qm[1-9A-HJ-NP-Za-km-z]{44}|b[a-z2-7]{40,}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9a-fA-F]{16,})\M', '<id>', 'g'),
  '\d+([.,]\d+)*', '#', 'g') $$;

-- The rows that the table of failures has to have; their messages are without names only.
CREATE VIEW failed_downloads AS
SELECT d.id AS download_id, d.host, d.model, d.version, coalesce(d.error_kind, d.status) AS reason,
  coalesce(d.source_place->>'origin', d.source) AS source,
  haulier_unnamed(coalesce(d.error, d.reason, ''), d.path, d.host) AS unnamed, coalesce(d.completed_at, d.updated_at) AS at
FROM downloads d WHERE d.status = 'failed';

CREATE FUNCTION haulier_note_new_downloads() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO download_counts (status, change) SELECT m.status, count(*) FROM made m GROUP BY m.status;
  IF EXISTS (SELECT FROM made m WHERE m.status = 'failed') THEN
    INSERT INTO download_failures (download_id, host, model, version, reason, source, message, at)
    SELECT f.download_id, f.host, f.model, f.version, f.reason, f.source, haulier_alike(f.unnamed), f.at
    FROM failed_downloads f WHERE f.download_id IN (SELECT m.id FROM made m);
  END IF;
  RETURN NULL;
END $$;

-- For each row whose status changes or that is failed: not for positions, which are most of all changes.
CREATE FUNCTION haulier_note_changed_download() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    INSERT INTO download_counts (status, change) VALUES (OLD.status, -1);
  ELSIF OLD.status <> NEW.status THEN
    INSERT INTO download_counts (status, change) VALUES (OLD.status, -1), (NEW.status, 1);
  END IF;
  IF OLD.status = 'failed' THEN
    DELETE FROM download_failures f WHERE f.download_id = OLD.id;
  END IF;
  IF TG_OP = 'UPDATE' AND NEW.status = 'failed' THEN
    INSERT INTO download_failures (download_id, host, model, version, reason, source, message, at)
    SELECT f.download_id, f.host, f.model, f.version, f.reason, f.source, haulier_alike(f.unnamed), f.at
    FROM failed_downloads f WHERE f.download_id = NEW.id;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER note_new AFTER INSERT ON downloads REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION haulier_note_new_downloads();
CREATE TRIGGER note_changed AFTER UPDATE ON downloads FOR EACH ROW
  WHEN (OLD.status <> NEW.status OR NEW.status = 'failed') EXECUTE FUNCTION haulier_note_changed_download();
CREATE TRIGGER note_deleted AFTER DELETE ON downloads FOR EACH ROW EXECUTE FUNCTION haulier_note_changed_download();

-- The new triggers hold other writers back until this commits: nothing is missed, and nothing is counted twice.
INSERT INTO download_counts (status, change) SELECT d.status, count(*) FROM downloads d GROUP BY d.status;
WITH failed AS MATERIALIZED (SELECT * FROM failed_downloads), texts AS MATERIALIZED (
  SELECT t.unnamed, haulier_alike(t.unnamed) AS message FROM (SELECT DISTINCT f.unnamed FROM failed f) t
)
INSERT INTO download_failures (download_id, host, model, version, reason, source, message, at)
SELECT f.download_id, f.host, f.model, f.version, f.reason, f.source, t.message, f.at FROM failed f JOIN texts t USING (unnamed);

-- An index answers alone only for pages that vacuum has seen since they changed; by default it comes after a fifth of all rows changed.
ALTER TABLE downloads SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.02);
