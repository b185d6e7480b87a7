DELETE FROM reconciler.spread_ids
