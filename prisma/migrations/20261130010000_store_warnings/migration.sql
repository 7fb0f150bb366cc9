-- expand
-- The newest warning of each host about its store is read with every look at the state of the system.
CREATE INDEX host_notices_store_idx ON host_notices (host, at DESC) WHERE notice = 'store_over_limit';
