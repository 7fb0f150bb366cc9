-- expand
-- How many hosts of each rollout stand where, so that a page of rollouts does not read all of their hosts. A trigger writes it in the
-- transaction that changes the hosts, also for programs of the release before. Only appended to, so that transactions do not wait for
-- each other: the numbers of a group are the sums of its changes. packages/database/rollouts/host-counts.ts adds them up.
CREATE TABLE rollout_host_counts (
  rollout_id       uuid NOT NULL,
  state            text NOT NULL,
  is_late          boolean NOT NULL,
  is_timed_out     boolean NOT NULL,
  already_present  boolean NOT NULL,
  hosts            bigint NOT NULL,
  bytes            bigint NOT NULL,
  total_bytes      bigint NOT NULL,
  bytes_per_second bigint NOT NULL
);
CREATE INDEX rollout_host_counts_rollout_idx ON rollout_host_counts (rollout_id);

CREATE FUNCTION haulier_count_rollout_hosts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO rollout_host_counts
    SELECT m.rollout_id, m.state, m.is_late, m.failure_class IS NOT DISTINCT FROM 'timed_out', m.already_present, count(*), sum(m.bytes),
      sum(m.total_bytes), sum(m.bytes_per_second)
    FROM made m GROUP BY 1, 2, 3, 4, 5;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO rollout_host_counts
    SELECT f.rollout_id, f.state, f.is_late, f.failure_class IS NOT DISTINCT FROM 'timed_out', f.already_present, -count(*), -sum(f.bytes),
      -sum(f.total_bytes), -sum(f.bytes_per_second)
    FROM former f GROUP BY 1, 2, 3, 4, 5;
  ELSE
    INSERT INTO rollout_host_counts
    SELECT c.rollout_id, c.state, c.is_late, c.failure_class IS NOT DISTINCT FROM 'timed_out', c.already_present, sum(c.n), sum(c.n * c.bytes),
      sum(c.n * c.total_bytes), sum(c.n * c.bytes_per_second)
    FROM (SELECT 1 AS n, m.* FROM made m UNION ALL SELECT -1, f.* FROM former f) c GROUP BY 1, 2, 3, 4, 5
    HAVING sum(c.n) <> 0 OR sum(c.n * c.bytes) <> 0 OR sum(c.n * c.total_bytes) <> 0 OR sum(c.n * c.bytes_per_second) <> 0;
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER count_new AFTER INSERT ON rollout_hosts REFERENCING NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION haulier_count_rollout_hosts();
CREATE TRIGGER count_changed AFTER UPDATE ON rollout_hosts REFERENCING OLD TABLE AS former NEW TABLE AS made
  FOR EACH STATEMENT EXECUTE FUNCTION haulier_count_rollout_hosts();
CREATE TRIGGER count_deleted AFTER DELETE ON rollout_hosts REFERENCING OLD TABLE AS former
  FOR EACH STATEMENT EXECUTE FUNCTION haulier_count_rollout_hosts();

INSERT INTO rollout_host_counts
SELECT h.rollout_id, h.state, h.is_late, h.failure_class IS NOT DISTINCT FROM 'timed_out', h.already_present, count(*), sum(h.bytes),
  sum(h.total_bytes), sum(h.bytes_per_second)
FROM rollout_hosts h GROUP BY 1, 2, 3, 4, 5;
