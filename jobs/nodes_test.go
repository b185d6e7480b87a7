package jobs_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/sql/testdb"
)

// What is committed at once may be seen by parts, where each node of a cluster has a snapshot of its own. A night that it is committed during
// does not take that for books that can't be trusted: it starts over, says that it is to be run again, or is right.
func TestWhatIsCommittedAtOnceIsNotTakenForAnIntegrityError(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	p := crowd(s, 6000, 80)
	p.Purchases, p.Jobs, p.Entries = pick(p.Purchases, keepsContractPurchase), pick(p.Jobs, keepsContractJob), pick(p.Entries, keepsContractEntry)
	early, late := withheld(s, p, 1)
	w.play(t, s, early, 0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		write := writer(t, w, late)
		for more := true; more; {
			select {
			case <-stop:
				for write() {
				}
				return
			default:
				more = write()
			}
		}
	}()
	if err := w.night(s.night(1)); err != nil && (errors.Is(err, night.ErrIntegrity) || !errors.Is(err, source.ErrStillWritten)) {
		t.Errorf("a night that is written to ends with %v", err)
	}
	close(stop)
	<-stopped
	w.again(t, s, 1, 2, 3)
	quiet := newWorker(t)
	quiet.play(t, s, p, 0, 1, 2, 3)
	for i := range s.Nights {
		want, got := quiet.published(t, s.night(i).Date), w.published(t, s.night(i).Date)
		compareLines(t, s.night(i).Date, want.lines(""), got.lines(""))
		compareLines(t, s.night(i).Date, want.rollForward("credits"), got.rollForward("credits"))
	}
}

