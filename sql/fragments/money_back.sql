-- Whether refund r gives money back. The rest of an authorisation that was captured in part, or not at all, comes as a refund too, but nobody had
-- paid it.
(r.reason <> 'expired_uncaptured_charge'
 AND NOT EXISTS (SELECT FROM reconciler.stripe_balance_transactions t WHERE t.id = r.balance_transaction_id AND t.reporting_category = 'partial_capture_reversal'))
