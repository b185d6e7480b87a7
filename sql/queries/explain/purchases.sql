SELECT p.created_at AS at, 'platform.purchases ' || p.id AS source, '' AS clause,
       'purchase ' || p.id || ' (' || coalesce(p.kind, '?') || ') was made by account ' || coalesce(p.account_id, '?') || ': ' || coalesce(p.credits::text, '?')
       || ' credits for ' || {{ amount_mark }} || coalesce(p.amount_minor::text, '?') || ' ' || coalesce(p.currency, '?') || {{ amount_mark }}
       || '; status ' || coalesce(p.status, '?') AS says
FROM source.purchases p WHERE p.id = ANY (@ids::text[])
UNION ALL
SELECT p.completed_at, 'platform.purchases ' || p.id, '', 'purchase ' || p.id || ' was completed'
FROM source.purchases p WHERE p.id = ANY (@ids::text[]) AND p.completed_at IS NOT NULL
UNION ALL
SELECT e.created_at, 'platform.credit_entries ' || e.id, '',
       {{ entry_says }}
FROM source.credit_entries e WHERE e.purchase_id = ANY (@ids::text[])
UNION ALL
-- Windows are stated every night; the story needs the first and those in which the state changed. What came late was open before a night has said so.
SELECT (SELECT max(r.as_of) FROM reconciler.runs r WHERE r.business_date = w.business_date), 'refund_windows.csv of ' || w.business_date,
       CASE w.state WHEN 'used' THEN '2.3' WHEN 'expired' THEN '2.3' WHEN 'disputed' THEN '5.1' ELSE '2.1' END,
       'the refund window is ' || w.state || CASE WHEN w.state_before <> '' THEN ' (was ' || w.state_before || ')' ELSE '' END
       || '; ' || w.used_credits || ' of ' || w.credits || ' credits used; a refund can be requested until '
       || to_char(w.expires_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC; policy ' || w.policy_version
FROM (SELECT p.account_id, p.id FROM source.purchases p WHERE p.id = ANY (@ids::text[])
      UNION SELECT e.account_id, e.purchase_id FROM source.credit_entries e WHERE e.purchase_id = ANY (@ids::text[])) o
JOIN reconciler.refund_windows w ON w.account_id = o.account_id AND w.purchase_id = o.id
WHERE w.state <> w.state_before
   OR NOT EXISTS (SELECT FROM reconciler.refund_windows v WHERE v.account_id = w.account_id AND v.purchase_id = w.purchase_id AND v.business_date < w.business_date)
