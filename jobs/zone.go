package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/postgres"
	"github.com/hummingbytes/reconciler/reports"
	"github.com/hummingbytes/reconciler/reports/storage"
)

// ErrZone says that the nights of the database are in another time zone than the settings ask for.
var ErrZone = errors.New("time zone")

// ZoneOfNights is the time zone that all nights of a database are in.
type ZoneOfNights struct {
	Zone *time.Location
	// Since is the first night; zero where there is none yet, and then the next one decides.
	Since reconcile.Date
	// isKept: the database says so itself.
	isKept bool
}

type begunNight struct {
	Date reconcile.Date `db:"business_date"`
	AsOf time.Time
}

// FindZone is the zone of the nights that the database has, under the name that it was given first; the configured one where there are none.
// ErrZone when that is not the configured one. It changes nothing.
//
// Of a database that has not kept its zone yet, the first night that was published says it. Where that can't be read, several zones may
// explain where its nights ended (UTC and Europe/London in winter): then the configured one decides, as long as no other explains more of
// them, the first included.
func FindZone(ctx context.Context, store *postgres.Store, sink storage.Storage, configured *time.Location) (found ZoneOfNights, err error) {
	var kept struct {
		Zone       string
		FirstNight reconcile.Date
	}
	err = store.Get(ctx, &kept, "time_zone/kept", nil)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return found, err
	}
	isKept := err == nil
	name, since := kept.Zone, kept.FirstNight
	if name == configured.String() {
		return ZoneOfNights{configured, since, isKept}, nil
	}
	nights, err := begunNights(ctx, store)
	if err != nil {
		return found, err
	}
	if !isKept {
		if len(nights) == 0 {
			return ZoneOfNights{Zone: configured}, nil
		}
		since = nights[0].Date
		if name, err = publishedZone(ctx, store, sink, nights[0]); err != nil {
			return found, err
		}
		if name == "" {
			return learnZone(ctx, store, nights, configured)
		}
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return found, fmt.Errorf("%w: the nights of this database are in %s, which this binary doesn't know: %w", ErrZone, name, err)
	}
	if !sameZone(zone, configured, nights) {
		return found, fmt.Errorf("%w: the nights of this database are in %s, since %s, not in %s; set RECONCILER_TIMEZONE to %s", ErrZone, name, since, configured, plainName(name))
	}
	if reconcile.ReadInTwoWays(name) != "" {
		zone = configured // its other name
	}
	return ZoneOfNights{zone, since, isKept}, nil
}

func begunNights(ctx context.Context, store *postgres.Store) (nights []begunNight, err error) {
	err = store.Select(ctx, &nights, "time_zone/nights", nil)
	return nights, err
}

// StrayNights are those that were begun in another zone, before that was refused.
func StrayNights(ctx context.Context, store *postgres.Store, zone *time.Location) ([]reconcile.Date, error) {
	nights, err := begunNights(ctx, store)
	return strays(nights, zone), err
}

// plainName is a zone's name as a setting may have it.
func plainName(name string) string {
	if city := reconcile.ReadInTwoWays(name); city != "" {
		return city
	}
	return name
}

// publishedZone is what the manifest of the first published night says; "" when there is none that explains the night.
func publishedZone(ctx context.Context, store *postgres.Store, sink storage.Storage, first begunNight) (string, error) {
	if sink == nil {
		return "", nil
	}
	var published reconcile.Date
	if err := store.Get(ctx, &published, "time_zone/first_published", nil); err != nil || published.IsZero() {
		return "", err
	}
	latest, err := sink.Latest(ctx, published)
	if err != nil {
		return "", fmt.Errorf("look up the time zone of the first night published: %w", err)
	}
	if latest.Number == 0 {
		return "", nil // reports have been moved
	}
	manifest, err := reports.ReadManifest(latest.Manifest)
	if err != nil {
		return "", nil // what verify tells about
	}
	zone, err := time.LoadLocation(manifest.TimeZone)
	if err != nil || !explains(zone, first) {
		return "", nil
	}
	return manifest.TimeZone, nil
}

