-- How many jobs and entries are stamped in a night, whether they keep the contract or not: counted from the index alone.
SELECT (SELECT count(*) FROM source.jobs j WHERE j.finished_at >= @begins::timestamptz AND j.finished_at < @ends::timestamptz) AS jobs,
       (SELECT count(*) FROM source.credit_entries e WHERE e.created_at >= @begins::timestamptz AND e.created_at < @ends::timestamptz) AS entries
