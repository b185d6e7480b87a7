INSERT INTO source.credit_entries (id, account_id, kind, credits, purchase_id, idempotency_key, memo, created_at)
VALUES (@entry_id::text, @account_id::text, 'refund_reversal', @credits::bigint, @purchase_id::text, 'reconciler:refund_reversal:' || @intent_id::text,
        'the refund of purchase ' || @purchase_id::text || ', request ' || @request_id::text || ', came to nothing', @booked_at::timestamptz)
