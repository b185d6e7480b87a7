-- Twice the same session? A pooler that hands out a server connection per transaction breaks the lock of a night.
SELECT pg_backend_pid() AS pid, current_setting('application_name') AS application_name
