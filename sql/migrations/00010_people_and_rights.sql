-- +goose Up
-- Names of people are legible: no character in them is invisible, or people could be told apart that look the same. Rows from before stay.
ALTER TABLE reconciler.refund_plans ADD CONSTRAINT maker_is_legible CHECK (made_by !~
    '[[:cntrl:]\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]') NOT VALID;
ALTER TABLE reconciler.refund_approvals ADD CONSTRAINT checker_is_legible CHECK (approved_by !~
    '[[:cntrl:]\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]') NOT VALID;
-- The worker approves nothing.
ALTER TABLE reconciler.refund_approvals ADD CONSTRAINT checker_is_a_person CHECK (checker <> 'reconciler') NOT VALID;

-- States are dated anew where Stripe tells later when they began; nothing else of them ever changes, which the worker's rights see to.
COMMENT ON TABLE reconciler.stripe_states IS 'Since when an object was in which state. Only effective_at ever changes: where Stripe tells later when a state began.';

-- Statistics of tables that a job has just filled. Before PostgreSQL 17 only a table's owner may gather them, so the owner lends the worker
-- this and nothing else.
-- +goose StatementBegin
CREATE FUNCTION reconciler.analyze_tables(VARIADIC tables text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS
$$
BEGIN
    EXECUTE 'ANALYZE ' || (SELECT string_agg(format('reconciler.%I', t), ', ') FROM unnest(tables) t);
END
$$;
-- +goose StatementEnd
REVOKE ALL ON FUNCTION reconciler.analyze_tables(text[]) FROM PUBLIC;
