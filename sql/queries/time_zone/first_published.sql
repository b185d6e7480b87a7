SELECT min(business_date) AS business_date FROM reconciler.publications
