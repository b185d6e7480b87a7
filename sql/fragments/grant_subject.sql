-- What entry e is looked at as: the purchase that it names, or itself; as in entry_subject.
CASE WHEN coalesce(e.purchase_id, '') = '' THEN 'entry:self:' || e.id WHEN e.purchase_id LIKE 'entry:%' THEN 'entry:named:' || e.purchase_id ELSE e.purchase_id END
