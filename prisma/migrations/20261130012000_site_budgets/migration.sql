-- expand
-- How many bytes rollouts and repairs may begin to bring to the hosts of a site within a window.
CREATE TABLE site_budgets (
  site      text PRIMARY KEY,
  bytes     bigint NOT NULL CHECK (bytes > 0),
  window_ms bigint NOT NULL CHECK (window_ms > 0),
  set_by    text NOT NULL,
  set_at    timestamptz(3) NOT NULL
);

-- What was begun: the missing bytes of a host, at the moment when it got its work. Rows older than the window of their site go.
CREATE TABLE site_charges (
  sequence bigserial PRIMARY KEY,
  site     text NOT NULL REFERENCES site_budgets (site) ON DELETE CASCADE,
  at       timestamptz(3) NOT NULL,
  bytes    bigint NOT NULL,
  host     text NOT NULL
);
CREATE INDEX site_charges_site_idx ON site_charges (site, at);
