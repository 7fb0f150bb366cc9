-- expand
-- No query of this release counts downloads by status; those of the release before go on without the index, more slowly.
-- By itself: the lock that this needs, taken after that of a trigger, is a deadlock with every transaction that read a row to write it.
DROP INDEX downloads_status_count_idx;
