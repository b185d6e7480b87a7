-- A person has resolved break b, and the values by which its kind (r) says what is wrong are in finding g what they were then (l).
(b.closed_as = 'resolved' AND (NOT r.by_ours OR l.ours = g.ours) AND (NOT r.by_theirs OR l.theirs = g.theirs) AND (NOT r.by_variance OR l.variance = g.variance))
