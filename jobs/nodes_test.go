package jobs_test

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hummingbytes/reconciler/jobs/night"
	"github.com/hummingbytes/reconciler/jobs/simulation"
	"github.com/hummingbytes/reconciler/jobs/source"
	"github.com/hummingbytes/reconciler/reconcile"
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

// A night that loses a node in its middle fails as one that another try mends, and the next one ends as if nothing had been.
func TestNodeLostAndBack(t *testing.T) {
	t.Parallel()
	s := testStage
	p := crowd(s, 500, 40)
	w := newWorker(t)
	if !w.db.Distributed() {
		t.Skip(testdb.CitusVariable + " is not set: nobody looked at a night that loses a node")
	}
	w.play(t, s, p, 0, 1, 2)
	want := w.state(t)
	node := detour(t, w.db)
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
		node.back(t)
	}
	if len(lostAt) != 4 {
		t.Errorf("the node was lost at %v", lostAt)
	}
	w.again(t, s, 1, 2)
	compareStates(t, "after a node was lost and came back", want, w.state(t))
}

// Shards may be moved to other nodes between nights.
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
	for _, no := range []int{1, 2} {
		var moved int
		if err := w.db.Get(&moved, `WITH there AS (
				SELECT DISTINCT ON (p.nodeport) s.shardid, p.nodename, p.nodeport FROM pg_dist_shard s JOIN pg_dist_shard_placement p USING (shardid)
				WHERE s.logicalrelid = 'platform.jobs'::regclass ORDER BY p.nodeport, s.shardid
			), move AS (SELECT f.*, n.nodename AS to_name, n.nodeport AS to_port FROM there f
				JOIN LATERAL (SELECT n.nodename, n.nodeport FROM pg_dist_node n WHERE n.shouldhaveshards AND n.nodeport <> f.nodeport ORDER BY n.nodeport LIMIT 1) n ON true LIMIT 1)
			SELECT count(citus_move_shard_placement(shardid, nodename, nodeport, to_name, to_port, 'block_writes')::text) FROM move`); err != nil || moved == 0 {
			t.Fatalf("%d shards were moved, %v", moved, err)
		}
		w.again(t, s, no)
	}
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

var benchmarkJobs = flag.Int64("jobs", 100_000, "how many jobs the night of BenchmarkNight has")

// BenchmarkNight is the first night of a platform, of jobs made up by the million, on whatever server the tests are given: what it takes on one server
// against nodes of a cluster, with -benchtime 1x, as a night that is run again posts nothing.
func BenchmarkNight(b *testing.B) {
	w := newWorker(b)
	day := reconcile.NightOf(date("2026-03-05"), time.UTC)
	accounts := *benchmarkJobs / 10
	if err := simulation.FillAccounts(b.Context(), w.db.DB.DB, accounts, day.Begin.AddDate(0, 0, -1)); err != nil {
		b.Fatal(err)
	}
	if _, err := (simulation.BulkNight{Night: day, Seed: 1, Jobs: *benchmarkJobs, Accounts: accounts, FailuresPerMillion: 15_000, FaultsPerMillion: 1000}).Fill(b.Context(), w.db.DB.DB); err != nil {
		b.Fatal(err)
	}
	w.db.MustExec("VACUUM ANALYZE")
	var steps time.Duration
	w.Ended = func(_ reconcile.Date, step string, took time.Duration) {
		steps += took
		if step == "match-jobs" || step == "credit-backs" || step == "reports" {
			b.ReportMetric(took.Seconds(), step+"-s")
		}
	}
	b.ResetTimer()
	started := time.Now()
	for range b.N {
		if err := w.RunNight(b.Context(), day.Date); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((time.Since(started) - steps).Seconds(), "reading-s")
}

// link stands before a node of a cluster.
type link struct {
	address, node string

	mu    sync.Mutex
	lost  atomic.Bool
	conns []net.Conn
}

// detour has a database's nodes reach one of them through a link.
func detour(t *testing.T, db *testdb.DB) *link {
	t.Helper()
	var node struct {
		ID   int64
		Host string
		Port int
	}
	if err := db.Get(&node, "SELECT nodeid AS id, nodename AS host, nodeport AS port FROM pg_dist_node WHERE shouldhaveshards ORDER BY nodeid LIMIT 1"); err != nil {
		t.Fatal(err)
	}
	if ip := net.ParseIP(node.Host); node.Host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		t.Skip("the cluster's nodes are on other machines, whose connections this test can't cut")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	l := &link{address: listener.Addr().String(), node: net.JoinHostPort(node.Host, fmt.Sprint(node.Port))}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go l.carry(conn)
		}
	}()
	_, port, _ := strings.Cut(l.address, ":")
	db.MustExec("SELECT citus_update_node($1, '127.0.0.1', $2)", node.ID, port)
	return l
}

func (l *link) carry(from net.Conn) {
	to, err := net.Dial("tcp", l.node)
	if err != nil || l.lost.Load() {
		from.Close()
		return
	}
	l.mu.Lock()
	l.conns = append(l.conns, from, to)
	l.mu.Unlock()
	var both sync.WaitGroup
	for _, way := range [][2]net.Conn{{from, to}, {to, from}} {
		both.Go(func() {
			_, _ = io.Copy(way[1], way[0]) // to the end of the connection, whichever it is
			way[1].Close()
		})
	}
	both.Wait()
}

// lose cuts what there is, and lets nothing through.
func (l *link) lose() {
	l.lost.Store(true)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		conn.Close()
	}
	l.conns = slices.Delete(l.conns, 0, len(l.conns))
}

func (l *link) back(t *testing.T) {
	t.Helper()
	l.lost.Store(false)
}
