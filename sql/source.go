package sql

// SourceColumn is one column of a platform's relation that the worker reads.
type SourceColumn struct {
	Name string
	// Type is the PostgreSQL type as format_type names it.
	Type     string
	Nullable bool
}

// SourceRelation is a table or view of the platform, with what the worker needs of it.
type SourceRelation struct {
	Name    string
	Columns []SourceColumn
	// Indexes are the leading columns by which the nightly work looks rows up; without them a night reads the whole relation.
	Indexes []SourceIndex
}

// SourceIndex is an index the source should have, and what its absence costs.
type SourceIndex struct {
	Column string
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

func required(name, columnType string) SourceColumn { return SourceColumn{name, columnType, false} }
func optional(name, columnType string) SourceColumn { return SourceColumn{name, columnType, true} }

// SourceRelations is the platform as the worker knows it: nothing in the worker reads more than this.
var SourceRelations = []SourceRelation{
	{Name: "accounts", Columns: []SourceColumn{
		required("id", typeText), required("email", typeText), required("status", typeText), required("created_at", typeTime),
	}, Indexes: []SourceIndex{{Column: "id", Cost: "every refund request is held against all accounts"}}},
	{Name: "purchases", Columns: []SourceColumn{
		required("id", typeText), required("account_id", typeText), required("kind", typeText), required("credits", typeBigint),
		required("amount_minor", typeBigint), required("currency", typeText), required("status", typeText),
		optional("stripe_payment_intent_id", typeText), optional("stripe_charge_id", typeText), optional("stripe_invoice_id", typeText),
		required("created_at", typeTime), optional("completed_at", typeTime),
	}, Indexes: []SourceIndex{
		{Column: "id", Cost: "every grant of the night reads all purchases"},
		{Column: "completed_at", Cost: "finding the night's purchases reads all of them"},
		{Column: "account_id", Cost: "refund windows read all purchases"},
	}},
	{Name: "jobs", Columns: []SourceColumn{
		required("id", typeText), required("account_id", typeText), required("kind", typeText), required("model", typeText), required("status", typeText),
		optional("failure_code", typeText), required("credit_cost", typeBigint), required("created_at", typeTime), optional("finished_at", typeTime),
	}, Indexes: []SourceIndex{
		{Column: "id", Cost: "every candidate of the night reads all jobs"},
		{Column: "finished_at", Cost: "finding the night's jobs reads all of them"},
		{Column: "created_at", Cost: "looking for rows that break the contract reads all jobs"},
		{Column: "finished_at", Where: "(status <> 'succeeded'::text)", Cost: "finding the few that failed reads all jobs of the night, twice"},
	}},
	{Name: "credit_entries", Columns: []SourceColumn{
		required("id", typeText), required("account_id", typeText), required("kind", typeText), required("credits", typeBigint),
		optional("purchase_id", typeText), optional("job_id", typeText), optional("idempotency_key", typeText), optional("memo", typeText), required("created_at", typeTime),
	}, Indexes: []SourceIndex{
		{Column: "id", Cost: "posting a credit-back reads the whole ledger"},
		{Column: "created_at", Cost: "finding the night's entries reads the whole ledger"},
		{Column: "job_id", Cost: "every candidate of the night reads the whole ledger"},
		{Column: "purchase_id", Cost: "every purchase of the night reads the whole ledger"},
		{Column: "account_id", Cost: "balances, lots and refund windows read the whole ledger"},
		{Column: "created_at", Where: "(kind <> 'usage'::text)", Cost: "finding the few entries that are no debits reads all entries of the night, half a dozen times"},
		{Column: "account_id", Where: "(kind <> 'usage'::text)", Cost: "working out what is left of a purchase reads all debits of its account"},
	}},
	{Name: "refund_requests", Columns: []SourceColumn{
		required("id", typeText), optional("account_id", typeText), required("kind", typeText), required("account_email", typeText),
		optional("purchase_id", typeText), optional("job_id", typeText), optional("invoice_id", typeText), optional("stated_date", typeDate),
		optional("stated_amount_minor", typeBigint), optional("stated_currency", typeText), required("reason", typeText), required("status", typeText),
		required("requested_at", typeTime), optional("decided_at", typeTime),
	}},
	{Name: "subscriptions", Columns: []SourceColumn{
		required("id", typeText), required("account_id", typeText), required("stripe_subscription_id", typeText), required("plan", typeText),
		required("status", typeText), required("current_period_start", typeTime), required("current_period_end", typeTime),
		optional("cancel_requested_at", typeTime), optional("access_ends_at", typeTime),
	}},
	{Name: "subscription_changes", Columns: []SourceColumn{
		required("id", typeText), required("account_id", typeText), required("subscription_id", typeText), required("kind", typeText),
		required("from_plan", typeText), optional("to_plan", typeText), required("requested_at", typeTime), required("effective_at", typeTime),
		optional("stripe_invoice_id", typeText),
	}},
}

// firstSeen is the column that says which of several rows of one id came first.
var firstSeen = map[string]string{
	"accounts": "created_at", "purchases": "created_at", "jobs": "created_at", "credit_entries": "created_at", "refund_requests": "requested_at",
	"subscriptions": "current_period_start", "subscription_changes": "requested_at",
}
