-- What of the ids in twice is to be said, with how many rows there are of each as of the night; and how many there are too many in all.
kept AS (
    INSERT INTO reconciler.rejects (account_id, business_date, cause, relation, row_id, field, value, problem)
    SELECT account_id, @date::date, 'duplicate', @relation::text, id, 'id', id, 'is not unique: ' || rows || ' rows' FROM twice
)
SELECT count(*) AS ids, coalesce(sum(rows - 1), 0) AS surplus FROM twice
