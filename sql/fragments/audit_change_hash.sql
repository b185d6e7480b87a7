-- of change c; the same as the table's constraint says
encode(sha256(convert_to(jsonb_build_array(c.account_id, c.subject, c.subject_id, c.change, c.detail, c.link, c.change_no)::text, 'UTF8')), 'hex')
