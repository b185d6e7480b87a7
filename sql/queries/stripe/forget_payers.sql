-- Forgets who paid charges whose purchase has arrived since they were read: the platform knows its customer.
UPDATE reconciler.stripe_charges c
SET email = '', metadata = '{}'
WHERE (c.email <> '' OR c.metadata <> '{}') AND {{ charge_has_purchase }}
