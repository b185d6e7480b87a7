package reports

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
)

func TestEveryWriterGetsEveryRowInOrder(t *testing.T) {
	for _, rows := range []int{0, 1, spreadRows - 1, spreadRows, spreadRows + 1, 20 * spreadRows, 20*spreadRows + 7} {
		var got [2][]int64
		writers := []func(reflect.Value) error{
			func(row reflect.Value) error { got[0] = append(got[0], row.Int()); return nil },
			func(row reflect.Value) error { got[1] = append(got[1], row.Int()); return nil },
		}
		var want []int64
		s := newSpread[int64](t.Context(), writers)
		for i := range int64(rows) {
			want = append(want, i)
			if err := s.write(i); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.finish(nil); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got[0], want) || !slices.Equal(got[1], want) {
			t.Errorf("%d rows: the writers got %d and %d", rows, len(got[0]), len(got[1]))
		}
	}
}

func TestWhatGoesWrongWithATableIsTold(t *testing.T) {
	full, unread := errors.New("the disk is full"), errors.New("the server is gone")
	ended, end := context.WithCancel(t.Context())
	end()
	// fill writes rows until it is told to stop, as the reading of a table does.
	fill := func(ctx context.Context, rows int, readErr error, write func(reflect.Value) error) (err error) {
		s := newSpread[int](ctx, []func(reflect.Value) error{func(reflect.Value) error { return nil }, write})
		for i := range rows {
			if err := s.write(i); err != nil {
				return s.finish(err)
			}
		}
		return s.finish(readErr)
	}
	fine := func(reflect.Value) error { return nil }
	for _, rows := range []int{3, 50 * spreadRows} {
		if err := fill(t.Context(), rows, nil, func(reflect.Value) error { return full }); !errors.Is(err, full) {
			t.Errorf("%d rows, a writer fails: %v", rows, err)
		}
		if err := fill(t.Context(), rows, unread, fine); !errors.Is(err, unread) {
			t.Errorf("%d rows, the reading fails: %v", rows, err)
		}
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d rows: a panic of a writer is swallowed", rows)
				}
			}()
			_ = fill(t.Context(), rows, nil, func(reflect.Value) error { panic("no") })
		}()
	}
	if err := fill(ended, 50*spreadRows, nil, fine); !errors.Is(err, context.Canceled) {
		t.Errorf("the context has ended: %v", err)
	}
}
