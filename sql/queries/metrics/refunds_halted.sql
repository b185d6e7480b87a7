-- By the kill switch, or by a limit or the anomaly stop: a plan that was stopped and still has money to move, none of which has moved since.
SELECT coalesce((SELECT action = 'halted' FROM reconciler.refund_switch ORDER BY action_no DESC LIMIT 1), false)
    OR EXISTS (
        SELECT FROM reconciler.refund_trips t
        WHERE EXISTS (SELECT FROM reconciler.refund_intents i WHERE i.plan_id = t.plan_id AND i.state = 'planned')
          AND NOT EXISTS (
              SELECT FROM reconciler.refund_intents i
              JOIN reconciler.refund_events e ON e.account_id = i.account_id AND e.intent_id = i.intent_id
              WHERE i.plan_id = t.plan_id AND e.state = 'sending' AND e.at > t.at)) AS halted
