-- expand
-- Where the source of a try belongs (scheme, host and port), and how many of its bytes were kept. Null in rows of earlier releases.
ALTER TABLE tries
  ADD COLUMN origin          text,
  ADD COLUMN committed_bytes bigint;

-- Layer, kind and origin of the source in use, so that what a killed worker had kept is counted there.
ALTER TABLE downloads ADD COLUMN source_place jsonb;
