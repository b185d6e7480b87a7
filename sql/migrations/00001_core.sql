-- +goose Up
-- Everything the worker writes lives in this schema, but for the entries that it posts to the platform's credit ledger.
-- Keys begin with account_id wherever a row belongs to an account, so that the tables can be distributed by it;
-- the rest are small enough to be replicated to every node. The schema itself is there already: even IF NOT EXISTS would ask for the right
-- to make schemas, which its owner need not have.

-- One row per business date, job and revision. "night" is the whole night; the others are its jobs.
CREATE TABLE reconciler.runs (
    business_date  date        NOT NULL,
    job            text        NOT NULL,
    revision       integer     NOT NULL DEFAULT 1 CHECK (revision >= 1),
    status         text        NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'stopped', 'skipped')),
    as_of          timestamptz NOT NULL,
    attempt        integer     NOT NULL DEFAULT 1,
    worker         text        NOT NULL DEFAULT '',
    code_version   text        NOT NULL DEFAULT '',
    policy_version text        NOT NULL DEFAULT '',
    counts         jsonb       NOT NULL DEFAULT '{}',
    error          text        NOT NULL DEFAULT '',
    started_at     timestamptz NOT NULL,
    finished_at    timestamptz,
    PRIMARY KEY (business_date, job, revision)
);
CREATE INDEX runs_job_status ON reconciler.runs (job, status, business_date);
COMMENT ON TABLE reconciler.runs IS 'What ran for which night, and how it ended. The guard behind the advisory lock.';

-- scanned = matched + awaiting + breaks, or the night does not tie.
CREATE TABLE reconciler.control_totals (
    business_date date    NOT NULL,
    job           text    NOT NULL,
    check_name    text    NOT NULL,
    unit          text    NOT NULL,
    scanned       numeric NOT NULL,
    matched       numeric NOT NULL,
    awaiting      numeric NOT NULL,
    breaks        numeric NOT NULL,
    difference    numeric NOT NULL GENERATED ALWAYS AS (scanned - matched - awaiting - breaks) STORED,
    PRIMARY KEY (business_date, check_name, unit)
);

-- Source rows that break the contract: shown, counted, left out of matching.
CREATE TABLE reconciler.rejects (
    account_id    text NOT NULL DEFAULT '',
    business_date date NOT NULL,
    relation      text NOT NULL,
    row_id        text NOT NULL,
    field         text NOT NULL,
    value         text NOT NULL,
    problem       text NOT NULL,
    PRIMARY KEY (account_id, business_date, relation, row_id, field)
);
CREATE INDEX rejects_night ON reconciler.rejects (business_date, relation, row_id);

-- What the jobs of the running night have found, before it is merged into breaks. Emptied by that merge;
-- unlogged because a crash repeats the whole job anyway.
CREATE UNLOGGED TABLE reconciler.findings (
    account_id    text    NOT NULL DEFAULT '',
    business_date date    NOT NULL,
    job           text    NOT NULL,
    kind          text    NOT NULL,
    subject_id    text    NOT NULL,
    field         text    NOT NULL,
    -- The same fault has the same id on every night, whatever its values are then. 80 bits: 1 million breaks a night for 30 years
    -- collide with a probability below 10^-4.
    break_id      text    NOT NULL GENERATED ALWAYS AS ('brk_' || left(md5(kind || '|' || subject_id || '|' || field), 20)) STORED,
    ours          text    NOT NULL DEFAULT '',
    theirs        text    NOT NULL DEFAULT '',
    variance      numeric NOT NULL DEFAULT 0,
    unit          text    NOT NULL DEFAULT '',
    detail        text    NOT NULL DEFAULT '',
    PRIMARY KEY (account_id, business_date, job, break_id)
);

-- Jobs that the set-based comparison could not call clean: the exact rules look at these alone.
CREATE UNLOGGED TABLE reconciler.candidates (
    business_date date NOT NULL,
    job           text NOT NULL,
    account_id    text NOT NULL DEFAULT '',
    subject_id    text NOT NULL,
    in_scan       boolean NOT NULL DEFAULT false, -- it is one of the night's own rows, not carried over from an earlier one
    cost          numeric NOT NULL DEFAULT 0,
    debits        numeric NOT NULL DEFAULT 0,     -- of the night alone
    PRIMARY KEY (business_date, job, account_id, subject_id)
);

