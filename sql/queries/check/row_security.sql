-- The platform's tables whose rows a policy hides from the worker's role.
SELECT c.relname AS relation
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = @schema::text AND c.relname = ANY (@relations::text[]) AND c.relrowsecurity AND row_security_active(c.oid)
ORDER BY 1
