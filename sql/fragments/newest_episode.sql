-- No later episode of break b speaks for the night. Nights run out of order leave an older episode open beneath a newer one.
NOT EXISTS (SELECT FROM reconciler.breaks n
                  WHERE n.account_id = b.account_id AND n.break_id = b.break_id AND n.opened_on > b.opened_on AND n.opened_on <= @date::date)
