SELECT sha256 FROM reconciler.audit_links WHERE link = @link::bigint
