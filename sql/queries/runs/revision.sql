-- The revision that a rerun works on: the one last published. A difference makes the next one at publication.
SELECT coalesce(max(revision), 1) FROM reconciler.publications WHERE business_date = @date::date
