-- expand
-- Host names are compared without case: `name` and every other column that holds one has the lower-case form. This is the
-- name as its worker writes it; null until a worker of this version reports.
ALTER TABLE hosts ADD COLUMN shown_name text;
