-- The end of the chain, which is locked; link 0 before the first.
(SELECT link, sha256 FROM (SELECT link, sha256 FROM reconciler.audit_links ORDER BY link DESC LIMIT 1) last
 UNION ALL SELECT 0, '' WHERE NOT EXISTS (SELECT FROM reconciler.audit_links))
