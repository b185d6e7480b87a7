INSERT INTO reconciler.failure_classes (policy, version, status, failure_code, class, rule, clause, reason)
VALUES (@policy::text, @version::text, @status::text, @failure_code::text, @class::text, @rule::text, @clause::text, @reason::text)
ON CONFLICT (policy, version, status, failure_code) DO NOTHING
