-- All of the ledger before the night, in sum; reading/all_accounts has noted it account by account.
INSERT INTO reconciler.ledger_before (business_date, entries, credits)
SELECT @date::date, coalesce(sum(a.entries), 0), coalesce(sum(a.credits), 0)
FROM reconciler.account_entries_before a WHERE a.business_date = @date::date
