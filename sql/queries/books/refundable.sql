-- What may be refunded as the night opens, per currency.
SELECT currency, coalesce(sum(amount_minor) FILTER (WHERE is_opening), 0) AS opening
FROM {{ windows_standing }} w
GROUP BY 1
ORDER BY 1
