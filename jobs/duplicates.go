package jobs

import (
	"context"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

// findAmbiguous notes which of the platform's relations don't prove that an id is there once: views, and tables without a unique index.
func (n *Night) findAmbiguous(ctx context.Context) error {
	var relations []string
	for _, relation := range queries.SourceRelations {
		relations = append(relations, relation.Name)
	}
	return n.Store.Select(ctx, &n.ambiguous, "duplicates/ambiguous", postgres.Args{"schema": n.Store.SourceSchema(), "relations": relations})
}

// guardSource names the ids that are there more than once, before anything else is read, and makes the night read the relations that have
// such ids as if they had the first row of each alone. Where ids are proven unique, or turn out to be, nothing is read otherwise and costs more.
func (n *Night) guardSource(ctx context.Context) error {
	store := n.Store
	if n.unguarded != nil {
		store = n.unguarded // the night starts over
	}
	n.unguarded = store
	var known []string
	err := store.InTx(ctx, matchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if err := n.rejectDuplicates(ctx, tx); err != nil || len(n.ambiguous) == 0 {
			return err
		}
		return tx.Select(ctx, &known, "duplicates/known", postgres.Args{})
	})
	known = slices.DeleteFunc(known, func(relation string) bool { return !slices.Contains(n.ambiguous, relation) })
	if err != nil || len(known) == 0 {
		n.Worker.Store = store
		return err
	}
	n.Worker.Store, err = store.WithAmbiguous(known)
	return err
}

// surplusRows are how many rows of a relation don't count because another one has the same id.
type surplusRows struct{ relation, rows string }

// rejectDuplicates names the ids of which the night sees more than one row. One row of each counts, the first; the others are rejects.
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
