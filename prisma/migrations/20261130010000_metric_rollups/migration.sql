-- expand
-- Roll-ups of the tries, so that a summary of 30 days reads thousands of rows instead of millions. A bucket is a logarithm to
-- the base 1.2 of milliseconds; packages/core/latency-buckets.ts reads them.
CREATE FUNCTION haulier_bucket(ms bigint) RETURNS smallint LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT floor(ln(greatest(ms, 1)) / ln(1.2))::smallint';

-- Rows of releases before had no origin: it is read from the URL of the source.
CREATE FUNCTION haulier_origin(origin text, source text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT coalesce(origin, substring(source FROM '^[a-z][a-z0-9+.-]*://[^/?#]+'), source) $$;

CREATE TABLE try_hours (
  slot       timestamptz(0) NOT NULL,
  layer      text NOT NULL,
  kind       text NOT NULL,
  origin     text NOT NULL,
  -- `success`, or the kind of the failure.
  result     text NOT NULL,
  bucket     smallint NOT NULL,
  tries      bigint NOT NULL,
  latency_ms bigint NOT NULL,
  bytes      bigint NOT NULL,
  PRIMARY KEY (slot, layer, kind, origin, result, bucket)
) WITH (fillfactor = 70);

CREATE TABLE try_days (LIKE try_hours INCLUDING ALL) WITH (fillfactor = 70);

-- Every source that was tried, and when it last worked and failed.
CREATE TABLE sources_tried (
  layer           text NOT NULL,
  kind            text NOT NULL,
  origin          text NOT NULL,
  last_success_at timestamptz(3),
  last_failure_at timestamptz(3),
  last_error      text,
  PRIMARY KEY (layer, kind, origin)
) WITH (fillfactor = 70);

-- Runs in the transaction that stores the tries, also those of programs of the release before. Transactions take turns, because all of them
-- write the same rows and one may store tries more than once.
CREATE FUNCTION haulier_roll_up_tries() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM told) THEN RETURN NULL; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('haulier'), hashtext('roll-up'));
  WITH counted AS MATERIALIZED (
    SELECT date_trunc('hour', t.at, 'UTC') AS slot, t.layer, t.kind, haulier_origin(t.origin, t.source) AS origin,
      CASE WHEN t.status = 'success' THEN 'success' ELSE coalesce(t.error_kind, 'unknown') END AS result,
      haulier_bucket(t.latency_ms) AS bucket, count(*) AS tries, sum(t.latency_ms)::bigint AS latency_ms,
      sum(coalesce(t.committed_bytes, t.bytes))::bigint AS bytes
    FROM told t GROUP BY 1, 2, 3, 4, 5, 6
  ), hours AS (
    INSERT INTO try_hours AS h (slot, layer, kind, origin, result, bucket, tries, latency_ms, bytes)
    SELECT c.slot, c.layer, c.kind, c.origin, c.result, c.bucket, c.tries, c.latency_ms, c.bytes FROM counted c
    ON CONFLICT (slot, layer, kind, origin, result, bucket) DO UPDATE SET tries = h.tries + excluded.tries,
      latency_ms = h.latency_ms + excluded.latency_ms, bytes = h.bytes + excluded.bytes
  )
  INSERT INTO try_days AS d (slot, layer, kind, origin, result, bucket, tries, latency_ms, bytes)
  SELECT date_trunc('day', c.slot, 'UTC'), c.layer, c.kind, c.origin, c.result, c.bucket, sum(c.tries), sum(c.latency_ms), sum(c.bytes)
  FROM counted c GROUP BY 1, 2, 3, 4, 5, 6
  ON CONFLICT (slot, layer, kind, origin, result, bucket) DO UPDATE SET tries = d.tries + excluded.tries,
    latency_ms = d.latency_ms + excluded.latency_ms, bytes = d.bytes + excluded.bytes;
  INSERT INTO sources_tried AS s (layer, kind, origin, last_success_at, last_failure_at, last_error)
  SELECT t.layer, t.kind, haulier_origin(t.origin, t.source), max(t.at) FILTER (WHERE t.status = 'success'),
    max(t.at) FILTER (WHERE t.status = 'failure'),
    (array_agg(t.source || ': ' || coalesce(t.error_message, t.error_kind, 'failed') ORDER BY t.at DESC)
      FILTER (WHERE t.status = 'failure'))[1]
  FROM told t GROUP BY 1, 2, 3
  ON CONFLICT (layer, kind, origin) DO UPDATE SET
    last_success_at = greatest(s.last_success_at, excluded.last_success_at),
    last_error = CASE WHEN excluded.last_failure_at >= coalesce(s.last_failure_at, '-infinity') THEN excluded.last_error
      ELSE s.last_error END,
    last_failure_at = greatest(s.last_failure_at, excluded.last_failure_at);
  RETURN NULL;
