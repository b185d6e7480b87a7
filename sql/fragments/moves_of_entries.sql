-- What a night's entries x do to net usage, apart from lots.
coalesce(sum(-x.credits) FILTER (WHERE x.kind = 'adjustment' AND x.credits <= 0 AND NOT x.late), 0) AS taken,
coalesce(sum(-x.credits) FILTER (WHERE x.kind = 'usage' AND NOT x.late), 0) AS usage,
coalesce(sum(x.credits) FILTER (WHERE x.kind = 'credit_back' AND NOT x.late), 0) AS credit_backs,
coalesce(sum(-x.credits) FILTER (WHERE (x.kind IN ('usage', 'credit_back') OR x.kind = 'adjustment' AND x.credits <= 0) AND x.late), 0) AS late_net
