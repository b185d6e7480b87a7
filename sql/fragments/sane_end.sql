BETWEEN timestamptz '2000-01-01 00:00:00Z' AND timestamptz '9999-12-31 23:59:59Z'
