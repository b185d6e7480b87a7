-- A draft's lines come and go: those that an invoice no longer has are taken out.
DELETE FROM reconciler.stripe_invoice_lines l
WHERE l.invoice_id = ANY (@invoice_ids::text[])
  AND NOT EXISTS (
      SELECT FROM unnest(@invoice_id::text[], @id::text[]) AS k(invoice_id, id)
      WHERE k.invoice_id = l.invoice_id AND k.id = l.id)
