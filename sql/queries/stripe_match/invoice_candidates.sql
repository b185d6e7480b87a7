-- Invoices of subscriptions, since a counterpart could have been awaited, and drafts of before that became invoices since.
INSERT INTO reconciler.candidates (business_date, job, account_id, subject_id, in_scan)
SELECT @date::date, @scope::text, '', c.id, c.in_scan
FROM (SELECT i.id, true AS in_scan
      FROM reconciler.stripe_invoices i
      WHERE i.subscription_id <> '' AND i.created_at >= @since::timestamptz AND i.created_at < @as_of::timestamptz
      UNION
      SELECT i.id, false
      FROM reconciler.stripe_states h
      JOIN reconciler.stripe_invoices i ON i.id = h.object_id AND i.subscription_id <> '' AND i.created_at < @since::timestamptz
      WHERE h.effective_at >= @since::timestamptz AND h.effective_at < @as_of::timestamptz
        AND EXISTS (SELECT 1 FROM reconciler.stripe_states d WHERE d.object_id = h.object_id AND d.status = 'draft' AND d.effective_at < h.effective_at)) c
