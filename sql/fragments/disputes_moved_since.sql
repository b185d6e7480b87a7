-- What has taken another status since, or got money back: disputes among them.
(SELECT h.object_id AS id FROM reconciler.stripe_states h WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
 UNION
 SELECT t.source_id FROM reconciler.stripe_balance_transactions t
 WHERE t.reporting_category = 'dispute_reversal' AND t.created_at >= @since::timestamptz AND t.created_at < @as_of::timestamptz)
