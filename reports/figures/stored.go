package figures

import (
	"fmt"
	"slices"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// NightFigure is one figure of a night as it is stored: trends and the index are made of these.
type NightFigure struct {
	Date     reconcile.Date `db:"business_date"`
	Measure  string         `json:"measure"`
	Unit     string         `json:"unit"`
	Value    numbers.Number `json:"value"`
	Revision int
}

// storedStatuses are the night's status as a number: the place in this list.
var storedStatuses = []Status{StatusTied, StatusIncomplete, StatusUntied}

// Figures are the night's figures to be stored.
func (n NightFigures) Figures() []NightFigure {
	list := []NightFigure{
		{Measure: "status", Value: numbers.Int(int64(slices.Index(storedStatuses, n.Status)))},
		{Measure: "stripe", Value: numbers.Int(int64(b2i(n.Stripe)))},
		{Measure: "errors", Value: numbers.Int(n.Errors)},
		{Measure: "warnings", Value: numbers.Int(n.Warnings)},
		{Measure: "infos", Value: numbers.Int(n.Infos)},
		{Measure: "new_breaks", Value: numbers.Int(n.NewBreaks)},
		{Measure: "failed_jobs", Value: numbers.Int(n.FailedJobs)},
		{Measure: "credited", Unit: "credits", Value: n.Credited},
		{Measure: "undecided", Value: numbers.Int(n.Undecided)},
		{Measure: "overdue", Value: numbers.Int(n.Overdue)},
	}
	if n.Closing.Known() {
		list = append(list, NightFigure{Measure: "closing", Unit: "credits", Value: n.Closing})
	}
	for _, amount := range n.Approved {
		list = append(list, NightFigure{Measure: "approved", Unit: amount.Unit, Value: amount.Value})
	}
	for i := range list {
		list[i].Date, list[i].Revision = n.Date, n.Revision
	}
	return list
}

// NightsOf puts stored figures together again: a night each, in order of date, which the figures must be in.
func NightsOf(figures []NightFigure) ([]NightFigures, error) {
	var nights []NightFigures
	for _, figure := range figures {
		if len(nights) == 0 || nights[len(nights)-1].Date != figure.Date {
			nights = append(nights, NightFigures{Date: figure.Date, Revision: figure.Revision, Approved: []Amount{}})
		}
		if err := nights[len(nights)-1].set(figure); err != nil {
			return nil, fmt.Errorf("figures of %s: %s: %w", figure.Date, figure.Measure, err)
		}
	}
	return nights, nil
}

func (n *NightFigures) set(figure NightFigure) error {
	switch figure.Measure {
	case "credited":
		n.Credited = figure.Value
		return nil
	case "closing":
		n.Closing = figure.Value
		return nil
	case "approved":
		n.Approved = append(n.Approved, Amount{figure.Unit, figure.Value})
		return nil
	}
	value, ok := figure.Value.Small()
	if !ok {
		return fmt.Errorf("%s is no count", figure.Value)
	}
	switch figure.Measure {
	case "status":
		if value < 0 || value >= int64(len(storedStatuses)) {
			return fmt.Errorf("%d is no status", value)
		}
		n.Status = storedStatuses[value]
	case "stripe":
		n.Stripe = value == 1
	case "errors":
		n.Errors = value
	case "warnings":
		n.Warnings = value
	case "infos":
		n.Infos = value
	case "new_breaks":
		n.NewBreaks = value
	case "failed_jobs":
		n.FailedJobs = value
	case "undecided":
		n.Undecided = value
	case "overdue":
		n.Overdue = value
	}
	return nil // a later version's figure is no concern of this one
}
