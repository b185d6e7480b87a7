-- Used once, and only by the process that made it; not when rows turned up late for the night, which the scan then hasn't seen.
DELETE FROM reconciler.prescans p
WHERE p.business_date = @date::date
RETURNING p.token = @token::text
          AND NOT EXISTS (SELECT FROM reconciler.late_items l WHERE l.booked_on = @date::date)
          AND NOT EXISTS (SELECT FROM reconciler.rescans r WHERE r.business_date = @date::date) AS usable,
          p.jobs::text AS jobs, p.cost::text AS cost, p.debits::text AS debits
