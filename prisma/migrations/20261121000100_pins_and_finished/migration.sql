-- expand
-- A model held at one version (VE6): what a request without a version gets, whatever is published later.
CREATE TABLE model_pins (
  model     text PRIMARY KEY,
  version   text NOT NULL,
  pinned_at timestamptz(3) NOT NULL,
  FOREIGN KEY (model, version) REFERENCES manifests (model, version) ON DELETE CASCADE
);

-- "Is this file on that host already?" (CH8); unfinished rows have their own key.
CREATE INDEX downloads_finished_idx ON downloads (content_key, path) WHERE status = 'success';
