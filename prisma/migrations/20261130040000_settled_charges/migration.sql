-- expand
-- What a charge is for: its downloads, each from a generation on. Once they have ended, the charge is what they really moved.
ALTER TABLE site_charges ADD COLUMN downloads uuid[], ADD COLUMN generations integer[], ADD COLUMN settled_at timestamptz(3);
CREATE INDEX site_charges_unsettled_idx ON site_charges (sequence) WHERE settled_at IS NULL AND downloads IS NOT NULL;

-- What settled charges moved, by site and day (UTC).
CREATE TABLE site_days (
  site  text NOT NULL,
  day   date NOT NULL,
  bytes bigint NOT NULL,
  PRIMARY KEY (site, day)
);
