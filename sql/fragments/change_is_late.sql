-- Whether change of plan h took effect in a reported night in which some have arrived since.
EXISTS (SELECT FROM reconciler.rescans r
        WHERE r.relation = 'subscription_changes' AND r.business_date >= (@unseen::timestamptz AT TIME ZONE @zone::text)::date AND r.business_date <= @date::date
          AND h.effective_at >= r.begins AND h.effective_at < r.ends)