// writer commits a purchase, two jobs and three entries at a time, of whatever accounts; it returns whether there are more.
func writer(t *testing.T, w *worker, rows platform) func() bool {
	return func() bool {
		purchases, jobs, entries := min(1, len(rows.Purchases)), min(2, len(rows.Jobs)), min(3, len(rows.Entries))
		tx := w.db.MustBegin()
		for _, r := range rows.Purchases[:purchases] {
			tx.MustExec(`INSERT INTO platform.purchases (id, account_id, kind, credits, amount_minor, currency, status, stripe_invoice_id, created_at, completed_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, r.ID, r.AccountID, r.Kind, r.Credits, r.AmountMinor, r.Currency, r.Status, r.InvoiceID, r.CreatedAt, r.CompletedAt)
		}
		for _, r := range rows.Jobs[:jobs] {
			tx.MustExec(`INSERT INTO platform.jobs (id, account_id, kind, model, status, failure_code, credit_cost, created_at, finished_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, r.ID, r.AccountID, r.Kind, r.Model, r.Status, r.FailureCode, r.CreditCost, r.CreatedAt, r.FinishedAt)
		}
		for _, r := range rows.Entries[:entries] {
			tx.MustExec(`INSERT INTO platform.credit_entries (id, account_id, kind, credits, purchase_id, job_id, created_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.ID, r.AccountID, r.Kind, r.Credits, r.PurchaseID, r.JobID, r.CreatedAt)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		rows.Purchases, rows.Jobs, rows.Entries = rows.Purchases[purchases:], rows.Jobs[jobs:], rows.Entries[entries:]
		return purchases+jobs+entries > 0
	}
}

// A night that loses a node in its middle fails as one that another try mends, whatever was on its way just then, and the next one ends as if nothing had
// been.
func TestNodeLostAndBack(t *testing.T) {
	t.Parallel()
	s := testStage
	p := crowd(s, 500, 40)
	w := newWorker(t)
	if !w.db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a night that loses a node")
	}
	node := detour(t, w.db)
	w.play(t, s, p, 0)
	before := node.passed.Load()
	w.again(t, s, 1)
	pieces := node.passed.Load() - before
	w.again(t, s, 2)
	want := w.state(t)
	w.play(t, s, p, 0)
	var lostAt []string
	for _, step := range []string{"open/read", "match-jobs/judged", "credit-backs/posted", "books/rolled"} {
		w.Step = func(name string) {
			if name == step {
				lostAt = append(lostAt, step)
				node.lose()
			}
		}
		if err := w.night(s.night(1)); !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("lost at %s: %v", step, err)
		}
		w.Step = nil
		node.back()
		finishPrepared(t, w.db)
	}
	if len(lostAt) != 4 {
		t.Errorf("the node was lost at %v", lostAt)
	}
	moments := int64(6)
	if *longBusiness {
		moments = 100
	}
	failed := 0
	for i := range moments {
		node.loseAfter(pieces * i / moments)
		err := w.night(s.night(1))
		node.back()
		switch {
		case errors.Is(err, postgres.ErrUnavailable):
			failed++
			continue
		case err != nil:
			t.Errorf("lost after %d of %d pieces: %v", pieces*i/moments, pieces, err)
		}
		node.cut.Store(nil)
		finishPrepared(t, w.db)
		w.again(t, s, 2)
		compareStates(t, "a night that got through", want, w.state(t))
		w.play(t, s, p, 0)
	}
	if failed < 3 {
		t.Errorf("%d of %d nights failed", failed, moments)
	}
	node.cut.Store(nil)
	finishPrepared(t, w.db)
	w.again(t, s, 1, 2)
	compareStates(t, "after a node was lost and came back", want, w.state(t))
}

// A commit counts though one node has not heard of it, and what has been written is not to be seen there until Citus tells it again, within a minute: no step
// goes on before, whether the node can be reached or not.
func TestCommitThatANodeHasNotHeardOf(t *testing.T) {
	t.Parallel()
	s := testStage
	p := crowd(s, 500, 40)
	w := newWorker(t)
	if !w.db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a commit that a node has not heard of")
	}
	node := detour(t, w.db)
	isCommit := func(piece []byte) bool { return bytes.Contains(piece, []byte("COMMIT PREPARED")) }
	w.play(t, s, p, 0)
	commits := 0
	node.cutWhen(func(piece []byte) bool {
		if isCommit(piece) {
			commits++
		}
		return false
	})
	w.again(t, s, 1)
	node.cut.Store(nil)
	w.again(t, s, 2)
	want := w.state(t)
	first, step := 2, 5
	if *longBusiness {
		first, step = 1, 1
	}
	if commits < first {
		t.Fatalf("%d commits were seen", commits)
	}
	for at := first; at <= commits; at += step {
		for _, isLost := range []bool{false, true} {
			w.play(t, s, p, 0)
			seen, told := 0, make(chan struct{})
			tell := func() {
				time.Sleep(500 * time.Millisecond)
				finishPrepared(t, w.db)
				close(told)
			}
			node.cutWhen(func(piece []byte) bool {
				if !isCommit(piece) {
					return false
				}
				if seen++; seen != at {
					return false
				}
				if isLost {
					node.lose()
				} else {
					go tell()
				}
				return true
			})
			err := w.night(s.night(1))
			if seen < at {
				t.Fatalf("only %d commits", seen)
			}
			if isLost {
				if !errors.Is(err, postgres.ErrUnavailable) {
					t.Errorf("commit %d, node lost: %v", at, err)
				}
				node.back()
				go tell()
				err = w.night(s.night(1))
			}
			if err != nil {
				t.Errorf("commit %d, node lost %t: %v", at, isLost, err)
			}
			<-told
			node.cut.Store(nil)
			w.again(t, s, 2)
			compareStates(t, fmt.Sprintf("after commit %d, node lost %t", at, isLost), want, w.state(t))
		}
	}
}

// finishPrepared does at once what Citus does within a minute: what a node has prepared to commit is committed, or taken back, as was decided.
func finishPrepared(t *testing.T, db *testdb.DB) {
	t.Helper()
	admin := db.As(testdb.Administrator) // whose sessions know of no connection that was cut
	defer admin.Close()
	if _, err := admin.Exec("SELECT recover_prepared_transactions()"); err != nil {
		t.Error(err)
	}
}

// Shards may be moved to other nodes between nights, one by one and by Citus's own balancing.
func TestShardsMovedBetweenNights(t *testing.T) {
	t.Parallel()
	s := testStage
	p := crowd(s, 500, 40)
	w := newWorker(t)
	if !w.db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a night after shards were moved")
	}
	w.play(t, s, p, 0, 1, 2)
	want := w.state(t)
	w.play(t, s, p, 0)
	var moved int
	if err := w.db.Get(&moved, `WITH there AS (
			SELECT DISTINCT ON (p.nodeport) s.shardid, p.nodename, p.nodeport FROM pg_dist_shard s JOIN pg_dist_shard_placement p USING (shardid)
			WHERE s.logicalrelid = 'platform.jobs'::regclass ORDER BY p.nodeport, s.shardid
		), move AS (SELECT f.*, n.nodename AS to_name, n.nodeport AS to_port FROM there f
			JOIN LATERAL (SELECT n.nodename, n.nodeport FROM pg_dist_node n WHERE n.shouldhaveshards AND n.nodeport <> f.nodeport ORDER BY n.nodeport LIMIT 1) n ON true LIMIT 1)
		SELECT count(citus_move_shard_placement(shardid, nodename, nodeport, to_name, to_port, 'block_writes')::text) FROM move`); err != nil || moved == 0 {
		t.Fatalf("%d shards were moved, %v", moved, err)
	}
	w.again(t, s, 1)
	var before, after string
	const placed = "SELECT string_agg(shardid || ' ' || nodeport, ', ' ORDER BY shardid, nodeport) FROM pg_dist_shard_placement JOIN pg_dist_shard USING (shardid) WHERE logicalrelid = 'platform.jobs'::regclass"
	if err := w.db.Get(&before, placed); err != nil {
		t.Fatal(err)
	}
	w.db.MustExec("SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')")
	if err := w.db.Get(&after, placed); err != nil || after == before {
		t.Errorf("nothing was balanced: %s, %v", after, err)
	}
	w.again(t, s, 2)
	compareStates(t, "after shards were moved", want, w.state(t))
}

// An id that two accounts have is on two nodes: the night names it and is not worked on, and the next one is once it is gone.
func TestIDOnTwoNodesIsRefused(t *testing.T) {
	t.Parallel()
	w, s := newWorker(t), testStage
	if !w.db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at ids that are on two nodes")
	}
	w.play(t, s, crowd(s, 500, 10), 0)
	for _, account := range []string{"one", "another"} {
		(platform{Entries: []entry{{ID: "twice", AccountID: &account, Kind: ref("promo"), Credits: ref[int64](1), CreatedAt: ref(s.night(1).Begin)}}}).load(t, w.db.DB)
	}
	if err := w.night(s.night(1)); !errors.Is(err, night.ErrIntegrity) || !strings.Contains(err.Error(), "two accounts") {
		t.Errorf("got %v", err)
	}
	var named int
	if err := w.db.Get(&named, "SELECT count(*) FROM reconciler.rejects WHERE row_id = 'twice'"); err != nil || named != 1 {
		t.Errorf("named %d times, %v", named, err)
	}
	w.db.MustExec("DELETE FROM platform.credit_entries WHERE id = 'twice' AND account_id = 'another'")
	w.again(t, s, 1, 2)
}

// What somebody has set for the database, to see an estimate sooner or to spare connections, changes nothing that a night finds, nor keeps it from its end.
func TestSettingsOfAClusterDoNotChangeANight(t *testing.T) {
	t.Parallel()
	s := testStage
	p := crowd(s, 500, 40)
	w := newWorker(t)
	if !w.db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at the settings of a distributed database")
	}
	w.play(t, s, p, 0, 1, 2)
	want := w.state(t)
	for _, setting := range []string{
		"all_modifications_commutative = on", "coordinator_aggregation_strategy = disabled", "count_distinct_error_rate = 0.5", "enable_binary_protocol = off", "enable_fast_path_router_planner = off",
		"enable_local_execution = off", "enable_non_colocated_router_query_pushdown = off", "enable_recurring_outer_join_pushdown = off", "enable_repartition_joins = on",
		"enable_repartitioned_insert_select = off", "enable_router_execution = off", "enforce_foreign_key_restrictions = on", "force_max_query_parallelization = on",
		"limit_clause_row_fetch_count = 1", "local_table_join_policy = never", "max_adaptive_executor_pool_size = 1", "max_cached_conns_per_worker = 0", "max_intermediate_result_size = 1",
		"multi_shard_modify_mode = sequential", "propagate_set_commands = local", "select_opens_transaction_block = off", "subquery_pushdown = on", "task_assignment_policy = 'round-robin'",
		"values_materialization_threshold = 0",
	} {
		w.db.MustExec("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET citus." + strings.ReplaceAll(setting, "'", "''") + "', current_database()); END $$")
	}
	again := newWorkerOn(t, w.db) // in sessions that begin with them
	again.folder = w.folder
	again.play(t, s, p, 0, 1, 2)
	compareStates(t, "with other settings", want, again.state(t))
}