-- Which purchases the refund requests of the running night may mean.
CREATE UNLOGGED TABLE reconciler.request_matches (
    account_id    text        NOT NULL, -- of the purchase
    business_date date        NOT NULL,
    job           text        NOT NULL,
    request_id    text        NOT NULL,
    purchase_id   text        NOT NULL,
    requested_at  timestamptz NOT NULL,
    status        text        NOT NULL,
    decided_at    timestamptz,
    denied_at     timestamptz, -- our own denial
    hits          bigint      NOT NULL, -- how many purchases fit the request at the night's end
    opening_hits  bigint      NOT NULL, -- and at its opening; 0 when this one was not there yet
    PRIMARY KEY (account_id, business_date, job, request_id, purchase_id)
);

-- The comparison of sets of a night that a backfill has made ahead of its turn.
CREATE UNLOGGED TABLE reconciler.prescans (
    business_date date    NOT NULL PRIMARY KEY,
    token         text    NOT NULL, -- of the process that made it, the only one that may use it
    jobs          numeric NOT NULL,
    cost          numeric NOT NULL,
    debits        numeric NOT NULL
);

-- A break from the night that first saw it to the night that no longer did. The same fault coming back later is a new row of the same id.
CREATE TABLE reconciler.breaks (
    account_id   text NOT NULL DEFAULT '',
    break_id     text NOT NULL,
    opened_on    date NOT NULL,
    closed_on    date,
    closed_as    text CHECK (closed_as IN ('cleared', 'resolved')),
    job          text NOT NULL,
    kind         text NOT NULL,
    severity     text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    subject_type text NOT NULL,
    subject_id   text NOT NULL,
    field        text NOT NULL,
    PRIMARY KEY (account_id, break_id, opened_on),
    CHECK ((closed_on IS NULL) = (closed_as IS NULL)),
    CHECK (closed_on >= opened_on)
);
CREATE INDEX breaks_open ON reconciler.breaks (job, kind) WHERE closed_on IS NULL;
CREATE INDEX breaks_closed ON reconciler.breaks (closed_on) WHERE closed_on IS NOT NULL;
CREATE INDEX breaks_id ON reconciler.breaks (break_id);
CREATE INDEX breaks_subject ON reconciler.breaks (subject_id);

CREATE TABLE reconciler.break_events (
    account_id    text        NOT NULL DEFAULT '',
    break_id      text        NOT NULL,
    business_date date        NOT NULL,
    event_no      integer     NOT NULL,
    event         text        NOT NULL CHECK (event IN ('opened', 'changed', 'cleared', 'resolved', 'reopened')),
    ours          text        NOT NULL DEFAULT '',
    theirs        text        NOT NULL DEFAULT '',
    variance      numeric     NOT NULL DEFAULT 0,
    unit          text        NOT NULL DEFAULT '',
    detail        text        NOT NULL DEFAULT '',
    actor         text        NOT NULL,
    reason        text        NOT NULL DEFAULT '',
    resolution    text        NOT NULL DEFAULT '',
    recorded_at   timestamptz NOT NULL,
    PRIMARY KEY (account_id, break_id, business_date, event_no),
    CHECK (event <> 'resolved' OR (reason <> '' AND actor <> ''))
);
COMMENT ON TABLE reconciler.break_events IS 'Append-only: what happened to a break, and the values that it had from that night on.';

-- One row per failed, interrupted or canceled job and night. Rows that credited are never changed again.
CREATE TABLE reconciler.credit_backs (
    account_id      text        NOT NULL,
    job_id          text        NOT NULL,
    business_date   date        NOT NULL,
    kind            text        NOT NULL,
    status          text        NOT NULL,
    failure_code    text        NOT NULL,
    class           text        NOT NULL CHECK (class IN ('system', 'user', 'unknown')),
    rule            text        NOT NULL,
    policy_version  text        NOT NULL,
    finished_at     timestamptz NOT NULL,
    debited         numeric     NOT NULL,
    credited_before numeric     NOT NULL,
    credited_ever   numeric     NOT NULL, -- all credit-backs of the job there were when this credited, later nights' included; else as credited_before
    credit_back     bigint      NOT NULL CHECK (credit_back >= 0),
    decision        text        NOT NULL CHECK (decision IN ('credited', 'not_due', 'pending')),
    clause          text        NOT NULL,
    reason          text        NOT NULL,
    entry_id        text        NOT NULL DEFAULT '',
    booked_at       timestamptz,
    PRIMARY KEY (account_id, job_id, business_date),
    CHECK ((decision = 'credited') = (credit_back > 0)),
    CHECK ((decision = 'credited') = (entry_id <> '')),
    CHECK ((decision = 'credited') = (booked_at IS NOT NULL)),
    CHECK (credit_back = 0 OR class = 'system'),
    -- Never more than was debited, whatever is rerun or raced:
    CHECK (credit_back = 0 OR credited_ever + credit_back <= debited)
);
-- Never twice: two runs that both saw the same credit-backs before theirs can't both add one.
CREATE UNIQUE INDEX credit_backs_once ON reconciler.credit_backs (account_id, job_id, credited_ever) WHERE credit_back > 0;
CREATE INDEX credit_backs_night ON reconciler.credit_backs (business_date, job_id);
CREATE INDEX credit_backs_pending ON reconciler.credit_backs (account_id, job_id) WHERE decision = 'pending';

