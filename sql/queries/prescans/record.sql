INSERT INTO reconciler.prescans (business_date, token, jobs, cost, debits)
VALUES (@date::date, @token::text, @jobs::numeric, @cost::numeric, @debits::numeric)
ON CONFLICT (business_date) DO UPDATE SET token = excluded.token, jobs = excluded.jobs, cost = excluded.cost, debits = excluded.debits
