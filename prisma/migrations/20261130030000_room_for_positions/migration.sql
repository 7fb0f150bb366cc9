-- expand
-- Positions of running downloads change often and no index has them: with room on its page a row changes in place. New pages only.
ALTER TABLE downloads SET (fillfactor = 85);
