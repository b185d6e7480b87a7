SELECT clock_timestamp() AS clock
