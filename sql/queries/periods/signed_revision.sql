-- The newest revision of a month that had been signed by @at.
SELECT revision FROM reconciler.month_publications
WHERE period = @period::text AND state <> 'draft' AND published_at <= @at::timestamptz
ORDER BY revision DESC LIMIT 1
