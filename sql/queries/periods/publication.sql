-- The newest revision of a month that is on record.
SELECT revision, state, action_no, manifest_sha256 FROM reconciler.month_publications WHERE period = @period::text ORDER BY revision DESC LIMIT 1
