-- The digest of each link's changes, of those in "audited", in their order: in portions, so that a link of millions doesn't need them in one piece
-- of memory.
(SELECT link, sum(changes) AS changes, sum(altered) AS altered,
        encode(sha256(convert_to(string_agg(portion_sha256, '' ORDER BY portion), 'UTF8')), 'hex') AS changes_sha256
 FROM (SELECT c.link, (c.change_no - 1) / 4096 AS portion, count(*) AS changes, count(*) FILTER (WHERE c.sha256 <> {{ audit_change_hash }}) AS altered,
              encode(sha256(convert_to(string_agg(c.sha256, '' ORDER BY c.change_no), 'UTF8')), 'hex') AS portion_sha256
       FROM audited c
       GROUP BY 1, 2) portions
 GROUP BY link)
