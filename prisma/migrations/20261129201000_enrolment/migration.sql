-- expand
-- Tokens with which a host enrols, each once. Only the keyed hash of a token is kept.
CREATE TABLE enrolment_tokens (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  hash       text NOT NULL UNIQUE,
  last4      text NOT NULL,
  -- The one host that may use it; null: any host that is not enrolled.
  host       text,
  -- The host may run jobs of the pool and checks of versions as well.
  may_pool   boolean NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  expires_at timestamptz(3) NOT NULL,
  used_at    timestamptz(3),
  used_by    text,
  revoked_at timestamptz(3)
);
CREATE INDEX enrolment_tokens_created_idx ON enrolment_tokens (created_at DESC, id DESC);

-- What an enrolled host proves itself with. A revoked row stays, so that nothing is believed under its name.
CREATE TABLE host_keys (
  host              text PRIMARY KEY,
  id                uuid NOT NULL UNIQUE,
  -- Ed25519, the 32 bytes in base64.
  public_key        text NOT NULL,
  worker_token_hash text NOT NULL UNIQUE,
  redis_user        text NOT NULL,
  redis_password    text NOT NULL,
  may_pool          boolean NOT NULL,
  -- Sequences of its last boots that were applied: a further batch with one of them is a repeat.
  boots             jsonb NOT NULL DEFAULT '[]',
  enrolled_at       timestamptz(3) NOT NULL,
  revoked_at        timestamptz(3)
) WITH (fillfactor = 70);
COMMENT ON COLUMN host_keys.redis_password IS 'SHA-256 of the password, hexadecimal: what Redis itself keeps';

-- Batches of events that were not believed, summed by host, reason and hour.
CREATE TABLE refused_events (
  host     text NOT NULL,
  reason   text NOT NULL CHECK (reason IN ('unsigned', 'forged', 'revoked', 'replayed', 'foreign')),
  hour     timestamptz(3) NOT NULL,
  batches  bigint NOT NULL,
  events   bigint NOT NULL,
  first_at timestamptz(3) NOT NULL,
  last_at  timestamptz(3) NOT NULL,
  detail   text NOT NULL,
  PRIMARY KEY (host, reason, hour)
);
CREATE INDEX refused_events_last_idx ON refused_events (last_at DESC);
