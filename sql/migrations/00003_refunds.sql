-- +goose Up
-- Money that goes back, and the record of everything that changed anything. What must never happen is refused by constraints here, whatever
-- the worker does: a plan approved by its maker, money sent without an approval, two refunds of one request or charge under way, a step that
-- the life of a refund doesn't have, a gap or a fork in the audit log.

-- What approved decisions call for, as one list that a second person approves as a whole: the hash is of its content.
CREATE TABLE reconciler.refund_plans (
    plan_id       text        NOT NULL PRIMARY KEY,
    plan_sha256   text        NOT NULL CHECK (plan_sha256 ~ '^[0-9a-f]{64}$'),
    business_date date        NOT NULL, -- decisions through this night
    refunds       integer     NOT NULL CHECK (refunds > 0),
    made_by       text        NOT NULL,
    -- One person, however the name is written: no case, no spaces, no lookalike forms of the same letter.
    maker         text        NOT NULL GENERATED ALWAYS AS
        (lower(regexp_replace(normalize(made_by, NFKC), '[\s[:cntrl:]\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'))) STORED CHECK (maker <> ''),
    made_at       timestamptz NOT NULL,
    UNIQUE (plan_id, plan_sha256, maker)
);
COMMENT ON TABLE reconciler.refund_plans IS 'Append-only: refund plans as they were made.';

CREATE TABLE reconciler.refund_plan_items (
    account_id     text    NOT NULL,
    plan_id        text    NOT NULL REFERENCES reconciler.refund_plans (plan_id),
    intent_id      text    NOT NULL,
    request_id     text    NOT NULL,
    purchase_id    text    NOT NULL,
    charge_id      text    NOT NULL,
    decided_on     date    NOT NULL, -- the night of the decision
    attempt        integer NOT NULL CHECK (attempt >= 1), -- which try to pay this request
    amount_minor   bigint  NOT NULL CHECK (amount_minor > 0),
    fee_minor      bigint  NOT NULL CHECK (fee_minor >= 0), -- withheld: amount + fee is what was paid
    currency       text    NOT NULL CHECK (currency ~ '^[a-z]{3}$'),
    credits        bigint  NOT NULL CHECK (credits >= 0), -- that leave the account
    clauses        text    NOT NULL,
    policy_version text    NOT NULL,
    PRIMARY KEY (account_id, plan_id, intent_id),
    UNIQUE (account_id, request_id, attempt)
);
COMMENT ON TABLE reconciler.refund_plan_items IS 'Append-only: the refunds of a plan.';
CREATE INDEX refund_plan_items_plan ON reconciler.refund_plan_items (plan_id);

CREATE TABLE reconciler.refund_approvals (
    plan_id     text        NOT NULL PRIMARY KEY,
    plan_sha256 text        NOT NULL, -- what was approved is this content and no other
    maker       text        NOT NULL,
    approved_by text        NOT NULL,
    checker     text        NOT NULL GENERATED ALWAYS AS
        (lower(regexp_replace(normalize(approved_by, NFKC), '[\s[:cntrl:]\u00ad\u200b-\u200f\u2060\ufeff]', '', 'g'))) STORED CHECK (checker <> ''),
    approved_at timestamptz NOT NULL,
    FOREIGN KEY (plan_id, plan_sha256, maker) REFERENCES reconciler.refund_plans (plan_id, plan_sha256, maker),
    CONSTRAINT maker_is_not_checker CHECK (checker <> maker)
);
COMMENT ON TABLE reconciler.refund_approvals IS 'Append-only: who approved which content of which plan.';

