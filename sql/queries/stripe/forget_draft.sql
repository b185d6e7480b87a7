-- A draft that was deleted at Stripe: its row stays, so that whatever named it can say so.
UPDATE reconciler.stripe_invoices SET status = 'deleted' WHERE id = @id::text AND status = 'draft'
