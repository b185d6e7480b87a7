-- Charges that no purchase accounts for, paid with an e-mail address, newest first.
SELECT c.id FROM reconciler.stripe_charges c
WHERE lower(c.email) = lower(@email::text) AND c.email <> ''
ORDER BY c.created_at DESC, c.id COLLATE "C"
LIMIT @most::int
