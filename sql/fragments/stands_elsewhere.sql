-- Findings f of the night that are of a break b which stands on another account: it is open, or a person's word on it holds. A newer break of the same
-- id, on whatever account, comes before one that is closed.
reconciler.findings f
JOIN reconciler.breaks b ON b.break_id = f.break_id AND b.account_id <> f.account_id
JOIN rule r ON r.kind = f.kind
CROSS JOIN LATERAL (SELECT b.account_id, b.break_id, f.ours, f.theirs, f.variance) g
LEFT JOIN LATERAL {{ last_event }} l ON b.closed_as = 'resolved'
WHERE f.business_date = @date::date AND f.job = @job::text AND b.opened_on <= @date::date
  AND ((b.closed_on IS NULL OR b.closed_on > @date::date) AND {{ newest_episode }}
       OR coalesce({{ stays_resolved }}, false)
          AND NOT EXISTS (SELECT FROM reconciler.breaks n WHERE n.break_id = b.break_id AND n.opened_on > b.opened_on AND n.opened_on <= @date::date))
