package reports

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"runtime/debug"

	"golang.org/x/sync/errgroup"
)

// spreadRows is how many rows go to the writers at a time; a table that has no more of them is written without any goroutine.
const spreadRows = 256

// spread hands the rows of a table to its writers, so that file and sheet are written beside one another and beside the reading of the rows.
// Every writer gets every row, in order. Memory is a few times spreadRows rows, however many there are.
type spread[T any] struct {
	ctx     context.Context
	writers []func(reflect.Value) error
	rows    []T
	lanes   []chan []T
	group   *errgroup.Group
}

func newSpread[T any](ctx context.Context, writers []func(reflect.Value) error) *spread[T] {
	return &spread[T]{ctx: ctx, writers: writers}
}

var errWriterFailed = errors.New("a writer has failed") // finish knows which, and why

func (s *spread[T]) write(row T) error {
	s.rows = append(s.rows, row)
	if len(s.rows) < spreadRows {
		return nil
	}
	if s.lanes == nil {
		s.start()
	}
	return s.send()
}

func (s *spread[T]) start() {
	s.group, s.ctx = errgroup.WithContext(s.ctx)
	for _, write := range s.writers {
		lane := make(chan []T, 1)
		s.lanes = append(s.lanes, lane)
		s.group.Go(func() (err error) {
			defer func() {
				if cause := recover(); cause != nil {
					err = panicked{fmt.Sprintf("%v\n%s", cause, debug.Stack())}
				}
			}()
			for rows := range lane {
				if err := writeRows(rows, write); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

func (s *spread[T]) send() error {
	for _, lane := range s.lanes {
		select {
		case lane <- s.rows:
		case <-s.ctx.Done():
			return errWriterFailed
		}
	}
	s.rows = make([]T, 0, spreadRows) // the writers still have the others
	return nil
}

// finish writes what is left, unless reading the rows has failed, and returns what went wrong first: with a writer, or with the reading.
// What made a writer panic makes the caller panic.
func (s *spread[T]) finish(readErr error) error {
	if s.lanes == nil {
		for _, write := range s.writers {
			if readErr != nil {
				break
			}
			readErr = writeRows(s.rows, write)
		}
		return readErr
	}
	if readErr == nil {
		readErr = s.send()
	}
	for _, lane := range s.lanes {
		close(lane)
	}
	writeErr := s.group.Wait()
	var cause panicked
	switch {
	case errors.As(writeErr, &cause):
		panic(cause.text)
	case writeErr != nil:
		return writeErr
	case errors.Is(readErr, errWriterFailed): // none has: it is the caller's context that has ended
		return context.Cause(s.ctx)
	}
	return readErr
}

type panicked struct{ text string }

func (p panicked) Error() string { return p.text }

func writeRows[T any](rows []T, write func(reflect.Value) error) error {
	for i := range rows {
		if err := write(reflect.ValueOf(&rows[i]).Elem()); err != nil {
			return err
		}
	}
	return nil
}
