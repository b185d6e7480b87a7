SELECT i.created_at AS at, 'Stripe payment intent ' || i.id AS source, '' AS clause,
       'payment intent ' || i.id || ' over ' || {{ amount_mark }} || i.amount_minor || ' ' || i.currency || {{ amount_mark }} || ', ' || i.status
           || '; received ' || {{ amount_mark }} || i.received_minor || ' ' || i.currency || {{ amount_mark }} AS says
FROM reconciler.stripe_payment_intents i WHERE i.id = ANY (@ids::text[])
