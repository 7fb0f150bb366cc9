-- expand
-- The first shape of the database. Times are written by the processes, so that one clock orders them.

-- Small facts about this installation: the epoch of the queue, the pepper of token hashes, the reset point of metrics.
CREATE TABLE settings (
  key        text PRIMARY KEY,
  value      text NOT NULL,
  updated_at timestamptz(3) NOT NULL
);

CREATE TABLE models (
  name            text PRIMARY KEY,
  type            text NOT NULL,
  current_version text,
  created_at      timestamptz(3) NOT NULL,
  updated_at      timestamptz(3) NOT NULL
);

-- One immutable version of a model, named by the digest of its content (VE1).
CREATE TABLE manifests (
  model      text NOT NULL REFERENCES models (name) ON DELETE CASCADE,
  version    text NOT NULL,
  digest     text NOT NULL,
  cid        text,
  file_count integer NOT NULL,
  size_bytes bigint NOT NULL,
  json       jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (model, version)
);
CREATE INDEX manifests_digest_idx ON manifests (digest);

CREATE TABLE manifest_files (
  model      text NOT NULL,
  version    text NOT NULL,
  path       text NOT NULL,
  size_bytes bigint,
  sha256     text,
  cid        text,
  PRIMARY KEY (model, version, path),
  FOREIGN KEY (model, version) REFERENCES manifests (model, version) ON DELETE CASCADE
);
CREATE INDEX manifest_files_sha256_idx ON manifest_files (sha256);
CREATE INDEX manifest_files_cid_idx ON manifest_files (cid);

-- What every content identifier was good for so far (RE13).
CREATE TABLE cids (
  cid              text PRIMARY KEY,
  model            text,
  type             text,
  hash             text,
  gateway          text,
  cached_at        timestamptz(3) NOT NULL,
  last_accessed_at timestamptz(3) NOT NULL,
  success_count    integer NOT NULL DEFAULT 0,
  failure_count    integer NOT NULL DEFAULT 0
);
CREATE INDEX cids_model_type_idx ON cids (model, type, cached_at DESC);

-- What a job is told about its file. All hosts that want the same file from the same places share one row,
-- so that a download's own record stays under 1 KB. The id is made from the content: a row never changes.
CREATE TABLE file_specs (
  id   uuid PRIMARY KEY,
  file jsonb NOT NULL
);

-- The wish to have one file on one host (RE9, RE13). Each row is its own outbox: it is to be queued
-- while enqueued_generation < generation. No index on what progress writes, and room in every page,
-- so that a flush of positions stays inside its pages.
CREATE TABLE downloads (
  id                     uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  host                   text,
  model                  text,
  model_type             text,
  version                text,
  path                   text NOT NULL,
  cid                    text,
  hash                   text,
  content_key            text NOT NULL,
  file_id                uuid NOT NULL,
  layers                 text[],
  strategy               text,
  limit_bytes_per_second bigint,
  status                 text NOT NULL DEFAULT 'pending' CHECK (
    status IN ('pending', 'in_progress', 'resuming', 'paused', 'success', 'failed', 'cancelled')
  ),
  generation             integer NOT NULL DEFAULT 1,
  enqueued_generation    integer NOT NULL DEFAULT 0,
  requeues               integer NOT NULL DEFAULT 0,
  attempts               integer NOT NULL DEFAULT 0,
  attempts_before        integer NOT NULL DEFAULT 0,
  attempts_used          integer NOT NULL DEFAULT 0,
  last_attempt_at        timestamptz(3),
  downloaded_bytes       bigint NOT NULL DEFAULT 0,
  total_bytes            bigint,
  current_size           bigint NOT NULL DEFAULT 0,
  resumed_bytes          bigint NOT NULL DEFAULT 0,
  wasted_bytes           bigint NOT NULL DEFAULT 0,
  bytes_per_second       bigint NOT NULL DEFAULT 0,
  retries                integer NOT NULL DEFAULT 0,
  source                 text,
  sources                jsonb,
  outcome                text,
  verified               boolean,
  published_path         text,
  pause_reason           text,
  reason                 text,
  retry_at               timestamptz(3),
  error_kind             text,
  error                  text,
  event_at               timestamptz(3),
  heartbeat_at           timestamptz(3),
  created_at             timestamptz(3) NOT NULL,
  updated_at             timestamptz(3) NOT NULL,
  started_at             timestamptz(3),
  completed_at           timestamptz(3)
) WITH (fillfactor = 85);

