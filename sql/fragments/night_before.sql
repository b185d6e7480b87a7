-- The newest night before this one that was reported by the time that this one was: nights run later on, out of order, change nothing.
(SELECT max(p.business_date) FROM reconciler.publications p
 WHERE p.business_date < @date::date AND p.revision = 1
   AND p.published_at <= coalesce((SELECT t.published_at FROM reconciler.publications t WHERE t.business_date = @date::date AND t.revision = 1), 'infinity'))