-- Rows that turned up in a period already reported: they count in the night booked_on, and nowhere else.
CREATE TABLE reconciler.late_items (
    account_id text        NOT NULL,
    entry_id   text        NOT NULL,
    entry_date date        NOT NULL,
    booked_on  date        NOT NULL,
    booked_at  timestamptz NOT NULL, -- begin of booked_on
    credits    numeric     NOT NULL,
    PRIMARY KEY (account_id, entry_id),
    CHECK (booked_on > entry_date)
);
CREATE INDEX late_items_booked ON reconciler.late_items (booked_on);

-- What each reported night had read of the source, in buckets by hash of the row id: a later difference names the bucket.
CREATE TABLE reconciler.input_totals (
    business_date date     NOT NULL,
    relation      text     NOT NULL,
    bucket        integer  NOT NULL, -- -1: the whole night
    buckets       integer  NOT NULL,
    rows          bigint   NOT NULL,
    amount        numeric  NOT NULL,
    id_hash       numeric  NOT NULL,
    -- What a rerun of the night read, once later nights were reported: its report is made of that, while the totals above say which rows
    -- have been accounted for, by this night or by a later one that read them again.
    reread_rows    bigint,
    reread_amount  numeric,
    reread_id_hash numeric,
    PRIMARY KEY (business_date, relation, bucket)
);

-- The policies that decisions were made by: every version's time in force, and what its failure table says of each code seen.
CREATE TABLE reconciler.policy_versions (
    policy                text        NOT NULL, -- hash of the policy's content
    version               text        NOT NULL,
    effective_from        timestamptz NOT NULL,
    effective_to          timestamptz NOT NULL, -- 'infinity' for the last
    refund_window_seconds bigint      NOT NULL,
    PRIMARY KEY (policy, version)
);
CREATE TABLE reconciler.failure_classes (
    policy       text NOT NULL,
    version      text NOT NULL,
    status       text NOT NULL,
    failure_code text NOT NULL,
    class        text NOT NULL CHECK (class IN ('system', 'user', 'unknown')),
    rule         text NOT NULL,
    clause       text NOT NULL,
    reason       text NOT NULL,
    PRIMARY KEY (policy, version, status, failure_code)
);

-- Earlier nights whose rows a night read again, because more of them had turned up.
CREATE TABLE reconciler.rescans (
    business_date date NOT NULL,
    relation      text NOT NULL,
    rescanned     date NOT NULL,
    begins        timestamptz NOT NULL,
    ends          timestamptz NOT NULL,
    PRIMARY KEY (business_date, relation, rescanned),
    CHECK (rescanned < business_date)
);

CREATE TABLE reconciler.refund_windows (
    account_id       text        NOT NULL,
    purchase_id      text        NOT NULL,
    business_date    date        NOT NULL,
    completed_at     timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    state            text        NOT NULL CHECK (state IN ('open', 'requested', 'used', 'expired', 'refunded', 'disputed')),
    state_before     text        NOT NULL, -- at opening; '' when the purchase was not completed then
    credits          bigint      NOT NULL,
    used_credits     bigint      NOT NULL,
    amount_minor     bigint      NOT NULL,
    fee_minor        bigint,               -- null: Stripe has not said
    refundable_minor bigint,
    currency         text        NOT NULL,
    policy_version   text        NOT NULL,
    PRIMARY KEY (account_id, purchase_id, business_date),
    CHECK (used_credits BETWEEN 0 AND credits)
);
CREATE INDEX refund_windows_night ON reconciler.refund_windows (business_date, purchase_id);

