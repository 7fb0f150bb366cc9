-- expand
-- Old rows of the audit go by the day: only in a transaction that names since when rows are kept, and only rows before that.
CREATE OR REPLACE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.status IS NULL AND NEW.status IS NOT NULL AND
    (NEW.sequence, NEW.at, NEW.actor, NEW.action) = (OLD.sequence, OLD.at, OLD.actor, OLD.action) THEN
    RETURN NEW;
  END IF;
  IF TG_OP = 'DELETE' AND OLD.at < nullif(current_setting('haulier.audit_kept_since', true), '')::timestamptz THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'rows of the audit are only added';
END $$;
CREATE INDEX audit_at_idx ON audit USING brin (at);
