package sql

// SourceColumn is one column of a platform's relation that the worker reads.
type SourceColumn struct {
	Name string
	// Type is the PostgreSQL type as format_type names it.
	Type     string
	Nullable bool
	// checks are what its values have to keep in every row.
	checks []check
	// isPersonal: its values are not repeated in what is said about them.
	isPersonal bool
}

// SourceRelation is a table or view of the platform, with what the worker needs of it.
type SourceRelation struct {
	Name    string
	Columns []SourceColumn
	// Indexes are the leading columns by which rows are looked up; without them a night, or who looks a customer up, reads the whole relation.
	Indexes []SourceIndex
	// ValuesStatement samples the newest rows for what breaks the contract, DuplicatesStatement searches for ids that are there more than once.
	ValuesStatement, DuplicatesStatement string
	// SpreadStatement brings the ids of a night's rows together first where they are on several nodes, of what is distributed.
	SpreadStatement string
	// valid is the fragment of what all checks ask of a row e, as one condition in the order that costs least: millions of rows are asked it.
	valid string
	// times say of which nights a row is, and the first one which of several rows of an id came first.
	times []string
	// isWhole: every night looks at all rows, as no time says of which night one is.
	isWhole bool
	// namedLate: rows of reported nights that break the contract are searched for, too.
	namedLate bool
}

// SourceIndex is an index the source should have, and what its absence costs.
type SourceIndex struct {
	Column string // or an expression, as PostgreSQL words it
	// Where, as PostgreSQL words it, is the part of the rows that are enough in the index; "" for all.
	Where string
	Cost  string
}

// String is what is written after ON in a statement that creates the index.
func (i SourceIndex) String() string {
	if i.Where == "" {
		return "(" + i.Column + ")"
	}
	return "(" + i.Column + ") WHERE " + i.Where
}

const (
	typeText   = "text"
	typeBigint = "bigint"
	typeTime   = "timestamp with time zone"
	typeDate   = "date"
)

func required(name, columnType string, checks ...check) SourceColumn {
	return SourceColumn{Name: name, Type: columnType, checks: checks}
}

func optional(name, columnType string, checks ...check) SourceColumn {
	return SourceColumn{Name: name, Type: columnType, Nullable: true, checks: checks}
}

func (c SourceColumn) personal() SourceColumn {
	c.isPersonal = true
	return c
}

