-- expand
-- Until when a download waits for sources that cannot be reached. A resume and a loss begin the time anew.
ALTER TABLE downloads
  ADD COLUMN deadline_ms bigint NOT NULL DEFAULT 86400000,
  ADD COLUMN deadline_at timestamptz(3) NOT NULL DEFAULT now() + interval '24 hours';
