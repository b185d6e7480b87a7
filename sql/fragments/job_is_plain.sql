-- A job j that is settled once one debit of its cost is there: it succeeded, or failed in a way that the policy knows.
(j.status = 'succeeded' OR j.status || ':' || coalesce(j.failure_code, '') = ANY (@known_failures::text[]))
