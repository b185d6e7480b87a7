-- Relations of which some night has found ids that are there more than once.
SELECT DISTINCT relation FROM reconciler.rejects WHERE cause = 'duplicate' ORDER BY 1
