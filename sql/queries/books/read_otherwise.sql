-- Whether the ledger of the night is no longer what the night had noted when it began: entries were still being written.
SELECT EXISTS (
    SELECT FROM reconciler.roll_forward f
    JOIN reconciler.input_totals t ON t.business_date = f.business_date AND t.relation = 'credit_entries' AND t.bucket = -1
    WHERE f.business_date = @date::date AND f.measure = 'credits'
      AND f.purchases + f.promotions + f.usage + f.credit_backs + f.refunds + f.adjustments <> t.amount)
