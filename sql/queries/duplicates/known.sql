-- Relations of which some night has found ids that are there more than once.
SELECT DISTINCT relation FROM reconciler.rejects WHERE field = 'id' AND problem LIKE 'is not unique%' ORDER BY 1