END $$;

CREATE TRIGGER roll_up AFTER INSERT ON tries REFERENCING NEW TABLE AS told
  FOR EACH STATEMENT EXECUTE FUNCTION haulier_roll_up_tries();

INSERT INTO try_hours (slot, layer, kind, origin, result, bucket, tries, latency_ms, bytes)
SELECT date_trunc('hour', t.at, 'UTC'), t.layer, t.kind, haulier_origin(t.origin, t.source),
  CASE WHEN t.status = 'success' THEN 'success' ELSE coalesce(t.error_kind, 'unknown') END, haulier_bucket(t.latency_ms), count(*),
  sum(t.latency_ms)::bigint, sum(coalesce(t.committed_bytes, t.bytes))::bigint
FROM tries t GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO try_days (slot, layer, kind, origin, result, bucket, tries, latency_ms, bytes)
SELECT date_trunc('day', h.slot, 'UTC'), h.layer, h.kind, h.origin, h.result, h.bucket, sum(h.tries), sum(h.latency_ms), sum(h.bytes)
FROM try_hours h GROUP BY 1, 2, 3, 4, 5, 6;

INSERT INTO sources_tried (layer, kind, origin, last_success_at, last_failure_at)
SELECT t.layer, t.kind, haulier_origin(t.origin, t.source), max(t.at) FILTER (WHERE t.status = 'success'),
  max(t.at) FILTER (WHERE t.status = 'failure')
FROM tries t GROUP BY 1, 2, 3;

-- Downloads that ended, by hour; the bucket is of the time from the request to the end.
CREATE TABLE download_hours (
  slot      timestamptz(0) NOT NULL,
  outcome   text NOT NULL,
  bucket    smallint NOT NULL,
  downloads bigint NOT NULL,
  ready_ms  bigint NOT NULL,
  PRIMARY KEY (slot, outcome, bucket)
) WITH (fillfactor = 70);

INSERT INTO download_hours (slot, outcome, bucket, downloads, ready_ms)
SELECT date_trunc('hour', e.completed_at, 'UTC'), e.outcome, haulier_bucket(e.ms), count(*), sum(e.ms)
FROM (
  SELECT d.completed_at, d.outcome,
    greatest(0, extract(epoch FROM d.completed_at - coalesce(d.asked_at, d.created_at)) * 1000)::bigint AS ms
  FROM downloads d WHERE d.completed_at IS NOT NULL AND d.outcome IS NOT NULL
) e GROUP BY 1, 2, 3;

-- How many downloads wait and run, once a minute.
CREATE TABLE queue_samples (
  at                timestamptz(0) PRIMARY KEY,
  waiting           integer NOT NULL,
  running           integer NOT NULL,
  paused            integer NOT NULL,
  oldest_waiting_ms bigint NOT NULL
);

-- How each layer does, and since when.
CREATE TABLE layer_states (
  layer text PRIMARY KEY,
  state text NOT NULL CHECK (state IN ('healthy', 'degraded', 'down')),
  since timestamptz(3) NOT NULL
);

-- What the worker of a host knows of its sources, as it last reported.
ALTER TABLE hosts ADD COLUMN source_reports jsonb NOT NULL DEFAULT '[]';

-- Sources that no worker may ask.
CREATE TABLE disabled_sources (
  origin      text PRIMARY KEY,
  note        text NOT NULL,
  disabled_by text NOT NULL,
  disabled_at timestamptz(3) NOT NULL,
  -- Null: until it is enabled.
  until       timestamptz(3)
);
