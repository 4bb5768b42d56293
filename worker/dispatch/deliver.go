package dispatch

import (
	"context"
	"fmt"
	"sync"

	"strongroom/custody/custodydb"
	"strongroom/internal/crash"
)

// delivery is one batch on its way. What is accepted is marked while the rest still
// goes: whoever leads after a process that died sends again what was not marked, and
// under a long batch and many deaths that could be all of it, over and over.
type delivery struct {
	d *Dispatcher

	mu       sync.Mutex
	accepted []int64 // and not marked yet
	marked   int
	failed   int // subjects
	errs     []error
}

// deliver sends rows: those of one subject in order, several subjects at once. It
// tells whether any was accepted and marked, and what went wrong with the others.
func (d *Dispatcher) deliver(ctx context.Context, rows []custodydb.OutboxRow) (moved bool, err error) {
	v := &delivery{d: d}
	var work sync.WaitGroup
	free := make(chan struct{}, lanes)
	subjects := bySubject(rows)
	for _, lane := range subjects {
		free <- struct{}{}
		work.Go(func() {
			defer func() { <-free }()
			seqs, err := d.lane(ctx, lane)
			v.note(ctx, seqs, err)
		})
	}
	work.Wait()
	v.mark(ctx, v.accepted)
	if len(v.errs) == 0 {
		return true, nil
	}
	return v.marked > 0, fmt.Errorf("%d of %d subjects: %w", v.failed, len(subjects), v.errs[0])
}

// note takes in how one subject went, and marks where enough was accepted.
func (v *delivery) note(ctx context.Context, seqs []int64, err error) {
	v.mu.Lock()
	v.accepted = append(v.accepted, seqs...)
	if err != nil {
		v.failed++
		v.errs = append(v.errs, err)
		v.d.failed.Inc()
	}
	var full []int64
	if len(v.accepted) >= markRows {
		full, v.accepted = v.accepted, nil
	}
	v.mu.Unlock()
	v.mark(ctx, full)
}

// mark marks what the server has accepted, even where we are told to stop.
func (v *delivery) mark(ctx context.Context, seqs []int64) {
	if len(seqs) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), markTimeout)
	defer cancel()
	crash.At(crash.OutboxBeforeMark)
	err := v.d.cfg.Outbox.OutboxSent(ctx, seqs)
	v.mu.Lock()
	defer v.mu.Unlock()
	if err != nil {
		v.errs = append(v.errs, fmt.Errorf("mark outbox: %w", err))
		return
	}
	v.marked += len(seqs)
	crash.At(crash.OutboxAfterMark)
}
