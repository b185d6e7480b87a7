-- Sends each id of the night's entries to the node that its hash names, from node to node.
INSERT INTO reconciler.spread_ids (id)
SELECT x.id FROM every_row_of.credit_entries x
WHERE {{ entries_searched }}