-- The same request twice attaches to the row that is not finished yet.
CREATE UNIQUE INDEX downloads_unfinished_key ON downloads (
  content_key, path, (coalesce(host, '')), (coalesce(model, '')), (coalesce(version, ''))
) WHERE status IN ('pending', 'in_progress', 'resuming', 'paused');
CREATE INDEX downloads_created_idx ON downloads (created_at DESC, id DESC);
CREATE INDEX downloads_status_idx ON downloads (status, created_at DESC, id DESC);
CREATE INDEX downloads_cid_idx ON downloads (cid, created_at DESC, id DESC) WHERE cid IS NOT NULL;
CREATE INDEX downloads_model_idx ON downloads (model, version, created_at DESC, id DESC) WHERE model IS NOT NULL;
CREATE INDEX downloads_host_idx ON downloads (host, created_at DESC, id DESC) WHERE host IS NOT NULL;
CREATE INDEX downloads_completed_idx ON downloads (completed_at) WHERE completed_at IS NOT NULL;
CREATE INDEX downloads_outbox_idx ON downloads (created_at, id)
  WHERE status IN ('pending', 'in_progress', 'resuming') AND enqueued_generation < generation;

-- Every try at every source (ME1): only appended, partitioned by day, dropped by the day.
CREATE TABLE attempts (
  day           date NOT NULL,
  download_id   uuid NOT NULL,
  generation    integer NOT NULL,
  attempt       integer NOT NULL,
  sequence      integer NOT NULL,
  at            timestamptz(3) NOT NULL,
  host          text,
  model         text,
  model_type    text,
  layer         text NOT NULL,
  kind          text NOT NULL,
  source        text NOT NULL,
  status        text NOT NULL CHECK (status IN ('success', 'failure')),
  latency_ms    integer NOT NULL,
  bytes         bigint NOT NULL,
  total_bytes   bigint,
  error_kind    text,
  error_message text,
  reason        text,
  PRIMARY KEY (download_id, generation, attempt, sequence, at, day)
) PARTITION BY RANGE (day);
CREATE INDEX attempts_at_idx ON attempts USING brin (at);

-- Rows whose day has no partition yet land here instead of being lost.
CREATE TABLE attempts_default PARTITION OF attempts DEFAULT;

CREATE TABLE hosts (
  name             text PRIMARY KEY,
  first_seen_at    timestamptz(3) NOT NULL,
  last_seen_at     timestamptz(3) NOT NULL,
  boot_id          uuid,
  last_sequence    bigint NOT NULL DEFAULT -1,
  reported_at      timestamptz(3),
  inventory_digest text,
  store_bytes      bigint,
  free_bytes       bigint,
  file_count       integer,
  worker_version   text,
  newer_versions   jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 85);

-- What hosts told about themselves. The key makes a repeated batch harmless.
CREATE TABLE host_notices (
  boot_id  uuid NOT NULL,
  sequence bigint NOT NULL,
  position integer NOT NULL,
  host     text,
  at       timestamptz(3) NOT NULL,
  notice   text NOT NULL,
  model    text,
  path     text,
  message  text NOT NULL,
  facts    jsonb NOT NULL DEFAULT '{}',
  PRIMARY KEY (boot_id, sequence, position)
);
CREATE INDEX host_notices_at_idx ON host_notices (at DESC);
CREATE INDEX host_notices_host_idx ON host_notices (host, at DESC);

-- The latest answer to "is there a newer version?" per model and source (VE2).
CREATE TABLE version_checks (
  model      text NOT NULL,
  source     text NOT NULL,
  current    text,
  available  text,
  newer      boolean NOT NULL,
  error      text,
  checked_at timestamptz(3) NOT NULL,
  PRIMARY KEY (model, source)
);

-- Only a keyed hash of a token is kept. The token itself is shown once.
CREATE TABLE api_tokens (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name         text NOT NULL,
  hash         text NOT NULL UNIQUE,
  last4        text NOT NULL,
  scopes       text[] NOT NULL,
  created_at   timestamptz(3) NOT NULL,
  expires_at   timestamptz(3),
  last_used_at timestamptz(3),
  revoked_at   timestamptz(3)
);
