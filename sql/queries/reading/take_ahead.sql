-- Used once, and only by the process that read, for the same policy; not when late rows have changed which entries are the night's.
DELETE FROM reconciler.readings_ahead a
WHERE a.business_date = @date::date
RETURNING a.token = @token::text AND a.known = @known::text AND NOT @some_moved::boolean AS usable
