-- What may be refunded, per currency: as the night opens, without and with its own sales, and as it closes.
SELECT currency, coalesce(sum(amount_minor) FILTER (WHERE is_opening), 0) AS opening, coalesce(sum(amount_minor) FILTER (WHERE is_after), 0) AS closing
FROM {{ windows_standing }} w
GROUP BY 1
ORDER BY 1
