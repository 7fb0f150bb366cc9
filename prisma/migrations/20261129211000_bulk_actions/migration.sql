-- expand
-- One action on many downloads. Which ones is decided once, when it is asked for; API processes carry it out item by item.
CREATE TABLE bulk_actions (
  id         uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  action     text NOT NULL CHECK (action IN ('pause', 'resume', 'cancel', 'retry')),
  filter     jsonb NOT NULL,
  state      text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done')),
  created_by text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  ended_at   timestamptz(3)
);
CREATE INDEX bulk_actions_running_idx ON bulk_actions (created_at) WHERE state = 'running';

CREATE TABLE bulk_items (
  bulk_id     uuid NOT NULL REFERENCES bulk_actions (id) ON DELETE CASCADE,
  position    integer NOT NULL,
  download_id uuid NOT NULL,
  state       text NOT NULL CHECK (state IN ('pending', 'running', 'done', 'unchanged', 'skipped', 'failed')),
  -- For people: why it was skipped, or failed.
  reason      text,
  -- When a process began with it; one that was killed leaves it to another process.
  claimed_at  timestamptz(3),
  PRIMARY KEY (bulk_id, position)
) WITH (fillfactor = 80);
CREATE INDEX bulk_items_open_idx ON bulk_items (bulk_id, position) WHERE state IN ('pending', 'running');
