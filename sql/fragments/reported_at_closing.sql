-- The newest night that had been reported when month p was closed, at p.at: what is booked in later ones arrived after that.
(SELECT greatest(((p.period || '-01')::date + interval '1 month - 1 day')::date, max(b.business_date))
 FROM reconciler.publications b WHERE b.revision = 1 AND b.published_at <= p.at)