func explains(zone *time.Location, night begunNight) bool {
	return reconcile.NightOf(night.Date, zone).End.Equal(night.AsOf)
}

func strays(nights []begunNight, zone *time.Location) (dates []reconcile.Date) {
	for _, night := range nights {
		if !explains(zone, night) && !slices.Contains(dates, night.Date) {
			dates = append(dates, night.Date)
		}
	}
	return dates
}

// sameZone says whether two names mean one zone: the same name, or the same midnights since 1970, as Asia/Calcutta and Asia/Kolkata have. A
// name that is read in two ways can't be set any more: of such a zone the midnights of the nights count.
func sameZone(kept, configured *time.Location, nights []begunNight) bool {
	if kept.String() == configured.String() {
		return true
	}
	if reconcile.ReadInTwoWays(kept.String()) != "" {
		return !slices.ContainsFunc(nights, func(n begunNight) bool {
			return !reconcile.NightOf(n.Date, kept).End.Equal(reconcile.NightOf(n.Date, configured).End)
		})
	}
	for date := (reconcile.Date{Year: 1970, Month: time.January, Day: 1}); date.Year < 2060; date = date.AddDays(1) {
		if !reconcile.NightOf(date, kept).Begin.Equal(reconcile.NightOf(date, configured).Begin) {
			return false
		}
	}
	return true
}

// learnZone takes the configured zone when it explains the first night, and as many nights as any zone that does.
func learnZone(ctx context.Context, store *postgres.Store, nights []begunNight, configured *time.Location) (ZoneOfNights, error) {
	found := ZoneOfNights{Zone: configured, Since: nights[0].Date}
	mine := strays(nights, configured)
	if len(mine) == 0 {
		return found, nil
	}
	var names, best []string
	if err := store.Select(ctx, &names, "time_zone/names", nil); err != nil {
		return ZoneOfNights{}, err
	}
	fewest := len(nights) + 1
	for _, name := range names {
		zone, err := time.LoadLocation(name)
		if err != nil || !explains(zone, nights[0]) || reconcile.ReadInTwoWays(name) != "" {
			continue
		}
		switch stray := len(strays(nights, zone)); {
		case stray < fewest:
			fewest, best = stray, []string{name}
		case stray == fewest:
			best = append(best, name)
		}
	}
	if explains(configured, nights[0]) && len(mine) <= fewest {
		return found, nil
	}
	const shown = 3
	slices.SortStableFunc(best, func(a, b string) int { return rankZone(a) - rankZone(b) })
	return ZoneOfNights{}, fmt.Errorf("%w: the nights of this database, since %s, did not end at midnight of %s; set RECONCILER_TIMEZONE to the zone that they were run in, such as %s",
		ErrZone, nights[0].Date, configured, strings.Join(best[:min(len(best), shown)], ", "))
}

// rankZone puts names first that people choose.
func rankZone(name string) int {
	switch region, _, isCity := strings.Cut(name, "/"); {
	case name == "UTC":
		return 0
	case isCity && region != "Etc":
		return 1
	default:
		return 2
	}
}

// keepZone keeps the zone of all nights, unless there is one already, and refuses a night in another one. It returns the same zone by the name
// that reports have.
func keepZone(ctx context.Context, store *postgres.Store, sink storage.Storage, configured *time.Location) (*time.Location, error) {
	found, err := FindZone(ctx, store, sink, configured)
	if err != nil {
		return nil, err
	}
	if !found.isKept {
		if _, err := store.Exec(ctx, "time_zone/keep", postgres.Args{"zone": found.Zone.String()}); err != nil {
			return nil, fmt.Errorf("keep the time zone: %w", err)
		}
	}
	return found.Zone, nil
}
