e.id <> '' AND e.account_id <> ''
   AND CASE e.kind
           WHEN 'usage'           THEN e.credits <= 0
           WHEN 'purchase'        THEN e.credits >= 0
           WHEN 'promo'           THEN e.credits >= 0
           WHEN 'credit_back'     THEN e.credits >= 0
           WHEN 'refund'          THEN e.credits <= 0
           WHEN 'refund_reversal' THEN e.credits >= 0
           WHEN 'adjustment'      THEN e.credits IS NOT NULL
           ELSE false
       END
   -- Not a range: without statistics a planner takes that for the way to the few rows in it, and reads the index of all for each that it looks up.
   AND (e.created_at NOT {{ sane_time }}) IS FALSE
