-- Links whose changes are not those that were sealed, and changes that belong to no link.
WITH audited AS NOT MATERIALIZED (SELECT * FROM reconciler.audit_changes)
SELECT coalesce(l.link, d.link) AS link,
       CASE WHEN d.link IS NULL THEN 'all its changes are missing'
            WHEN l.link IS NULL THEN 'changes hang on it, but the link is missing'
            WHEN d.changes <> l.changes THEN 'it has ' || d.changes || ' changes, sealed were ' || l.changes
            WHEN d.altered > 0 THEN d.altered || ' of its changes are not what their hashes say'
            ELSE 'its changes are not the sealed ones' END AS problem
FROM reconciler.audit_links l
FULL JOIN {{ audit_changes_digest }} d ON d.link = l.link
WHERE l.link IS NULL OR d.link IS NULL OR d.changes <> l.changes OR d.changes_sha256 <> l.changes_sha256 OR d.altered > 0
ORDER BY 1
LIMIT @limit::int
