package testdb

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
)

// PlanNode is a step of a query plan. Tests that look at plans read them this way: the text of EXPLAIN is worded anew with new versions.
type PlanNode struct {
	Type string `json:"Node Type"`
	// Relation is the table that a scan reads.
	Relation string `json:"Relation Name"`
	// Expression is the common table expression that a scan reads.
	Expression string `json:"CTE Name"`
	// Subplan is the name by which expressions refer to this node, as in "SubPlan 1".
	Subplan   string     `json:"Subplan Name"`
	IndexCond string     `json:"Index Cond"`
	Filter    string     `json:"Filter"`
	JoinCond  string     `json:"Join Filter"`
	Children  []PlanNode `json:"Plans"`
}

// Selecter is a connection or a transaction of sqlx.
type Selecter interface {
	Get(dest any, query string, args ...any) error
}

// Explain plans a statement without running it.
func Explain(db Selecter, statement string, args ...any) (PlanNode, error) {
	var text []byte
	if err := db.Get(&text, "EXPLAIN (FORMAT json) "+statement, args...); err != nil {
		return PlanNode{}, fmt.Errorf("explain: %w", err)
	}
	var plans []struct{ Plan PlanNode }
	if err := json.Unmarshal(text, &plans); err != nil {
		return PlanNode{}, fmt.Errorf("explain: %w", err)
	}
	if len(plans) != 1 {
		return PlanNode{}, errors.New("explain: not one plan")
	}
	return plans[0].Plan, nil
}

// Nodes are the node and all below it.
func (n PlanNode) Nodes() iter.Seq[PlanNode] {
	return func(yield func(PlanNode) bool) { n.walk(yield) }
}

func (n PlanNode) walk(yield func(PlanNode) bool) bool {
	if !yield(n) {
		return false
	}
	for _, child := range n.Children {
		if !child.walk(yield) {
			return false
		}
	}
	return true
}

// Scans says whether the node or one below it reads a table, or a common table expression.
func (n PlanNode) Scans(table string) bool {
	for node := range n.Nodes() {
		if node.Relation == table || node.Expression == table {
			return true
		}
	}
	return false
}

// Hashed are the subplans that are run once, into a set in memory that rows are looked up in.
func (n PlanNode) Hashed() (subplans []PlanNode) {
	var conditions strings.Builder
	for node := range n.Nodes() {
		fmt.Fprintln(&conditions, node.Filter, node.JoinCond)
	}
	for node := range n.Nodes() {
		// The name alone may be the beginning of another: SubPlan 1, SubPlan 12.
		if node.Subplan != "" && strings.Contains(conditions.String(), "hashed "+node.Subplan+")") {
			subplans = append(subplans, node)
		}
	}
	return subplans
}
