-- The zones that the server knows.
SELECT name FROM pg_timezone_names ORDER BY name COLLATE "C"