-- One refund that is to be made: where it stands. Its amounts are its plan item's.
CREATE TABLE reconciler.refund_intents (
    account_id       text        NOT NULL,
    intent_id        text        NOT NULL,
    plan_id          text        NOT NULL,
    request_id       text        NOT NULL,
    charge_id        text        NOT NULL,
    state            text        NOT NULL CHECK (state IN ('planned', 'sending', 'unknown', 'sent', 'settled', 'rejected', 'failed', 'stopped', 'cancelled')),
    version          integer     NOT NULL CHECK (version >= 1), -- the number of its last event
    approved_plan_id text        REFERENCES reconciler.refund_approvals (plan_id),
    hold_entry_id    text        NOT NULL DEFAULT '', -- the ledger entry that took the credits
    release_entry_id text        NOT NULL DEFAULT '', -- the one that gave them back
    refund_id        text        NOT NULL DEFAULT '', -- Stripe's
    first_sent_at    timestamptz,                     -- since when its idempotency key may be known to Stripe
    sent_on          date,                            -- the day that its amount counts for
    fence            bigint      NOT NULL DEFAULT 0,  -- token of the executor that wrote last
    PRIMARY KEY (account_id, intent_id),
    FOREIGN KEY (account_id, plan_id, intent_id) REFERENCES reconciler.refund_plan_items (account_id, plan_id, intent_id),
    CHECK (approved_plan_id = plan_id),
    CONSTRAINT money_needs_approval CHECK (state IN ('planned', 'stopped', 'cancelled') OR approved_plan_id IS NOT NULL),
    CONSTRAINT credits_before_money CHECK ((state IN ('planned', 'stopped', 'cancelled')) = (hold_entry_id = '')),
    CONSTRAINT money_has_an_age CHECK ((hold_entry_id = '') = (first_sent_at IS NULL) AND (hold_entry_id = '') = (sent_on IS NULL)),
    CONSTRAINT failure_releases CHECK ((state IN ('rejected', 'failed')) = (release_entry_id <> '')),
    CONSTRAINT sent_is_at_stripe CHECK ((state IN ('sent', 'settled', 'failed')) = (refund_id <> ''))
);
-- One refund of a request, and one of a charge, until it has definitely come to nothing.
CREATE UNIQUE INDEX refund_intents_request ON reconciler.refund_intents (account_id, request_id)
    WHERE state IN ('planned', 'sending', 'unknown', 'sent', 'settled');
CREATE UNIQUE INDEX refund_intents_charge ON reconciler.refund_intents (account_id, charge_id)
    WHERE state IN ('planned', 'sending', 'unknown', 'sent', 'settled');
CREATE UNIQUE INDEX refund_intents_refund ON reconciler.refund_intents (account_id, refund_id) WHERE refund_id <> '';
CREATE INDEX refund_intents_plan ON reconciler.refund_intents (plan_id);
CREATE INDEX refund_intents_unsettled ON reconciler.refund_intents (state) WHERE state IN ('planned', 'sending', 'unknown', 'sent');
CREATE INDEX refund_intents_day ON reconciler.refund_intents (sent_on) WHERE sent_on IS NOT NULL;

CREATE TABLE reconciler.refund_events (
    account_id    text        NOT NULL,
    intent_id     text        NOT NULL,
    event_no      integer     NOT NULL CHECK (event_no >= 1),
    state_before  text        NOT NULL, -- '' for the first
    state         text        NOT NULL,
    field         text        NOT NULL DEFAULT '', -- what stood in its way
    ours          text        NOT NULL DEFAULT '',
    theirs        text        NOT NULL DEFAULT '',
    reason        text        NOT NULL DEFAULT '',
    refund_id     text        NOT NULL DEFAULT '',
    business_date date        NOT NULL, -- the night that shows it
    actor         text        NOT NULL CHECK (actor <> ''),
    run           text        NOT NULL,
    at            timestamptz NOT NULL,
    PRIMARY KEY (account_id, intent_id, event_no),
    FOREIGN KEY (account_id, intent_id) REFERENCES reconciler.refund_intents (account_id, intent_id),
    CHECK ((event_no = 1) = (state_before = '')),
    CONSTRAINT steps_of_a_refund CHECK ((state_before, state) IN (
        ('', 'planned'),
        ('planned', 'sending'), ('planned', 'stopped'), ('planned', 'cancelled'),
        ('sending', 'sent'), ('sending', 'rejected'), ('sending', 'unknown'),
        ('unknown', 'sent'), ('unknown', 'rejected'), ('unknown', 'unknown'),
        ('sent', 'settled'), ('sent', 'failed'),
        ('settled', 'failed')))
);
COMMENT ON TABLE reconciler.refund_events IS 'Append-only: every step of every refund.';
CREATE INDEX refund_events_night ON reconciler.refund_events (business_date);

