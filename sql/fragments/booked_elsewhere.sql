-- Purchase p is booked where it was before the platform gave it to another account: it is no new one.
(EXISTS (SELECT FROM reconciler.booked_purchases b WHERE b.booked_at = p.completed_at AND b.purchase_id = p.id AND b.account_id <> p.account_id)
 OR EXISTS (SELECT FROM reconciler.booked_purchases b WHERE b.is_late AND b.purchase_id = p.id AND b.account_id <> p.account_id))
