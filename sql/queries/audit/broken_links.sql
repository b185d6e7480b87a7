-- Links whose own hash, or whose place in the chain, is not what it should be.
SELECT l.link, CASE WHEN l.sha256 <> {{ audit_link_hash }} THEN 'its hash is not that of its content'
                    WHEN l.link > 1 AND p.link IS NULL THEN 'the link before it is missing'
                    WHEN l.link > 1 AND p.sha256 <> l.previous_sha256 THEN 'it does not follow the link before it' END AS problem
FROM reconciler.audit_links l
LEFT JOIN reconciler.audit_links p ON p.link = l.link - 1
WHERE l.sha256 <> {{ audit_link_hash }} OR l.link > 1 AND (p.link IS NULL OR p.sha256 <> l.previous_sha256)
ORDER BY l.link
LIMIT @limit::int
