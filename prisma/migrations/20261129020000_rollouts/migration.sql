-- expand
-- A rollout brings model versions to the hosts that a selector matched when it was created, wave by wave.
CREATE TABLE rollouts (
  id             uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  models         jsonb NOT NULL,
  spec           jsonb NOT NULL,
  -- Of the request, so that the same request finds the rollout that is under way.
  spec_hash      text NOT NULL,
  state          text NOT NULL CHECK (state IN ('awaiting_approval', 'scheduled', 'running', 'soaking', 'paused',
    'succeeded', 'succeeded_with_failures', 'failed', 'timed_out', 'cancelled', 'superseded')),
  pause_reason   text CHECK (pause_reason IN ('manual', 'gate', 'threshold', 'window', 'budget', 'source')),
  -- For people: why it stands where it stands.
  reason         text NOT NULL,
  wave           integer NOT NULL DEFAULT -1,
  soak_until     timestamptz(3),
  is_gate_open   boolean NOT NULL DEFAULT false,
  -- Hosts of the open wave that had ended, and failed, when the brake was last released.
  brake_finished integer NOT NULL DEFAULT 0,
  brake_failed   integer NOT NULL DEFAULT 0,
  is_approved    boolean NOT NULL DEFAULT false,
  starts_at      timestamptz(3),
  deadline_at    timestamptz(3) NOT NULL,
  members_at     timestamptz(3) NOT NULL,
  version        bigint NOT NULL DEFAULT 1,
  created_by     text NOT NULL,
  created_at     timestamptz(3) NOT NULL,
  started_at     timestamptz(3),
  ended_at       timestamptz(3),
  updated_at     timestamptz(3) NOT NULL
);
CREATE INDEX rollouts_created_idx ON rollouts (created_at DESC, id DESC);
CREATE INDEX rollouts_open_idx ON rollouts (spec_hash)
  WHERE state IN ('awaiting_approval', 'scheduled', 'running', 'soaking', 'paused');

-- One host of a rollout. `is_late` hosts joined after the creation: they get the models and are not in the verdict.
CREATE TABLE rollout_hosts (
  rollout_id       uuid NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  host             text NOT NULL,
  site             text NOT NULL,
  position         integer NOT NULL,
  is_late          boolean NOT NULL DEFAULT false,
  wave             integer,
  state            text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'offline', 'queued', 'downloading', 'verifying',
    'staged', 'activating', 'done', 'failed', 'skipped', 'cancelled', 'superseded', 'unknown')),
  failure_class    text,
  reason           text,
  already_present  boolean NOT NULL DEFAULT false,
  bytes            bigint NOT NULL DEFAULT 0,
  total_bytes      bigint NOT NULL DEFAULT 0,
  bytes_per_second bigint NOT NULL DEFAULT 0,
  is_blocked       boolean NOT NULL DEFAULT false,
  dispatched_at    timestamptz(3),
  progress_at      timestamptz(3),
  ended_at         timestamptz(3),
  updated_at       timestamptz(3) NOT NULL,
  PRIMARY KEY (rollout_id, host)
) WITH (fillfactor = 80);
CREATE INDEX rollout_hosts_host_idx ON rollout_hosts (host);

-- Which downloads a host of a rollout waits for. `is_own`: the rollout made it, so its end ends the download too.
CREATE TABLE rollout_downloads (
  rollout_id  uuid NOT NULL,
  host        text NOT NULL,
  download_id uuid NOT NULL,
  is_own      boolean NOT NULL,
  PRIMARY KEY (rollout_id, host, download_id),
  FOREIGN KEY (rollout_id, host) REFERENCES rollout_hosts (rollout_id, host) ON DELETE CASCADE
);
CREATE INDEX rollout_downloads_download_idx ON rollout_downloads (download_id);

-- Every move of a rollout and of its hosts, written in the transaction that makes the move. Only appended.
CREATE TABLE rollout_events (
  sequence   bigserial PRIMARY KEY,
  rollout_id uuid NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  at         timestamptz(3) NOT NULL,
  -- Null: the rollout itself.
  host       text,
  event      text NOT NULL,
  from_state text,
  to_state   text NOT NULL,
  reason     text,
  actor      text
);
CREATE INDEX rollout_events_rollout_idx ON rollout_events (rollout_id, sequence);

-- The first request with a key decides; a repeat finds the rollout that it made.
CREATE TABLE idempotency_keys (
  token_id   uuid NOT NULL,
  key        text NOT NULL,
  body_hash  text NOT NULL,
  rollout_id uuid NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (token_id, key)
);
CREATE INDEX idempotency_keys_created_idx ON idempotency_keys (created_at);
