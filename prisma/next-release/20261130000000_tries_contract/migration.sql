-- contract
-- Programs that know `tries` do without the old name.
DROP VIEW attempts;

DO $$
DECLARE
  old_name text;
BEGIN
  FOR old_name IN
    SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'tries'::regclass AND c.relname LIKE 'attempts\_%'
  LOOP
    EXECUTE format('ALTER TABLE %I RENAME TO %I', old_name, 'tries' || substr(old_name, length('attempts') + 1));
  END LOOP;
END
$$;
