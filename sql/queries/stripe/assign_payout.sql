-- The balance transactions that an automatic payout paid out.
UPDATE reconciler.stripe_balance_transactions SET payout_id = @payout_id::text
WHERE id = ANY (@ids::text[]) AND payout_id <> @payout_id::text
