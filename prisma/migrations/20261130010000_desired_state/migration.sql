-- expand
-- What is wanted on a host: one version of each model, by the last decision about it. What is there is what its inventory says.
CREATE TABLE desired_models (
  host       text NOT NULL,
  model      text NOT NULL,
  version    text NOT NULL,
  -- The rollout that decided it; null: a request for downloads.
  rollout_id uuid,
  -- A later decision replaces an earlier one. What a rollout holds counts from the start of the rollout.
  decided_at timestamptz(3) NOT NULL,
  PRIMARY KEY (host, model)
) WITH (fillfactor = 85);

INSERT INTO desired_models (host, model, version, decided_at)
SELECT DISTINCT ON (host, model) host, model, version, coalesce(asked_at, created_at)
FROM downloads WHERE host IS NOT NULL AND model IS NOT NULL AND version IS NOT NULL AND status <> 'cancelled'
ORDER BY host, model, coalesce(asked_at, created_at) DESC, id DESC;

-- A rollout that succeeded and goes on giving its models to hosts that lack them.
ALTER TABLE rollouts ADD COLUMN is_holding boolean NOT NULL DEFAULT false;
CREATE INDEX rollouts_holding_idx ON rollouts (created_at) WHERE is_holding;
CREATE INDEX rollout_hosts_open_idx ON rollout_hosts (rollout_id)
  WHERE state NOT IN ('done', 'failed', 'skipped', 'cancelled', 'superseded');
