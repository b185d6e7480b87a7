INSERT INTO reconciler.readings_ahead (business_date, token, known)
VALUES (@date::date, @token::text, @known::text)
ON CONFLICT (business_date) DO UPDATE SET token = excluded.token, known = excluded.known
