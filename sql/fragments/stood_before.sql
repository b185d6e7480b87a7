-- Where the accounts of a common table expression a (account_id) stood at @begin, as before_night says it of accounts that are in a table distributed
-- by account: common table expressions of which the last is stood (account_id, net_usage, credits). Positions and entries are looked up account
-- by account on the node that has them; DISTINCT ON and GROUP BY keep the planner from making sets of them. What is found is grouped, not
-- joined: of a few thousand accounts where it expects one the planner would compare each with all.
position AS MATERIALIZED (
    SELECT p.account_id, p.net_usage, p.credits, p.as_of
    FROM a
    CROSS JOIN LATERAL (SELECT DISTINCT ON (p.account_id) p.account_id, p.net_usage, p.credits, p.as_of FROM reconciler.account_positions p
                        WHERE p.account_id = a.account_id AND p.as_of <= @begin::timestamptz
                        ORDER BY p.account_id, p.business_date DESC) p
), behind AS MATERIALIZED (
    SELECT x.account_id, max(x.as_of) AS as_of
    FROM (SELECT a.account_id, NULL::timestamptz AS as_of FROM a UNION ALL SELECT p.account_id, p.as_of FROM position p) x
    GROUP BY 1
    HAVING (max(x.as_of) = @begin::timestamptz) IS NOT TRUE
), stamped AS MATERIALIZED (
    SELECT s.* FROM behind a
    CROSS JOIN LATERAL (VALUES (a.as_of)) AS p (as_of)
    CROSS JOIN LATERAL (SELECT e.account_id, {{ moved_since }} FROM {{ stamped_since }} GROUP BY e.account_id) s
), late AS MATERIALIZED (
    SELECT s.* FROM behind a
    CROSS JOIN LATERAL (VALUES (a.as_of)) AS p (as_of)
    CROSS JOIN LATERAL (SELECT e.account_id, {{ moved_since }} FROM {{ late_since }} GROUP BY e.account_id) s
), stood AS MATERIALIZED (
    SELECT x.account_id, sum(x.net_usage) AS net_usage, sum(x.credits) AS credits
    FROM (SELECT a.account_id, 0 AS net_usage, 0 AS credits FROM a
          UNION ALL SELECT p.account_id, p.net_usage, p.credits FROM position p
          UNION ALL SELECT s.account_id, s.net_usage, s.credits FROM stamped s
          UNION ALL SELECT s.account_id, s.net_usage, s.credits FROM late s) x
    GROUP BY 1
)
