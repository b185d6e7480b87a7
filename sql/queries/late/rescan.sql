INSERT INTO reconciler.rescans (business_date, relation, rescanned, begins, ends)
VALUES (@date::date, @relation::text, @rescanned::date, @begins::timestamptz, @ends::timestamptz)
ON CONFLICT DO NOTHING
