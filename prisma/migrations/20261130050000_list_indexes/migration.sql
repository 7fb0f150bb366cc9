-- expand
-- "Where is it" of a model reads the latest download of each file on each host from the index alone.
CREATE INDEX downloads_coverage_idx ON downloads (model, version, host, path, created_at DESC, id DESC) INCLUDE (status)
  WHERE model IS NOT NULL AND host IS NOT NULL;

-- How many downloads have each status: equal keys share their entries, so that this index has a tenth of the size of the one for lists.
CREATE INDEX downloads_status_count_idx ON downloads (status);
