package figures

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hummingbytes/reconciler/reconcile"
	"github.com/hummingbytes/reconciler/reconcile/numbers"
)

// attentions are what somebody has to do something about: why the night can't be closed on, then the gravest first, of these what has most
// money at stake, then what has been open longest.
func attentions(s *Summary) []Attention {
	list := []Attention{}
	for _, reason := range s.StatusReasons {
		list = append(list, Attention{Severity: reconcile.Error, What: strings.TrimSuffix(reason, "."), Href: "#controls", Open: 1, AtStake: []Amount{},
			Action: "Don't close on this night. Run it again once the cause is gone; until then its part of this page is old, missing or wrong."})
	}
	reasons := len(list)
	if !s.Stripe.Looked {
		list = append(list, Attention{Severity: reconcile.Warning, What: "Stripe was not looked at", Href: "#stripe", Open: 1, AtStake: []Amount{},
			Action: "Give the worker a key, or wait until Stripe can be reached, and run the night again."})
	}
	for _, kind := range s.Breaks.ByKind {
		if kind.Open == 0 || kind.Severity == reconcile.Info {
			continue
		}
		rule, _ := kind.Kind.Rule()
		list = append(list, Attention{Severity: kind.Severity, What: KindName(kind.Kind), Href: "#" + Anchor(kind.Kind), Open: kind.Open, New: kind.New,
			OldestDays: &kind.OldestDays, AtStake: kind.AtStake, Action: rule.Action})
	}
	if due := s.Disputes.EvidenceDue; due.Disputes > 0 {
		list = append(list, evidenceAttention(due))
	}
	if left := LeftOutRows(s); !left.IsZero() {
		list = append(list, Attention{Severity: reconcile.Warning, What: "Rows of the platform that were left out", Href: "#rejects", Open: left.Big().Int64(), AtStake: []Amount{},
			Action: "Nothing was said about them. Have the platform correct them, or the view that passes them on; rejects.csv names each field."})
	}
	slices.SortStableFunc(list[reasons:], byUrgency)
	return list
}

func byUrgency(a, b Attention) int {
	var days [2]int64
	for i, age := range []*int64{a.OldestDays, b.OldestDays} {
		if age != nil {
			days[i] = *age
		}
	}
	return cmp.Or(cmp.Compare(b.Severity.Rank(), a.Severity.Rank()), compareStakes(b.AtStake, a.AtStake), cmp.Compare(days[1], days[0]))
}

// compareStakes compares money, then credits. Currencies are not converted: of several the largest amount in minor units counts, which puts any
// money before none, a yen beside a cent, and is no more than an order to read in.
func compareStakes(a, b []Amount) int {
	var money, credits [2]numbers.Number
	for i, stakes := range [][]Amount{a, b} {
		for _, stake := range stakes {
			largest := &credits[i]
			if numbers.IsCurrency(stake.Unit) {
				largest = &money[i]
			}
			if stake.Value.Abs().Compare(*largest) > 0 {
				*largest = stake.Value.Abs()
			}
		}
	}
	return cmp.Or(money[0].Compare(money[1]), credits[0].Compare(credits[1]))
}

// evidenceAttention is the disputes that are lost unless somebody sends evidence: a warning while there is time, and once a date has passed still.
func evidenceAttention(due EvidenceFigures) Attention {
	a := Attention{Severity: reconcile.Warning, What: fmt.Sprintf("Evidence for disputes due within %d days", due.Days), Href: "#disputes", Open: due.Disputes,
		AtStake: due.Money,
		Action:  "Send the evidence in Stripe's dashboard before the date, or accept the dispute; without evidence it is lost."}
	if due.Past > 0 {
		a.What += fmt.Sprintf(", or past: %d", due.Past)
	}
	a.What += "; the first on " + due.FirstDue.UTC().Format("2006-01-02 15:04 UTC")
	return a
}

// LeftOutRows is how many rows of all relations were left out.
func LeftOutRows(s *Summary) numbers.Number {
	var all numbers.Sum
	for _, control := range s.ControlTotals {
		if _, isSource := control.SourceOf(); isSource {
			all.Add(control.Breaks)
		}
	}
	return all.Number()
}
