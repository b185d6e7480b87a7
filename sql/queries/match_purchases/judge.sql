-- Purchase against grants, exactly: every grant of the purchase up to the as-of, on whichever account. An adjustment that names the purchase corrects
-- its grant; of a purchase that is not completed, also what was taken back as by a refund. Looked up subject by subject, as in match_jobs/judge.
WITH subject AS MATERIALIZED (
    SELECT {{ subject_id }} AS subject_id, subject_id LIKE 'entry:self:%' AS is_entry, count(*) FILTER (WHERE in_scan) AS purchases,
        sum(cost) AS night_credits, sum(debits) AS night_grants, count(*) FILTER (WHERE account_id = '') AS carried
    FROM reconciler.candidates
    WHERE business_date = @date::date AND job = @job::text
    GROUP BY 1, 2
), purchase AS MATERIALIZED (
    SELECT s.*, p.id IS NOT NULL AS known,
           p.id IS NULL AND EXISTS (SELECT FROM source.purchases r WHERE r.id = s.subject_id AND NOT s.is_entry
                                    AND (r.created_at < @as_of::timestamptz) IS NOT FALSE) AS rejected,
           p.id, p.account_id, p.status, coalesce(p.credits, 0)::numeric AS credits,
           coalesce(p.status = 'completed' AND p.completed_at < @as_of::timestamptz, false) AS completed
    FROM subject s
    LEFT JOIN LATERAL (SELECT * FROM (SELECT * FROM {{ valid_purchases }} p WHERE p.id = s.subject_id AND NOT s.is_entry AND p.created_at < @as_of::timestamptz OFFSET 0) p
                       ORDER BY p.created_at LIMIT 1) p ON true
), unnamed AS MATERIALIZED (
    SELECT s.subject_id, substr(s.subject_id, 7) AS entry_id FROM subject s WHERE s.is_entry
), corrects AS MATERIALIZED (
    -- Ids of purchases that are just as well the name of an entry without a purchase.
    SELECT DISTINCT s.subject_id
    FROM (SELECT s.subject_id, substr(s.subject_id, 7) AS entry_id FROM subject s WHERE NOT s.is_entry AND s.subject_id LIKE 'entry:%') s
    CROSS JOIN LATERAL (SELECT x.account_id FROM source.credit_entries x WHERE x.id = s.entry_id AND coalesce(x.purchase_id, '') = '' GROUP BY x.account_id) x
), named AS MATERIALIZED (
    SELECT s.subject_id, k.subject_id IS NOT NULL AS corrects FROM subject s LEFT JOIN corrects k ON k.subject_id = s.subject_id WHERE NOT s.is_entry
), granted AS MATERIALIZED (
    SELECT s.subject_id, false AS is_entry, e.*
    FROM named s
    CROSS JOIN LATERAL (SELECT {{ granted_of_purchase }}
                        FROM {{ entries }} e
                        WHERE e.purchase_id = s.subject_id AND e.effective_at < @as_of::timestamptz
                          AND e.kind IN ('purchase', 'adjustment', 'refund', 'refund_reversal') AND NOT (e.kind = 'adjustment' AND s.corrects)
                        GROUP BY e.account_id) e
    UNION ALL
    -- An entry that names no purchase stands for itself, and an adjustment that names it, as entry:ID, corrects it.
    SELECT s.subject_id, true, e.*
    FROM unnamed s
    CROSS JOIN LATERAL (SELECT {{ granted_of_purchase }}
                        FROM {{ entries }} e
                        WHERE e.id = s.entry_id AND coalesce(e.purchase_id, '') = '' AND e.effective_at < @as_of::timestamptz AND e.kind = 'purchase'
                        GROUP BY e.account_id) e
    UNION ALL
    SELECT s.subject_id, true, e.*
    FROM unnamed s
    CROSS JOIN LATERAL (SELECT {{ granted_of_purchase }}
                        FROM {{ entries }} e
                        WHERE e.purchase_id = s.subject_id AND e.effective_at < @as_of::timestamptz AND e.kind = 'adjustment'
                        GROUP BY e.account_id) e
), ledger AS MATERIALIZED (
    SELECT p.subject_id, p.is_entry,
           sum(g.credits) FILTER (WHERE g.account_id = p.account_id) AS own, sum(g.grants) FILTER (WHERE g.account_id = p.account_id) AS own_grants,
           sum(g.credits) FILTER (WHERE g.account_id IS DISTINCT FROM p.account_id) AS other,
           min(g.account_id COLLATE "C") FILTER (WHERE g.account_id IS DISTINCT FROM p.account_id AND g.entries > 0) AS other_account,
           sum(g.taken_back) FILTER (WHERE g.account_id = p.account_id) AS taken_back
    FROM purchase p
    FULL JOIN granted g ON g.subject_id = p.subject_id AND g.is_entry = p.is_entry -- see match_jobs/judge
    GROUP BY 1, 2
), {{ arrived_later }},
fact AS (
    SELECT p.*, p.rejected OR NOT p.is_entry AND p.subject_id IN (SELECT u.subject_id FROM arrived_later u) AS is_left,
           coalesce(l.own, 0) AS own, coalesce(l.own_grants, 0) AS own_grants, coalesce(l.other, 0) AS other, coalesce(l.other_account, '') AS other_account,
           CASE WHEN NOT p.completed THEN l.taken_back END AS taken_back
    FROM purchase p
    FULL JOIN ledger l ON l.subject_id = p.subject_id AND l.is_entry = p.is_entry
), verdict AS MATERIALIZED (
    SELECT t.*,
           CASE WHEN is_left THEN NULL
                WHEN NOT completed AND own + other <> 0 AND own + other IS DISTINCT FROM taken_back THEN 'grant_without_purchase'
                WHEN NOT completed THEN NULL
                WHEN other <> 0 THEN 'grant_amount_mismatch'
                WHEN own = credits THEN NULL
                WHEN own_grants = 0 AND own = 0 THEN 'purchase_without_grant'
                WHEN credits > 0 AND own_grants >= 2 AND own = own_grants * credits THEN 'duplicate_grant'
                ELSE 'grant_amount_mismatch'
           END AS fault
    FROM fact t
), found AS (
    INSERT INTO reconciler.findings (account_id, business_date, job, kind, subject_id, field, ours, theirs, variance, unit, detail)
    SELECT coalesce(account_id, other_account), @date::date, @job::text, fault, subject_id,
           CASE WHEN fault = 'grant_amount_mismatch' AND other <> 0 THEN 'account_id' WHEN is_entry THEN 'entry.credits' ELSE 'credits' END,
           CASE WHEN fault = 'grant_without_purchase' THEN '0' WHEN other <> 0 THEN account_id ELSE credits::text END,
           CASE WHEN fault = 'grant_without_purchase' THEN (own + other)::text WHEN other <> 0 THEN other_account ELSE own::text END,
           CASE WHEN fault = 'grant_without_purchase' THEN -(own + other) WHEN own = credits THEN -other ELSE credits - own END,
           'credits',
           CASE
               WHEN fault = 'grant_without_purchase' THEN own + other || ' credits granted; '
                   || CASE WHEN known THEN 'the purchase is not completed (' || status || ')' WHEN is_entry THEN 'the entry names no purchase' ELSE 'there is no such purchase' END
               WHEN fault = 'purchase_without_grant' THEN credits || ' credits purchased, no grant names the purchase'
               WHEN fault = 'duplicate_grant' THEN own_grants || ' grants of ' || credits || ' credits each'
               ELSE CASE WHEN other <> 0 THEN 'granted to account ' || other_account || ': ' || other || ' credits; to the buyer''s account: ' || own || ' of ' || credits || ' credits'
                         ELSE credits || ' credits purchased, ' || own || ' granted in ' || CASE WHEN own_grants = 1 THEN '1 grant' ELSE own_grants || ' grants' END END
           END
    FROM verdict
    WHERE fault IS NOT NULL
)
SELECT CASE WHEN fault IS NOT NULL THEN 'breaks' WHEN rejected THEN 'awaiting' ELSE 'matched' END AS outcome,
       sum(purchases) AS jobs, sum(night_credits) AS cost, sum(night_grants) AS debits, sum(carried) AS carried
FROM verdict
GROUP BY 1
ORDER BY 1