// SourceRelations is the platform as the worker knows it: nothing in the worker reads more than this. What is asked of the
// values stands by the columns; a new check belongs in the relation's fragment of what is valid, too.
var SourceRelations = []SourceRelation{
	{Name: "accounts", ValuesStatement: "check/values_accounts", DuplicatesStatement: "duplicates/accounts",
		valid: "account_is_valid", times: []string{"created_at"}, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			required("email", typeText, isNull).personal(),
			required("status", typeText, noneOf("active, suspended or closed", "active", "suspended", "closed")),
			required("created_at", typeTime, isNoTime),
		}, Indexes: []SourceIndex{
			{Column: "id", Cost: "every refund request is compared with all accounts"},
			{Column: "lower(email)", Cost: "looking a customer up by e-mail address reads all accounts"},
		}},
	{Name: "purchases", ValuesStatement: "check/values_purchases", DuplicatesStatement: "duplicates/purchases",
		valid: "purchase_is_valid", times: []string{"created_at", "completed_at"}, namedLate: true, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			required("account_id", typeText, isEmpty),
			required("kind", typeText, noneOf("credits or subscription", "credits", "subscription")),
			required("credits", typeBigint, isNoQuantity),
			required("amount_minor", typeBigint, isNoQuantity),
			required("currency", typeText, isNoCurrency),
			required("status", typeText, noneOf("pending, completed or failed", "pending", "completed", "failed")),
			optional("stripe_payment_intent_id", typeText),
			optional("stripe_charge_id", typeText),
			optional("stripe_invoice_id", typeText),
			required("created_at", typeTime, isNoTime),
			optional("completed_at", typeTime,
				check{"is missing for a completed purchase", "x.status = 'completed' AND x.completed_at IS NULL"}, isBefore("created_at")),
		}, Indexes: []SourceIndex{
			{Column: "id", Cost: "every grant of the night reads all purchases"},
			{Column: "completed_at", Cost: "finding the night's purchases reads all of them"},
			{Column: "account_id", Cost: "refund windows read all purchases"},
		}},
	{Name: "jobs", ValuesStatement: "check/values_jobs", DuplicatesStatement: "duplicates/jobs", SpreadStatement: "duplicates/spread_jobs",
		valid: "job_is_valid", times: []string{"created_at", "finished_at"}, namedLate: true, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			required("account_id", typeText, isEmpty),
			required("kind", typeText, noneOf("fine_tune, image or video", "fine_tune", "image", "video")),
			required("model", typeText, isNull),
			required("status", typeText,
				noneOf("queued, running, succeeded, failed, interrupted or canceled", "queued", "running", "succeeded", "failed", "interrupted", "canceled")),
			optional("failure_code", typeText),
			required("credit_cost", typeBigint, isNoQuantity),
			required("created_at", typeTime, isNoTime),
			optional("finished_at", typeTime,
				check{"is missing for a job that has finished", "x.status IN ('succeeded', 'failed', 'interrupted', 'canceled') AND x.finished_at IS NULL"},
				check{"is set for a job that has not finished", "x.status IN ('queued', 'running') AND x.finished_at IS NOT NULL"}, isBefore("created_at")),
		}, Indexes: []SourceIndex{
			{Column: "id", Cost: "every candidate of the night reads all jobs"},
			{Column: "finished_at", Cost: "finding the night's jobs reads all of them"},
			{Column: "created_at", Cost: "looking for rows that break the contract reads all jobs"},
			{Column: "account_id", Cost: "showing a customer's last jobs reads all jobs"},
			{Column: "finished_at", Where: "(status <> 'succeeded'::text)", Cost: "finding the few that failed reads all jobs of the night, twice"},
		}},
	{Name: "credit_entries", ValuesStatement: "check/values_credit_entries", DuplicatesStatement: "duplicates/credit_entries", SpreadStatement: "duplicates/spread_entries",
		valid: "entry_is_valid", times: []string{"created_at"}, namedLate: true, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			required("account_id", typeText, isEmpty),
			required("kind", typeText,
				check{"is not a kind of entry that the ledger knows", in("purchase", "promo", "usage", "credit_back", "refund", "refund_reversal", "adjustment") + " IS NOT TRUE"}),
			required("credits", typeBigint, isNull, check{"has the wrong sign for its kind",
				"x.kind IN ('usage', 'refund') AND x.credits > 0 OR x.kind IN ('purchase', 'promo', 'credit_back', 'refund_reversal') AND x.credits < 0"}),
			optional("purchase_id", typeText),
			optional("job_id", typeText),
			optional("idempotency_key", typeText),
			optional("memo", typeText),
			required("created_at", typeTime, isNoTime),
		}, Indexes: []SourceIndex{
			{Column: "id", Cost: "posting a credit-back reads the whole ledger"},
			{Column: "created_at", Cost: "finding the night's entries reads the whole ledger"},
			{Column: "job_id", Cost: "every candidate of the night reads the whole ledger"},
			{Column: "purchase_id", Cost: "every purchase of the night reads the whole ledger"},
			{Column: "account_id", Cost: "balances, lots and refund windows read the whole ledger"},
			{Column: "created_at", Where: "(kind <> 'usage'::text)", Cost: "finding the few entries that are no debits reads all entries of the night, half a dozen times"},
			{Column: "account_id", Where: "(kind <> 'usage'::text)", Cost: "working out what is left of a purchase reads all debits of its account"},
		}},
	{Name: "refund_requests", ValuesStatement: "check/values_refund_requests", DuplicatesStatement: "duplicates/refund_requests",
		valid: "request_is_valid", times: []string{"requested_at"}, namedLate: true, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			optional("account_id", typeText),
			required("kind", typeText, noneOf("unused_credits or failed_job", "unused_credits", "failed_job")),
			required("account_email", typeText, isNull).personal(),
			optional("purchase_id", typeText),
			optional("job_id", typeText),
			optional("invoice_id", typeText),
			optional("stated_date", typeDate),
			optional("stated_amount_minor", typeBigint, check{"is negative", "? < 0"}),
			optional("stated_currency", typeText, check{"is not a currency of ISO 4217 in lower case", "? NOT IN ({{ currencies }})"}),
			required("reason", typeText, isNull).personal(),
			required("status", typeText, noneOf("pending, approved, denied or withdrawn", "pending", "approved", "denied", "withdrawn")),
			required("requested_at", typeTime, isNoTime),
			optional("decided_at", typeTime, isBefore("requested_at")),
		}},
	{Name: "subscriptions", ValuesStatement: "check/values_subscriptions", DuplicatesStatement: "duplicates/subscriptions",
		valid: "subscription_is_valid", times: []string{"current_period_start"}, isWhole: true, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			required("account_id", typeText, isEmpty),
			required("stripe_subscription_id", typeText, isEmpty),
			required("plan", typeText, isNull),
			required("status", typeText, isNull),
			required("current_period_start", typeTime, isNoTime),
			required("current_period_end", typeTime, isNoTime, check{"is before current_period_start", "? < x.current_period_start"}),
			optional("cancel_requested_at", typeTime, isNoEnd),
			optional("access_ends_at", typeTime, isNoEnd),
		}},
	{Name: "subscription_changes", ValuesStatement: "check/values_subscription_changes", DuplicatesStatement: "duplicates/subscription_changes",
		valid: "subscription_change_is_valid", times: []string{"requested_at", "effective_at"}, Columns: []SourceColumn{
			required("id", typeText, isEmpty),
			required("account_id", typeText, isEmpty),
			required("subscription_id", typeText, isEmpty),
			required("kind", typeText, noneOf("upgrade, downgrade or cancel", "upgrade", "downgrade", "cancel")),
			required("from_plan", typeText, isNull),
			optional("to_plan", typeText),
			required("requested_at", typeTime, isNoTime),
			required("effective_at", typeTime, isNoTime),
			optional("stripe_invoice_id", typeText),
		}},
}
