package jobs

import (
	"context"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

// guardSource makes the night read what has more than one row of an id as if it had the first alone, wherever the platform's relations don't
// prove that this can't be: they are views, or tables without a unique index. Where they do, nothing is read otherwise, and nothing costs more.
func (n *Night) guardSource(ctx context.Context) error {
	var relations []string
	for _, relation := range queries.SourceRelations {
		relations = append(relations, relation.Name)
	}
	if err := n.Store.Select(ctx, &n.ambiguous, "duplicates/ambiguous", postgres.Args{"schema": n.Store.SourceSchema(), "relations": relations}); err != nil {
		return err
	}
	if len(n.ambiguous) == 0 {
		return nil
	}
	guarded, err := n.Store.WithAmbiguous(n.ambiguous)
	if err == nil {
		n.Worker.Store = guarded
	}
	return err
}

// surplusRows are how many rows of a relation don't count because another one has the same id.
type surplusRows struct{ relation, rows string }

// rejectDuplicates names the ids of which the night sees more than one row, before anything else is read. One row of each counts, the first;
// the others are rejects.
func (n *Night) rejectDuplicates(ctx context.Context, tx *postgres.Tx) error {
	n.surplus = nil
	if _, err := tx.Exec(ctx, "duplicates/clear", postgres.Args{"date": n.Date}); err != nil {
		return err
	}
	for _, relation := range queries.SourceRelations {
		if !slices.Contains(n.ambiguous, relation.Name) {
			continue
		}
		args := postgres.Args{"date": n.Date, "relation": relation.Name, "end": n.End}
		switch relation.Name {
		case "jobs", "credit_entries", "purchases":
			args["begin"] = n.Begin
		}
		var found struct {
			IDs     int64 `db:"ids"`
			Surplus string
		}
		if err := tx.Get(ctx, &found, "duplicates/"+relation.Name, args); err != nil {
			return err
		}
		if found.IDs > 0 {
			n.surplus = append(n.surplus, surplusRows{relation.Name, found.Surplus})
			n.log.Warn().Str("relation", relation.Name).Int64("ids", found.IDs).Msg("ids are not unique: one row of each counts")
		}
	}
	return nil
}
