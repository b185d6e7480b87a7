SELECT business_date, revision, manifest_sha256
FROM reconciler.publications
WHERE business_date < @date::date
ORDER BY business_date DESC, revision DESC
LIMIT 1
