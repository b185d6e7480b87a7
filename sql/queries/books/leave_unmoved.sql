-- Accounts that were looked at for their refund windows alone: nothing of theirs has moved, and they stand where they stood.
DELETE FROM reconciler.account_moves WHERE business_date = @date::date AND NOT moved
