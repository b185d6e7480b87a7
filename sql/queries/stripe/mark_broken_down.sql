UPDATE reconciler.stripe_payouts SET broken_down = true WHERE id = @payout_id::text
