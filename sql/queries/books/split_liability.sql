-- The split of the liability, in money and in credits.
INSERT INTO reconciler.liability_split (business_date, measure, refundable_opening, refundable_closing, nonrefundable_opening, nonrefundable_closing)
SELECT @date::date, f.measure, coalesce(s.opening, 0), coalesce(s.closing, 0), f.opening - coalesce(s.opening, 0), f.closing - coalesce(s.closing, 0)
FROM reconciler.roll_forward f
LEFT JOIN (SELECT CASE WHEN m.measure = 'credits' THEN 'credits' ELSE w.currency END AS measure,
                  sum(CASE WHEN m.measure = 'credits' THEN w.credits ELSE w.amount_minor END) FILTER (WHERE w.is_opening) AS opening,
                  sum(CASE WHEN m.measure = 'credits' THEN w.credits ELSE w.amount_minor END) FILTER (WHERE w.is_after) AS closing
           FROM {{ windows_standing }} w CROSS JOIN (VALUES ('credits'), ('money')) AS m (measure)
           GROUP BY 1) s ON s.measure = f.measure
WHERE f.business_date = @date::date