-- Who may execute, for how long, and under which token. A token is never given twice; whoever writes a refund's state shows the current one.
CREATE TABLE reconciler.refund_leases (
    name       text        NOT NULL PRIMARY KEY,
    holder     text        NOT NULL,
    token      bigint      NOT NULL CHECK (token >= 1),
    expires_at timestamptz NOT NULL
);

-- The kill switch: the last action counts, none means that refunds may move.
CREATE TABLE reconciler.refund_switch (
    action_no integer     NOT NULL PRIMARY KEY CHECK (action_no >= 1),
    action    text        NOT NULL CHECK (action IN ('halted', 'resumed')),
    actor     text        NOT NULL CHECK (actor <> ''),
    reason    text        NOT NULL CHECK (reason <> ''),
    at        timestamptz NOT NULL
);
COMMENT ON TABLE reconciler.refund_switch IS 'Append-only: when refunds were halted and resumed, by whom and why.';

-- Every time that a cap, the kill switch or the anomaly stop kept a plan from going on.
CREATE TABLE reconciler.refund_trips (
    plan_id       text        NOT NULL REFERENCES reconciler.refund_plans (plan_id),
    trip_no       integer     NOT NULL CHECK (trip_no >= 1),
    business_date date        NOT NULL,
    breaker       text        NOT NULL,
    measured      text        NOT NULL,
    allowed       text        NOT NULL,
    detail        text        NOT NULL,
    at            timestamptz NOT NULL,
    PRIMARY KEY (plan_id, trip_no)
);
COMMENT ON TABLE reconciler.refund_trips IS 'Append-only: what stopped the execution of a plan.';

-- The audit log. A change is recorded in the transaction that makes it. All changes of one transaction hang on one link; links form one
-- chain over the whole database, each naming the hash of the one before, so that whoever knows the last hash knows that nothing before it
-- was altered, inserted or removed. Under Citus the links are a reference table, and their changes are distributed.
-- Appending takes a transaction-level advisory lock for the moment from the last statements of a transaction to its commit. The lock only
-- keeps two from colliding: what makes a fork or a gap impossible are the keys below.
CREATE TABLE reconciler.audit_links (
    link            bigint      NOT NULL PRIMARY KEY CHECK (link >= 1),
    previous_link   bigint,
    previous_sha256 text        NOT NULL,
    changes         integer     NOT NULL CHECK (changes > 0),
    changes_sha256  text        NOT NULL,
    actor           text        NOT NULL CHECK (actor <> ''),
    run             text        NOT NULL,
    at              timestamptz NOT NULL,
    sha256          text        NOT NULL,
    UNIQUE (link, sha256),
    FOREIGN KEY (previous_link, previous_sha256) REFERENCES reconciler.audit_links (link, sha256),
    CHECK ((link = 1) = (previous_link IS NULL)),
    CHECK (previous_link = link - 1),
    CHECK (link > 1 OR previous_sha256 = ''),
    CONSTRAINT hash_is_of_the_link CHECK (sha256 = encode(sha256(convert_to(jsonb_build_array(
        link, previous_sha256, changes, changes_sha256, actor, run, (extract(epoch FROM at) * 1000000)::bigint)::text, 'UTF8')), 'hex'))
);
COMMENT ON TABLE reconciler.audit_links IS 'Append-only: the chain of the audit log.';

CREATE TABLE reconciler.audit_changes (
    account_id text    NOT NULL DEFAULT '',
    subject    text    NOT NULL CHECK (subject IN ('credit_entry', 'refund_intent', 'refund_plan', 'refund_switch', 'break', 'period')),
    subject_id text    NOT NULL,
    change     text    NOT NULL, -- which of the subject's changes: recorded once, whatever is rerun
    detail     text    NOT NULL,
    link       bigint  NOT NULL,
    change_no  integer NOT NULL CHECK (change_no >= 1), -- within the link
    sha256     text    NOT NULL,
    PRIMARY KEY (account_id, subject, subject_id, change),
    UNIQUE (account_id, link, change_no),
    CONSTRAINT hash_is_of_the_change CHECK (sha256 = encode(sha256(convert_to(jsonb_build_array(
        account_id, subject, subject_id, change, detail, link, change_no)::text, 'UTF8')), 'hex'))
);
COMMENT ON TABLE reconciler.audit_changes IS 'Append-only: what each link of the audit log is about.';
CREATE INDEX audit_changes_link ON reconciler.audit_changes (link, change_no);
