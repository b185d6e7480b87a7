SELECT link, sha256 FROM reconciler.audit_links ORDER BY link DESC LIMIT 1
