-- The newest night that is done, whichever nights were run before or after it, and the oldest that was ever begun; nulls when there is none.
SELECT max(n.business_date) FILTER (WHERE n.status = 'completed') AS completed, min(n.business_date) AS begun
FROM {{ nights }} n
