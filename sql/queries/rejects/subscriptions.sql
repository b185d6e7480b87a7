-- All subscriptions: they carry no time of their own, and are few. What breaks the contract is named, field by field;
-- a row that no fault explains is named all the same.
WITH looked_at AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.subscriptions e
    WHERE ({{ subscription_is_valid }}) IS NOT TRUE
), {{ subscriptions_faults }}, kept AS (
    INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem)
    SELECT account_id, @date::date, 'subscriptions', row_id, field, coalesce(min(value), 'null'), min(problem)
    FROM fault f
    WHERE field <> '(row)' OR NOT EXISTS (SELECT FROM fault g WHERE g.n = f.n AND g.field <> '(row)')
    GROUP BY account_id, row_id, field
)
SELECT count(*)::text FROM looked_at
