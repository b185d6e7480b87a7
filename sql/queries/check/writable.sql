-- Whether what is connected to takes writes: a standby does not, nor a role whose transactions are read-only by default.
SELECT pg_is_in_recovery() AS standby, current_setting('default_transaction_read_only') = 'on' AS read_only
