-- expand
-- A token may be limited to models and to the hosts of a selector.
ALTER TABLE api_tokens
  ADD COLUMN kind         text NOT NULL DEFAULT 'pat',
  -- Name patterns with *; empty: every model.
  ADD COLUMN models       text[] NOT NULL DEFAULT '{}',
  -- Null: every host.
  ADD COLUMN selector     text,
  ADD COLUMN created_by   text,
  ADD COLUMN last_used_ip text;

-- Every write of the API: by which token, to what, and how it ended. A row is written before the work and completed once.
CREATE TABLE audit (
  sequence   bigserial PRIMARY KEY,
  at         timestamptz(3) NOT NULL,
  request_id text,
  -- Null: not a request, but the start of the API or its command line.
  token_id   uuid,
  actor      text NOT NULL,
  action     text NOT NULL,
  method     text,
  path       text,
  target     text,
  ip         text,
  -- What was sent, what was there before, and what is there now; redacted.
  request    jsonb,
  before     jsonb,
  after      jsonb,
  -- Null: the process ended before the answer.
  status     integer,
  result     text
);
CREATE INDEX audit_actor_idx ON audit (actor, sequence DESC);
CREATE INDEX audit_target_idx ON audit (target text_pattern_ops, sequence DESC);

CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status IS NULL AND NEW.status IS NOT NULL AND
    (NEW.sequence, NEW.at, NEW.actor, NEW.action) = (OLD.sequence, OLD.at, OLD.actor, OLD.action) THEN
    RETURN NEW;
  END IF;
  RAISE EXCEPTION 'rows of the audit are only added';
END $$;
CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit
  FOR EACH ROW EXECUTE FUNCTION audit_is_append_only();
