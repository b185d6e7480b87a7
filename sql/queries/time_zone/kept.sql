SELECT zone, (SELECT min(business_date) FROM reconciler.runs) AS first_night FROM reconciler.time_zone
