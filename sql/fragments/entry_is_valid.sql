e.id <> '' AND e.account_id <> ''
   AND CASE
           WHEN e.kind = 'usage'           THEN e.credits <= 0
           WHEN e.kind = 'purchase'        THEN e.credits >= 0
           WHEN e.kind = 'promo'           THEN e.credits >= 0
           WHEN e.kind = 'credit_back'     THEN e.credits >= 0
           WHEN e.kind = 'refund'          THEN e.credits <= 0
           WHEN e.kind = 'refund_reversal' THEN e.credits >= 0
           WHEN e.kind = 'adjustment'      THEN e.credits IS NOT NULL
           ELSE false
       END
   -- Not a range: without statistics a planner takes that for the way to the few rows in it, and reads the index of all for each that it looks up.
   AND (e.created_at NOT {{ sane_time }}) IS FALSE
