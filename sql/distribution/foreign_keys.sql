-- The foreign keys that begin or end at tables of the platform's, from and to which columns. $1 is its schema.
SELECT format('%I.%I', n.nspname, r.relname) AS referring, f.conname AS name, CASE WHEN n.nspname = $1 THEN r.relname ELSE '' END AS relation, CASE WHEN m.nspname = $1 THEN t.relname ELSE '' END AS referred,
       pg_get_constraintdef(f.oid) AS definition,
       ARRAY(SELECT a.attname FROM unnest(f.conkey) WITH ORDINALITY k (no, at) JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.no ORDER BY k.at)::text[] AS columns,
       ARRAY(SELECT a.attname FROM unnest(f.confkey) WITH ORDINALITY k (no, at) JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.no ORDER BY k.at)::text[] AS referred_columns
FROM pg_constraint f
JOIN pg_class r ON r.oid = f.conrelid
JOIN pg_namespace n ON n.oid = r.relnamespace
JOIN pg_class t ON t.oid = f.confrelid
JOIN pg_namespace m ON m.oid = t.relnamespace
WHERE f.contype = 'f' AND f.conparentid = 0 AND $1 IN (n.nspname, m.nspname)
ORDER BY n.nspname, r.relname, f.conname
