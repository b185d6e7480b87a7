package source

import (
	"context"
	"fmt"
	"slices"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	queries "github.com/hummingbytes/reconciler/sql"
)

// findAmbiguous says which of the platform's relations don't prove that an id is there once: views, and tables without a unique index.
func findAmbiguous(ctx context.Context, store *postgres.Store) (ambiguous []string, err error) {
	var relations []string
	for _, relation := range queries.SourceRelations {
		relations = append(relations, relation.Name)
	}
	return ambiguous, store.Select(ctx, &ambiguous, "duplicates/ambiguous", postgres.Args{"schema": store.SourceSchema(), "relations": relations})
}

// guardSource names the ids that are there more than once, before anything else is read, and returns the night as one that reads the relations
// with such ids as if they had the first row of each alone. Where ids are unique, it changes nothing and costs nothing.
func guardSource(ctx context.Context, n *night.Night) (guarded *night.Night, surplus []surplusRows, err error) {
	ambiguous, err := findAmbiguous(ctx, n.Store)
	if err != nil {
		return nil, nil, err
	}
	alone := *n
	if len(ambiguous) == 0 {
		return &alone, nil, n.Forget(ctx, n.Store, "duplicates/clear")
	}
	cluster, err := queries.DescribeCluster(ctx, n.Store.DB(), n.Store.SourceSchema())
	if err != nil {
		return nil, nil, err
	}
	isDistributed := cluster != nil && cluster.IsDistributed()
	isSpread := func(relation string) bool {
		if !isDistributed {
			return false
		}
		p, _ := cluster.Find(n.Store.SourceSchema(), relation)
		return p.On == queries.Nodes
	}
	var known []string
	err = n.Store.InTx(ctx, night.MatchingTx, func(ctx context.Context, tx *postgres.Tx) error {
		if surplus, err = rejectDuplicates(ctx, n, tx, ambiguous, isSpread); err != nil {
			return err
		}
		return tx.Select(ctx, &known, "duplicates/known", nil)
	})
	if err != nil {
		return nil, nil, err
	}
	if isDistributed { // no node can tell by itself which of two rows on two accounts came first, nor read a relation without the other one
		if len(surplus) == 0 {
			return &alone, nil, nil
		}
		return nil, nil, fmt.Errorf("%w: ids of %s are there twice, on one account or on two accounts, with %s rows too many, and nodes can't tell which came first: "+
			"reconciler.rejects names them; rename or remove one of each", night.ErrIntegrity, surplus[0].relation, surplus[0].rows)
	}
	known = slices.DeleteFunc(known, func(relation string) bool { return !slices.Contains(ambiguous, relation) })
	if len(known) > 0 {
		alone.Store, err = n.Store.WithAmbiguous(known)
	}
	return &alone, surplus, err
}

// surplusRows are how many rows of a relation don't count because another one has the same id.
type surplusRows struct{ relation, rows string }

// rejectDuplicates names the ids of which the night sees more than one row. One row of each counts, the first; the others are rejects.
func rejectDuplicates(ctx context.Context, n *night.Night, tx *postgres.Tx, ambiguous []string, isSpread func(string) bool) (surplus []surplusRows, err error) {
	if err := n.Forget(ctx, tx, "duplicates/clear"); err != nil {
		return nil, err
	}
	for _, relation := range queries.SourceRelations {
		if !slices.Contains(ambiguous, relation.Name) {
			continue
		}
		var found struct {
			IDs     int64 `db:"ids"`
			Surplus string
		}
		args, spread := postgres.Args{"relation": relation.Name}, isSpread(relation.Name)
		if relation.SpreadStatement != "" {
			args["spread"] = spread
		}
		if spread {
			if _, err := tx.Exec(ctx, relation.SpreadStatement, nil); err != nil {
				return nil, err
			}
		}
		if err := tx.Get(ctx, &found, relation.DuplicatesStatement, args); err != nil {
			return nil, err
		}
		if spread {
			if _, err := tx.Exec(ctx, "duplicates/forget_spread", nil); err != nil {
				return nil, err
			}
		}
		if found.IDs > 0 {
			surplus = append(surplus, surplusRows{relation.Name, found.Surplus})
			n.Log.Warn().Str("relation", relation.Name).Int64("ids", found.IDs).Msg("ids are not unique: one row of each counts")
		}
	}
	return surplus, nil
}
