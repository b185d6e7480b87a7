-- What the lines of invoice x.invoice_id have earned of x.net_minor by the end of at.day; is_known: whether they explain it, last_day: when all is
-- earned. A test compares this with the rule for one charge.
(SELECT coalesce(sum(div(l.share * greatest(0, least(l.days, at.day - l.first_day + 1)), l.days)), 0) AS earned,
        coalesce(bool_and(l.share IS NOT NULL), false) AS is_known, max(l.first_day + l.days - 1) AS last_day
 FROM (SELECT w.first_day, w.days,
              CASE WHEN w.total = x.net_minor THEN w.weight
                   WHEN w.total <> 0 AND sign(w.total) * sign(x.net_minor) >= 0
                   THEN div(x.net_minor * w.through, w.total) - div(x.net_minor * (w.through - w.weight), w.total) END AS share
       FROM (SELECT d.weight, d.first_day, greatest(1, d.next_day - d.first_day) AS days, sum(d.weight) OVER () AS total,
                    sum(d.weight) OVER (ORDER BY d.period_start, d.id COLLATE "C") AS through
             FROM (SELECT n.id, n.period_start, (n.amount_minor - n.inclusive_tax_minor)::numeric AS weight,
                          (coalesce(n.period_start, v.created_at) AT TIME ZONE @zone::text)::date AS first_day,
                          (coalesce(n.period_end, n.period_start, v.created_at) AT TIME ZONE @zone::text)::date AS next_day
                   FROM reconciler.stripe_invoices v
                   JOIN reconciler.stripe_invoice_lines n ON n.invoice_id = v.id
                   WHERE v.id = x.invoice_id AND v.finalized_at < @end::timestamptz) d) w) l)
