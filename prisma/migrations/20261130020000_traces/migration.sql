-- expand
-- Which trace a download and a rollout belong to, as the W3C writes it; null where nothing is traced.
ALTER TABLE downloads ADD COLUMN traceparent text;
ALTER TABLE rollouts ADD COLUMN traceparent text;
