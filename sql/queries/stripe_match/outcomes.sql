-- What the checks came to, by check: in objects, and in money per currency. The unit of objects is what follows the last comma of the
-- check's name.
SELECT check_name, '' AS unit, outcome, count(*)::text AS amount
FROM reconciler.stripe_checks
WHERE business_date = @date::date AND job = @job::text
GROUP BY check_name, outcome
UNION ALL
SELECT check_name, currency, outcome, sum(amount_minor)::text
FROM reconciler.stripe_checks
WHERE business_date = @date::date AND job = @job::text AND currency <> ''
GROUP BY check_name, currency, outcome
