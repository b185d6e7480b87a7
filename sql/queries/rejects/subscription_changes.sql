-- Changes asked for or effective in the night, and those whose time can't say of which night they are. What breaks the contract is named, field by field;
-- a row that no fault explains is named all the same. A personal value is not repeated.
WITH looked_at AS MATERIALIZED (
    SELECT row_number() OVER () AS n, e.*
    FROM source.subscription_changes e
    WHERE (requested_at >= @begin::timestamptz AND requested_at < @end::timestamptz OR effective_at >= @begin::timestamptz AND effective_at < @end::timestamptz OR requested_at IS NULL OR requested_at < timestamptz '2000-01-01 00:00:00Z' OR requested_at > timestamptz '2199-12-31 23:59:59Z')
      AND ({{ subscription_change_is_valid }}) IS NOT TRUE
), {{ subscription_changes_faults }}, kept AS (
    INSERT INTO reconciler.rejects (account_id, business_date, relation, row_id, field, value, problem)
    SELECT account_id, @date::date, 'subscription_changes', row_id, field, coalesce(min(value), 'null'), min(problem)
    FROM fault f
    WHERE field <> '(row)' OR NOT EXISTS (SELECT FROM fault g WHERE g.n = f.n AND g.field <> '(row)')
    GROUP BY account_id, row_id, field
)
SELECT count(*)::text FROM looked_at
