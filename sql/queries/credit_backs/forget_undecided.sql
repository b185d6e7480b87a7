-- What credited nothing may be derived again; what credited is final.
DELETE FROM reconciler.credit_backs WHERE business_date = @date::date AND decision <> 'credited'
