-- What the checks came to, by control: in objects, and in money per currency.
SELECT control, again, '' AS unit, outcome, count(*) AS amount
FROM reconciler.stripe_checks
WHERE business_date = @date::date AND job = @job::text
GROUP BY control, again, outcome
UNION ALL
SELECT control, again, currency, outcome, sum(amount_minor)
FROM reconciler.stripe_checks
WHERE business_date = @date::date AND job = @job::text AND currency <> ''
GROUP BY control, again, currency, outcome
