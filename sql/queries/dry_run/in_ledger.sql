SELECT id FROM source.credit_entries WHERE id = ANY (@ids::text[])
