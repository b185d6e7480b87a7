-- Every refund ever planned by the night, by where it stands; and the credits that they hold, once from the ledger and once from the states. What
-- others gave back of refunds that came to nothing is still held by our own entries.
WITH standing AS (
    SELECT DISTINCT ON (e.account_id, e.intent_id) e.account_id, e.intent_id, e.state
    FROM reconciler.refund_events e
    WHERE e.business_date <= @date::date
    ORDER BY e.account_id, e.intent_id, e.event_no DESC
), moved AS (
    SELECT e.account_id, e.intent_id, bool_or(e.state = 'sending') AS held, bool_or(e.state IN ('rejected', 'failed')) AS released
    FROM reconciler.refund_events e
    WHERE e.business_date <= @date::date
    GROUP BY 1, 2
)
SELECT (SELECT count(*) FROM reconciler.refund_events WHERE event_no = 1 AND business_date <= @date::date) AS planned,
       (SELECT count(*) FILTER (WHERE state IN ('sent', 'settled', 'cancelled')) FROM standing) AS matched,
       (SELECT count(*) FILTER (WHERE state IN ('planned', 'sending', 'unknown')) FROM standing) AS awaiting,
       (SELECT count(*) FILTER (WHERE state IN ('stopped', 'rejected', 'failed')) FROM standing) AS ended,
       (SELECT coalesce(-sum(e.credits), 0) FROM moved v
        JOIN reconciler.refund_intents i ON i.account_id = v.account_id AND i.intent_id = v.intent_id
        JOIN source.credit_entries e ON e.account_id = i.account_id
         AND (v.held AND e.id = i.hold_entry_id AND i.hold_entry_id <> '' OR v.released AND e.id = i.release_entry_id AND i.release_entry_id <> '')) AS ledger,
       (SELECT coalesce(sum(CASE WHEN s.state IN ('rejected', 'failed') THEN i.given_back ELSE m.credits END), 0) FROM standing s
        JOIN reconciler.refund_plan_items m ON m.account_id = s.account_id AND m.intent_id = s.intent_id
        JOIN reconciler.refund_intents i ON i.account_id = s.account_id AND i.intent_id = s.intent_id
        WHERE s.state IN ('sending', 'unknown', 'sent', 'settled', 'rejected', 'failed')) AS held
