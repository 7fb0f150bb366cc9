-- expand
-- Labels say which hosts a selector means: those that were set through the API win over those that the worker reported.
ALTER TABLE hosts
  ADD COLUMN labels        jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN worker_labels jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN facts         jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN draining      boolean NOT NULL DEFAULT false;
