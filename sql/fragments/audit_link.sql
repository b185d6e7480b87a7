-- The link that chains "audited" to the newest link ("newest_link"); none when nothing is audited.
INSERT INTO reconciler.audit_links (link, previous_link, previous_sha256, changes, changes_sha256, actor, run, at, sha256)
SELECT l.link, nullif(l.link - 1, 0), l.previous_sha256, l.changes, l.changes_sha256, l.actor, l.run, l.at, {{ audit_link_hash }}
FROM (SELECT d.link, n.sha256 AS previous_sha256, d.changes::int AS changes, d.changes_sha256, @actor::text AS actor, @run::text AS run, @at::timestamptz AS at
      FROM {{ audit_changes_digest }} d
      CROSS JOIN newest_link n) l
