-- Writes the link of a transaction's changes, chained to the one before; nothing when there are none.
WITH audited AS (SELECT * FROM reconciler.audit_changes WHERE link = @link::bigint)
INSERT INTO reconciler.audit_links (link, previous_link, previous_sha256, changes, changes_sha256, actor, run, at, sha256)
SELECT l.link, nullif(l.link - 1, 0), l.previous_sha256, l.changes, l.changes_sha256, l.actor, l.run, l.at, {{ audit_link_hash }}
FROM (SELECT @link::bigint AS link, @previous_sha256::text AS previous_sha256, d.changes::int AS changes, d.changes_sha256,
             @actor::text AS actor, @run::text AS run, @at::timestamptz AS at
      FROM {{ audit_changes_digest }} d
      WHERE d.link = @link::bigint) l
