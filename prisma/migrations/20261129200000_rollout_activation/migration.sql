-- expand
-- The file is stored, and its version is shown only by an activation.
ALTER TABLE downloads ADD COLUMN is_held boolean NOT NULL DEFAULT false;
-- Order of the jobs of a host: 1 is first; null goes before all others, as jobs always did.
ALTER TABLE downloads ADD COLUMN priority integer CHECK (priority BETWEEN 1 AND 1000000);

-- A host that is told to show a version: when it was told, when the order was last given to Redis, and what it answered.
ALTER TABLE rollout_hosts ADD COLUMN activating_at timestamptz(3);
ALTER TABLE rollout_hosts ADD COLUMN ordered_at timestamptz(3);
ALTER TABLE rollout_hosts ADD COLUMN activated_at timestamptz(3);
ALTER TABLE rollout_hosts ADD COLUMN activation_class text;
ALTER TABLE rollout_hosts ADD COLUMN activation_error text;
