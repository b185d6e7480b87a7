-- The charge that pays purchase p, of those that are tied to it. A payment that failed gives way to one that didn't; of several, the first that
-- went through.
(SELECT c.* FROM {{ charge_links }} l
 CROSS JOIN LATERAL (SELECT c.* FROM {{ charges_as_of }} c WHERE c.id = l.id OFFSET 0) c
 ORDER BY c.status = 'failed', l.link, c.status <> 'succeeded', c.created_at, c.id
 LIMIT 1)
