-- expand
-- Pages of what a host has, until the set is complete and is compared with what is wanted there.
CREATE TABLE inventory_pages (
  host          text NOT NULL,
  boot_id       uuid NOT NULL,
  at            timestamptz(3) NOT NULL,
  page          integer NOT NULL,
  pages         integer NOT NULL,
  models_folder text NOT NULL,
  entries       jsonb NOT NULL,
  PRIMARY KEY (host, boot_id, at, page)
);

-- The host's clock when it began to read the inventory that was compared last.
ALTER TABLE hosts ADD COLUMN inventory_at timestamptz(3);
