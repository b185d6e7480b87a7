-- What was done to a period, oldest first: closings, reopenings, reviews.
SELECT h.action_no, h.action, h.actor, h.reason, h.at, h.manifest_sha256
FROM (SELECT p.action_no, p.action, p.actor, p.reason, p.at, '' AS manifest_sha256, 1 AS place FROM reconciler.periods p WHERE p.period = @period::text
      UNION ALL
      SELECT r.action_no, 'reviewed', r.reviewed_by, '', r.at, r.manifest_sha256, 2 FROM reconciler.period_reviews r WHERE r.period = @period::text) h
ORDER BY h.action_no, h.place
