-- expand
-- How the hosts of a rollout fetched one file from each other. It stays when the swarm is gone.
CREATE TABLE rollout_swarms (
  rollout_id   uuid NOT NULL REFERENCES rollouts (id) ON DELETE CASCADE,
  cid          text NOT NULL,
  size_bytes   bigint NOT NULL CHECK (size_bytes > 0),
  hosts        integer NOT NULL,
  origin_bytes bigint NOT NULL,
  numbers      jsonb NOT NULL,
  updated_at   timestamptz(3) NOT NULL,
  PRIMARY KEY (rollout_id, cid)
);

-- How fast bytes may enter a site, over all of its hosts that announce themselves.
CREATE TABLE site_limits (
  site             text PRIMARY KEY,
  bytes_per_second bigint NOT NULL CHECK (bytes_per_second > 0),
  set_by           text NOT NULL,
  set_at           timestamptz(3) NOT NULL
);
