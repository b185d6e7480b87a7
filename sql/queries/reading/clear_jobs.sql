DELETE FROM reconciler.account_jobs WHERE business_date = @date::date
