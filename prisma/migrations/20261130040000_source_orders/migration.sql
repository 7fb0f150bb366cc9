-- expand
-- The order that an admin set for the sources of a layer. An empty one leaves the order to what is measured.
CREATE TABLE source_orders (
  layer   text PRIMARY KEY,
  origins text[] NOT NULL,
  -- Counts the changes, so that one that was made in between is noticed.
  version bigint NOT NULL,
  set_by  text NOT NULL,
  set_at  timestamptz(3) NOT NULL
);
