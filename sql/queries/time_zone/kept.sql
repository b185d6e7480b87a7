SELECT zone, first_night FROM reconciler.time_zone
