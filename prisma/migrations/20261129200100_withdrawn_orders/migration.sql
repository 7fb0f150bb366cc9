-- expand
-- Orders to show a version that have no answer yet: few rows, looked at in every round.
CREATE INDEX rollout_hosts_ordered_idx ON rollout_hosts (rollout_id, host)
  WHERE ordered_at IS NOT NULL AND activated_at IS NULL;