CREATE TABLE reconciler.refund_decisions (
    account_id     text        NOT NULL DEFAULT '',
    request_id     text        NOT NULL,
    business_date  date        NOT NULL,
    kind           text        NOT NULL,
    status         text        NOT NULL, -- the platform's, as of the night
    purchase_id    text        NOT NULL DEFAULT '',
    job_id         text        NOT NULL DEFAULT '',
    charge_id      text        NOT NULL DEFAULT '',
    requested_at   timestamptz NOT NULL,
    due_date       date        NOT NULL,
    days_left      integer     NOT NULL, -- business days to the due date; below 0: overdue
    decision       text        NOT NULL CHECK (decision IN ('approve', 'deny', 'needs_information', 'waiting')),
    refund_minor   bigint      CHECK (refund_minor >= 0),
    fee_minor      bigint,
    currency       text        NOT NULL DEFAULT '',
    credits        bigint      NOT NULL DEFAULT 0,
    clauses        text        NOT NULL,
    reasons        text        NOT NULL,
    policy_version text        NOT NULL,
    decided_at     timestamptz NOT NULL, -- the as-of it was decided by
    PRIMARY KEY (account_id, request_id, business_date),
    CHECK (decision <> 'approve' OR refund_minor IS NOT NULL)
);
-- approve and deny are final: a request has at most one.
CREATE UNIQUE INDEX refund_decisions_final ON reconciler.refund_decisions (account_id, request_id) WHERE decision IN ('approve', 'deny');
CREATE INDEX refund_decisions_night ON reconciler.refund_decisions (business_date, request_id);
CREATE INDEX refund_decisions_purchase ON reconciler.refund_decisions (purchase_id) WHERE decision = 'approve';

-- What the customer is told: one row an outcome. Sending is the platform's.
CREATE TABLE reconciler.notifications (
    account_id    text        NOT NULL DEFAULT '',
    request_id    text        NOT NULL,
    outcome       text        NOT NULL CHECK (outcome IN ('approve', 'deny', 'needs_information')),
    business_date date        NOT NULL,
    amount_minor  bigint,
    currency      text        NOT NULL DEFAULT '',
    message       text        NOT NULL,
    created_at    timestamptz NOT NULL,
    PRIMARY KEY (account_id, request_id, outcome)
);

-- The liability of the night, in credits and in money per currency, from entries and from lots.
CREATE TABLE reconciler.roll_forward (
    business_date     date    NOT NULL,
    measure           text    NOT NULL, -- 'credits', or a currency
    opening           numeric NOT NULL,
    purchases         numeric NOT NULL,
    promotions        numeric NOT NULL,
    usage             numeric NOT NULL,
    credit_backs      numeric NOT NULL,
    refunds           numeric NOT NULL,
    adjustments       numeric NOT NULL,
    late_items        numeric NOT NULL,
    closing           numeric NOT NULL GENERATED ALWAYS AS
        (opening + purchases + promotions + usage + credit_backs + refunds + adjustments + late_items) STORED,
    closing_from_lots numeric NOT NULL,
    PRIMARY KEY (business_date, measure)
);

-- What was published for which night: the hash of each manifest, chained.
CREATE TABLE reconciler.publications (
    business_date   date        NOT NULL,
    revision        integer     NOT NULL,
    as_of           timestamptz NOT NULL,
    manifest_sha256 text        NOT NULL,
    previous_sha256 text        NOT NULL DEFAULT '',
    location        text        NOT NULL,
    published_at    timestamptz NOT NULL,
    PRIMARY KEY (business_date, revision)
);

CREATE TABLE reconciler.periods (
    period    text        NOT NULL CHECK (period ~ '^\d{4}-\d{2}$'),
    action_no integer     NOT NULL,
    action    text        NOT NULL CHECK (action IN ('closed', 'reopened')),
    actor     text        NOT NULL,
    reason    text        NOT NULL DEFAULT '',
    at        timestamptz NOT NULL,
    PRIMARY KEY (period, action_no),
    CHECK (action <> 'reopened' OR reason <> '')
);
COMMENT ON TABLE reconciler.periods IS 'Append-only: when a period was closed and reopened, by whom and why. The last action counts.';
