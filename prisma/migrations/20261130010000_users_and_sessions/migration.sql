-- expand
-- People who sign in to the dashboard and the queue board.
CREATE TABLE users (
  id                  uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  name                text NOT NULL UNIQUE CHECK (name = lower(name)),
  role                text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
  -- Argon2id in the PHC form. Null: signed in by the link of the first start, and has no password yet.
  password_hash       text,
  created_at          timestamptz(3) NOT NULL,
  created_by          text,
  disabled_at         timestamptz(3),
  last_sign_in_at     timestamptz(3),
  password_changed_at timestamptz(3)
);

-- A session that ends is deleted; the audit says when it began and ended.
CREATE TABLE sessions (
  id           uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  user_id      uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  -- Keyed hash of what is in the cookie.
  hash         text NOT NULL UNIQUE,
  created_at   timestamptz(3) NOT NULL,
  last_seen_at timestamptz(3) NOT NULL,
  expires_at   timestamptz(3) NOT NULL,
  ip           text,
  user_agent   text
);
CREATE INDEX sessions_user_idx ON sessions (user_id);

-- Codes that sign the first admin in once.
CREATE TABLE setup_codes (
  hash       text PRIMARY KEY,
  expires_at timestamptz(3) NOT NULL
);

-- Attempts to sign in that failed, by account and by address; the key is a keyed hash, since people type passwords as names.
CREATE TABLE sign_in_failures (
  key           text PRIMARY KEY,
  failures      integer NOT NULL,
  last_at       timestamptz(3) NOT NULL,
  blocked_until timestamptz(3) NOT NULL
);
CREATE INDEX sign_in_failures_last_idx ON sign_in_failures (last_at);

-- The user who was signed in; null for a token.
ALTER TABLE audit ADD COLUMN user_id uuid;
