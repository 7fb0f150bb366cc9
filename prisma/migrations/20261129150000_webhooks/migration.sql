-- expand
-- Endpoints that are told what happens, by the Standard Webhooks specification.
CREATE TABLE webhooks (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  url             text NOT NULL,
  description     text NOT NULL,
  -- Types of events: `rollout.failed`, `rollout.*` or `*`.
  events          text[] NOT NULL,
  -- Signs every message, so it is kept as it is.
  secret          text NOT NULL,
  -- Signs beside the present secret until `previous_until`.
  previous_secret text,
  previous_until  timestamptz(3),
  disabled_at     timestamptz(3),
  disabled_reason text CHECK (disabled_reason IN ('manual', 'gone', 'failing')),
  -- The endpoint asked to be left alone until then (Retry-After).
  not_before      timestamptz(3),
  last_success_at timestamptz(3),
  created_by      text NOT NULL,
  created_at      timestamptz(3) NOT NULL,
  updated_at      timestamptz(3) NOT NULL
);

-- What happened, as it is sent: every attempt sends the same text. Written in the transaction that makes it happen.
CREATE TABLE webhook_events (
  id   uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  -- The same key is told once; null: every event counts.
  key  text UNIQUE,
  type text NOT NULL,
  at   timestamptz(3) NOT NULL,
  body text NOT NULL
);
CREATE INDEX webhook_events_at_idx ON webhook_events (at);

CREATE TABLE webhook_deliveries (
  id              uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  webhook_id      uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event_id        uuid NOT NULL REFERENCES webhook_events (id) ON DELETE CASCADE,
  state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
  -- Since it was made, or last replayed.
  attempts        integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz(3) NOT NULL,
  -- The process that sends it now, until `claimed_until` by the clock of the database.
  claim           uuid,
  claimed_until   timestamptz(3),
  -- The latest attempts, oldest first.
  tries           jsonb NOT NULL DEFAULT '[]',
  created_at      timestamptz(3) NOT NULL,
  ended_at        timestamptz(3)
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (webhook_id, next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_created_idx ON webhook_deliveries (webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_deliveries_event_idx ON webhook_deliveries (event_id);

-- Since when nothing is heard of a host; null while it is online.
ALTER TABLE hosts ADD COLUMN offline_since timestamptz(3);

-- When so many hosts had the files that the rollout succeeds.
ALTER TABLE rollouts ADD COLUMN threshold_at timestamptz(3);

-- How each source outside of the fleet does, as it was last told.
CREATE TABLE source_states (
  layer  text NOT NULL,
  source text NOT NULL,
  state  text NOT NULL CHECK (state IN ('healthy', 'degraded')),
  since  timestamptz(3) NOT NULL,
  PRIMARY KEY (layer, source)
);
