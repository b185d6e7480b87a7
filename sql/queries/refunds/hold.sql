-- The credits leave the account before the money does. The platform's own unique key makes a second hold of the same refund impossible.
INSERT INTO source.credit_entries (id, account_id, kind, credits, purchase_id, idempotency_key, memo, created_at)
VALUES (@entry_id::text, @account_id::text, 'refund', -@credits::bigint, @purchase_id::text, 'reconciler:refund:' || @intent_id::text,
        'refund of purchase ' || @purchase_id::text || ', request ' || @request_id::text || ' (clause ' || @clauses::text || ')', @booked_at::timestamptz)
