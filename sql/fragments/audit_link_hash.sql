-- of link l; the same as the table's constraint says
encode(sha256(convert_to(jsonb_build_array(l.link, l.previous_sha256, l.changes, l.changes_sha256, l.actor, l.run,
              (extract(epoch FROM l.at) * 1000000)::bigint)::text, 'UTF8')), 'hex')
