SELECT request_id FROM reconciler.refund_decisions WHERE request_id = ANY (@ids::text[]) AND decision IN ('approve', 'deny')
